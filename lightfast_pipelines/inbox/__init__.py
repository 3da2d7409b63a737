"""Deliveries as they arrive and wait: ingested files, the queue, dead letters, replay."""
