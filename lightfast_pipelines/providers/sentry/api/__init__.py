"""Reads history from Sentry's API and turns it into the webhooks that would have reported it.

`API` is what `discover_apis` finds.
"""

from __future__ import annotations

from lightfast_pipelines.providers.sentry.api.requests import SentryApi

API = SentryApi()
