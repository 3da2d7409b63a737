"""Sentry: verification, routing and reading of its integration platform's webhooks.

`PROVIDER` is what `discover` finds; nothing outside this folder imports its modules.
"""

from __future__ import annotations

from lightfast_pipelines.providers.sentry.provider import Sentry

PROVIDER = Sentry()
