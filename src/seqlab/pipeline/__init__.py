"""Where the rooms meet: parameters in, rooms called, plain results out.

Stages, sweeps and repeated seeds call the same functions here, so that no number is made in two ways.
"""
