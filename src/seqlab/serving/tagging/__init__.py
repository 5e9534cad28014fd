"""Tagging text with an exported tagger: reading lines, running the export, writing the result."""
