"""Vercel's API as a history of what happened: its deployments, told as its webhooks would have.

`API` is what the discovery picks up; nothing outside this folder names its parts.
"""

from __future__ import annotations

from lightfast_pipelines.providers.vercel.api.requests import VercelApi

API = VercelApi()
