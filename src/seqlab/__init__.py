"""seqlab: a training pipeline for sequence labelling that can say what made a number."""
