"""Tests of what `make torture` plans."""
