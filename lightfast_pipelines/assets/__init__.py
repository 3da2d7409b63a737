"""Dagster assets, kept thin: read, call the stage, write, report. A file has the name of its asset.

Files with decorated functions leave out `from __future__ import annotations`: Dagster 1.13 compares
the annotation of `context` with its own classes and refuses a string.
"""
