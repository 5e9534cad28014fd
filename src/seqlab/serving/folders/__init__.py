"""Tagging folders of files, block by block, on one machine or on a Ray cluster."""
