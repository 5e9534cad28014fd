"""One module per command of `seqlab`: `add_parser` says its arguments, `run` does it."""
