"""Reading a provider's history from its API: request, estimate, walk, coverage."""
