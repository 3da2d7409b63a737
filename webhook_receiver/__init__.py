"""The HTTP receiver: verify, store, answer.

It knows providers and the inbox. It never calls a model, a provider's API or Dagster.
"""
