"""GitHub's history, from its REST and GraphQL APIs."""

from __future__ import annotations

from lightfast_pipelines.providers.github.api.requests import GitHubApi

API = GitHubApi()
