"""Raw text to tokens: the tokeniser's rules, and the tokeniser in NumPy."""
