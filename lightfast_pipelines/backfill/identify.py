"""Looks up each linked resource before its history is read: its current name and default branch.

A renamed or moved resource keeps its id, so its stored name is updated here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lightfast_pipelines.backfill.units import WalkUnit
from lightfast_pipelines.provider_api.client import ApiClient, CallFailedError
from lightfast_pipelines.providers.api_contract import AnswerOutcome, ResourceIdentity
from lightfast_pipelines.store import activity, coverage, sources
from lightfast_pipelines.store.coverage import TimeSpan
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.sources import Source


def with_current_names(
    conn: Connection, api: ApiClient, units: Sequence[WalkUnit], asked: TimeSpan
) -> list[WalkUnit]:
    """The units with their resources' current names. Sends no request if there is nothing to read.

    Raises CallFailedError if the credential is refused. The walks will meet any other failure again and
    report it.
    """
    provider_api = api.provider_api
    source_by_integration: dict[int, Source] = {}
    for unit in units:
        source = unit.source
        if source.integration_id in source_by_integration or not _is_due(conn, unit, asked):
            continue
        try:
            call = provider_api.identify(unit.place)
            if call is None:
                return list(units)
            identity = provider_api.identified(api.ask(call))
        except CallFailedError as error:
            if error.outcome is AnswerOutcome.CREDENTIAL:
                raise
            continue
        except (ValueError, TypeError):
            continue
        source_by_integration[source.integration_id] = _renamed(conn, source, identity)
    conn.commit()
    return [
        replace(unit, source=source_by_integration.get(unit.source.integration_id, unit.source))
        for unit in units
    ]


def _is_due(conn: Connection, unit: WalkUnit, asked: TimeSpan) -> bool:
    """Whether more than the last few minutes will be read, or the resource was never looked up."""
    missing = coverage.uncovered(conn, unit.source.integration_id, unit.entity_type, asked)
    return any(coverage.is_long(interval) for interval in missing) or (
        bool(missing) and not unit.source.meta
    )


def _renamed(conn: Connection, source: Source, identity: ResourceIdentity) -> Source:
    name = identity.name or source.resource_name
    meta = {**source.meta, **identity.meta}
    if name == source.resource_name and meta == source.meta:
        return source
    sources.name_resource(conn, source, name, meta)
    if source.resource_name and name != source.resource_name:
        activity.record(
            conn,
            "resource.renamed",
            f"provider:{source.provider}",
            f"{source.resource_name} is called {name} now",
            org_id=source.org_id,
            workspace_id=source.workspace_id,
            provider=source.provider,
            subject=f"{source.provider} {source.resource_id}",
        )
    return replace(source, resource_name=name, meta=meta)
