"""Acme CI: verification, routing and reading of its webhooks. An example to be copied.

`PROVIDER` is what the discovery of providers picks up; nothing outside this folder names its parts.
"""

from __future__ import annotations

from lightfast_pipelines.providers.acme_ci.provider import AcmeCi

PROVIDER = AcmeCi()
