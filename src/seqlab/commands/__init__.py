"""One module per command of `seqlab`: `add_parser` declares its arguments, `run` runs it."""
