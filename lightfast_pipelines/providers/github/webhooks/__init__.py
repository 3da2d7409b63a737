"""Reads GitHub's webhooks: signatures, routing, and one module for each kind of event."""
