"""Ports to models: the embedder."""
