"""Reads Vercel's webhooks: signature, routing, and a module for each kind of event."""
