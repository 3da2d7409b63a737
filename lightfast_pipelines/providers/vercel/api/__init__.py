"""Reads history from Vercel's API: deployments, turned into the webhooks that would have reported them.

`API` is what `discover_apis` finds.
"""

from __future__ import annotations

from lightfast_pipelines.providers.vercel.api.requests import VercelApi

API = VercelApi()
