"""Scores, confidence intervals and error analysis of predicted tags.

Sentences are passed one at a time as `(tokens, gold, predicted)`; results are plain numbers and rows.
"""
