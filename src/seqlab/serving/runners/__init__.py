"""Scripts that each tag real sentences with one exported form, in a process of their own.

`python RUNNER FORM INPUT OUTPUT`: the exported file or folder, the folder that `serving.parity` wrote the
sentences into, and the `.npz` to write: tag ids and probabilities, both (tokens,), for each way of calling
it.
"""
