"""Hands out access to the providers' APIs, with the credentials that installations have."""

from __future__ import annotations

import dagster as dg

from lightfast_pipelines.provider_api.ports import Apis
from lightfast_pipelines.resources.database import opened
from lightfast_pipelines.settings import settings

__all__ = ["Apis", "ApisResource"]


class ApisResource(dg.ConfigurableResource[Apis]):
    """Access by the sealed credentials of the database; nothing of them is in any configuration."""

    def create_resource(self, context: dg.InitResourceContext) -> Apis:
        # HTTP and encryption are loaded by whoever asks a provider, not by every run.
        from lightfast_pipelines.provider_api.access import StoredAccess

        actor = f"dagster:{context.run.run_id}" if context.run else "dagster"
        return StoredAccess(opened(), settings(), actor)
