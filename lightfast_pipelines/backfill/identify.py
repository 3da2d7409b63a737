"""Asks for a linked resource itself before its history is read: its name today, its default branch.

A renamed or moved resource is known by its id: its name is brought up to date, and told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lightfast_pipelines.backfill.walk import WalkUnit
from lightfast_pipelines.provider_api.client import ApiClient, CallFailedError
from lightfast_pipelines.providers.api_contract import AnswerOutcome, ResourceIdentity
from lightfast_pipelines.store import activity, backfills, coverage
from lightfast_pipelines.store.backfills import Source
from lightfast_pipelines.store.coverage import TimeSpan
from lightfast_pipelines.store.database import Connection


def identified(
    conn: Connection, api: ApiClient, units: Sequence[WalkUnit], asked: TimeSpan
) -> list[WalkUnit]:
    """The units with what their resources are called today. Asks nothing where nothing is to be read.

    Raises CallFailedError where the credential is refused; another failure is each unit's own to tell.
    """
    provider_api = api.provider_api
    known: dict[int, Source] = {}
    for unit in units:
        source = unit.source
        if source.integration_id in known or not _is_due(conn, unit, asked):
            continue
        try:
            call = provider_api.identify(unit.place)
            if call is None:
                return list(units)
            found = provider_api.identified(api.ask(call))
        except CallFailedError as error:
            if error.outcome is AnswerOutcome.CREDENTIAL:
                raise
            continue
        except (ValueError, TypeError):
            continue
        known[source.integration_id] = _named(conn, source, found)
    conn.commit()
    return [replace(one, source=known.get(one.source.integration_id, one.source)) for one in units]


def _is_due(conn: Connection, unit: WalkUnit, asked: TimeSpan) -> bool:
    """Before anything but the last minutes is read, and where the resource was never asked for."""
    missing = coverage.uncovered(conn, unit.source.integration_id, unit.entity_type, asked)
    return any(coverage.is_long(interval) for interval in missing) or (
        bool(missing) and not unit.source.meta
    )


def _named(conn: Connection, source: Source, found: ResourceIdentity) -> Source:
    name = found.name or source.resource_name
    meta = {**source.meta, **found.meta}
    if name == source.resource_name and meta == source.meta:
        return source
    backfills.name_resource(conn, source, name, meta)
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
