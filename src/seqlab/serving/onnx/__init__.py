"""A tagger written as an ONNX graph, layer by layer, from its weights.

No converter is used: none reads graphs of this TensorFlow, and a recurrent layer traced for one device
would stay bound to it. `onnx` is all that these modules need beside the tagger.
"""
