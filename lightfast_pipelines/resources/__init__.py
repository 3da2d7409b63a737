"""Dagster resources; each hands out a plain object."""
