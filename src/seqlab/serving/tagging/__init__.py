"""Tagging text with an export: input lines, the export itself, and output formats."""
