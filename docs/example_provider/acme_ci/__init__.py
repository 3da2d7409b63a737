"""Acme CI: verification, routing and reading of its webhooks. An example to copy.

`discover()` finds `PROVIDER`; nothing outside this folder imports its modules.
"""

from __future__ import annotations

from lightfast_pipelines.providers.acme_ci.provider import AcmeCi

PROVIDER = AcmeCi()
