"""GitHub's history: what its API's items become."""
