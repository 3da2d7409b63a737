"""Writes the facts of a batch: one file per table."""
