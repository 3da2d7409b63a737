"""Ports to the vector index."""
