"""Sensors: they ask for runs where work is pending in the tables, and report failures."""
