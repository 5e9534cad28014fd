"""What the exported TensorFlow graph computes from strings: tokens, features, windows, tags and spans."""
