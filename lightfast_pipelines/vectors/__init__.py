"""Ports to the vector index: `index.py` is the port, each other file one index behind it."""
