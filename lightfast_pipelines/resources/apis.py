"""The Dagster resource that opens clients for the providers' APIs."""

from __future__ import annotations

import dagster as dg

from lightfast_pipelines.provider_api.ports import Apis
from lightfast_pipelines.resources.database import opened
from lightfast_pipelines.settings import settings

__all__ = ["Apis", "ApisResource"]


class ApisResource(dg.ConfigurableResource[Apis]):
    """Opens clients with the sealed credentials in the database; no configuration holds any of them."""

    def create_resource(self, context: dg.InitResourceContext) -> Apis:
        # Only a run that asks a provider loads HTTP and encryption.
        from lightfast_pipelines.provider_api.access import StoredAccess

        actor = f"dagster:{context.run.run_id}" if context.run else "dagster"
        return StoredAccess(opened(), settings(), actor)
