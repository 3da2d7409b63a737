"""Measures how good the memory is, against gold data and simple baselines."""
