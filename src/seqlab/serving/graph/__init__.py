"""TensorFlow graphs of everything around the tagger: tokeniser, features, windows and spans."""
