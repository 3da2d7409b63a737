"""Finds and masks secrets in texts, before anything derived is written."""
