"""Linear's API as a history: what to ask its GraphQL endpoint, and how answers become webhooks.

`HISTORY` is what the discovery of histories picks up.
"""

from __future__ import annotations

from lightfast_pipelines.providers.linear.api.requests import LinearHistory

HISTORY = LinearHistory()
