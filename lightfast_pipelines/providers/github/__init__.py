"""GitHub: verification, routing and reading of its webhooks.

`discover()` finds `PROVIDER`; nothing outside this folder imports its modules.
"""

from __future__ import annotations

from lightfast_pipelines.providers.github.provider import GitHub

PROVIDER = GitHub()
