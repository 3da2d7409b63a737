"""Tests of what measures the project."""
