"""Linear's API as a history: what to ask its GraphQL endpoint, and how answers become webhooks.

`API` is what `discover_apis` finds.
"""

from __future__ import annotations

from lightfast_pipelines.providers.linear.api.requests import LinearApi

API = LinearApi()
