"""Reads history from Linear's GraphQL API and turns it into the webhooks that would have reported it.

`API` is what `discover_apis` finds.
"""

from __future__ import annotations

from lightfast_pipelines.providers.linear.api.requests import LinearApi

API = LinearApi()
