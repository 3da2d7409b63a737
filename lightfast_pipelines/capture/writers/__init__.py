"""Writes what a batch made true: a file a table."""
