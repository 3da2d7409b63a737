"""Sensors: they hint at work that stands in the tables, and tell of failures."""
