"""Reading a provider's history: request, estimate, walk, coverage."""
