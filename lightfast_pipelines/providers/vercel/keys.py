"""Keys of entities that only Vercel's payloads name; shared keys are in `domain/keys.py`."""

from __future__ import annotations

from lightfast_pipelines.domain.keys import fits_an_index


@fits_an_index
def deployment(deployment_id: str) -> str:
    return f"vercel:deployment:{deployment_id}"


@fits_an_index
def project(project_id: str) -> str:
    return f"vercel:project:{project_id}"
