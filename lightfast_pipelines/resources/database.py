"""Hands the memory's database to assets and sensors: one lease on it a process."""

from __future__ import annotations

from functools import cache

import dagster as dg

from lightfast_pipelines.settings import settings
from lightfast_pipelines.store.database import Database, open_database


class DatabaseResource(dg.ConfigurableResource[Database]):
    """The database that the environment names, or the embedded one; nothing is opened on import."""

    def create_resource(self, context: dg.InitResourceContext) -> Database:  # noqa: ARG002
        return _opened()


@cache
def _opened() -> Database:
    # Never closed: a step, a sensor's tick and a schedule each ask for it again, and the kernel
    # gives the lease back when the process ends.
    return open_database(settings())
