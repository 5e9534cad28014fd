"""Sweeps: many trainings of one task, whose parameters a search chooses."""
