"""Tests of the command that measures quality."""
