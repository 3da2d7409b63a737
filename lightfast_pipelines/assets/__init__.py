"""Dagster assets, thin: read, call the rules, write, report."""
