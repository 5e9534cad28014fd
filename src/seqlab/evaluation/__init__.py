"""Scores of predicted tags, as the field counts them, and what is behind the scores.

Sentences come in as `(tokens, gold tags, predicted tags)`, one at a time; plain numbers and rows go out.
"""
