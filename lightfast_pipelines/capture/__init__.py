"""Captures deliveries in batches: takes, reads, routes, folds and writes each in one transaction."""
