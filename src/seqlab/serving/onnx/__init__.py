"""A tagger written as an ONNX graph, layer by layer, from its weights.

No converter is used: none supports this version of TensorFlow, and a recurrent layer traced for one device
would only run on that device. These modules need only `onnx` beside the tagger.
"""
