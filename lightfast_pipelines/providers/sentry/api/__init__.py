"""Sentry's API as a history of what happened: issues, errors and alerts as its webhooks would have told.

`API` is what the discovery picks up; nothing outside this folder names its parts.
"""

from __future__ import annotations

from lightfast_pipelines.providers.sentry.api.requests import SentryApi

API = SentryApi()
