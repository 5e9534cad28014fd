"""Other data formats into CoNLL, and CoNLL and predictions into the formats of annotation tools."""
