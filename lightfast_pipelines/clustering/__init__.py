"""Threads and clusters: assigned at once, decided by consolidation, summarized. No Dagster."""
