"""Requests to the providers' APIs: the client, rate budgets, credentials and their renewal."""
