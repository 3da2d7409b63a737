"""The HTTP receiver: verify, store, answer."""
