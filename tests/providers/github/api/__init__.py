"""The readers of GitHub's API."""
