"""Which workspaces a payload reaches, and whether they want it: one decision a workspace.

The links are read once a batch. What a statement says is not looked into beyond branch and paths.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lightfast_pipelines.capture.reading import ReadPayload
from lightfast_pipelines.domain.events import Filtered, Lifecycle, Parked, Statement, Understood
from lightfast_pipelines.domain.wanted import choose_statements, refuse_event
from lightfast_pipelines.providers import discover
from lightfast_pipelines.store.database import Connection


@dataclass(frozen=True, slots=True)
class Link:
    """A resource linked to a workspace, with what the integration wants."""

    workspace_id: int
    workspace_slug: str
    org_id: str
    installation_id: int
    sync_config: Mapping[str, Any]
    is_active: bool
    status_reason: str | None
    resource_meta: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a payload in a workspace (None: in none), and the statements it may make there."""

    raw_payload_id: int
    workspace_id: int | None
    resource_key: str | None
    status: str
    reason: str | None
    attempts: int
    rule_version: int
    statements: tuple[Statement, ...] = ()


Links = Mapping[tuple[str, str], Sequence[Link]]


def load_links(conn: Connection, payloads: Iterable[ReadPayload]) -> Links:
    """(provider, resource id) -> links, for the resources that these payloads name."""
    wanted = sorted({(p.raw.provider, p.route.resource_id) for p in payloads if p.route})
    rows = conn.execute(
        """
        SELECT r.provider, r.provider_resource_id, w.id, w.slug, w.org_id, r.installation_id,
               i.sync_config, i.is_active, i.status_reason, r.resource_meta
        FROM unnest(%s::text[], %s::text[]) AS k (provider, resource_id)
        JOIN lightfast.resources r
          ON r.provider = k.provider AND r.provider_resource_id = k.resource_id
        JOIN lightfast.integrations i ON i.resource_id = r.id
        JOIN lightfast.workspaces w ON w.id = i.workspace_id
        ORDER BY w.id
        """,
        ([provider for provider, _ in wanted], [resource for _, resource in wanted]),
    )
    links: dict[tuple[str, str], list[Link]] = defaultdict(list)
    for provider, resource, *rest in rows:
        links[provider, resource].append(Link(*rest))
    return links


def previously_delivered(conn: Connection, raw_ids: Sequence[int]) -> set[tuple[int, int]]:
    """(payload, workspace) that were delivered before: a pause or removal since takes nothing away."""
    rows = conn.execute(
        """
        SELECT raw_payload_id, workspace_id FROM lightfast.outcomes
        WHERE raw_payload_id = ANY(%s) AND workspace_id IS NOT NULL AND status = 'delivered'
        """,
        (list(raw_ids),),
    )
    return {(raw, workspace) for raw, workspace in rows}


def decide(payload: ReadPayload, links: Links, delivered: set[tuple[int, int]]) -> list[Outcome]:
    """One outcome for each workspace that the payload reaches, or a single one for none."""
    raw, route, reading = payload.raw, payload.route, payload.reading
    key = route.resource_key if route else None

    def outcome(
        workspace: int | None, status: str, reason: str | None, made: tuple[Statement, ...] = ()
    ) -> Outcome:
        attempts = raw.attempts + 1 if status == "dlq" else 0
        return Outcome(raw.id, workspace, key, status, reason, attempts, payload.rule_version, made)

    reached = [
        link
        for link in (links.get((raw.provider, route.resource_id), ()) if route else ())
        if _covers(raw.verified_by, raw.org_id, link)
    ]
    workspaces: list[int | None] = [link.workspace_id for link in reached] or [None]
    if payload.error is not None:
        return [outcome(workspace, "dlq", payload.error) for workspace in workspaces]
    if isinstance(reading, Filtered | Lifecycle):
        return [outcome(workspace, "filtered", reading.reason) for workspace in workspaces]
    if isinstance(reading, Parked):
        return [outcome(workspace, "parked", reading.reason) for workspace in workspaces]
    assert isinstance(reading, Understood)
    if not reading.statements:
        nothing = reading.reason or "nothing to remember in it"
        return [outcome(workspace, "filtered", nothing) for workspace in workspaces]
    if not reached:
        what = f"{key} is not linked to a workspace" if key else "it names no resource"
        return [outcome(None, "parked", what)]
    decided = []
    for link in reached:
        refused = _refused(payload, link, (raw.id, link.workspace_id) in delivered)
        kept, reason = (
            ((), refused)
            if refused
            else choose_statements(
                reading.statements, link.sync_config, _default_branch(payload, link)
            )
        )
        status = "delivered" if kept else "filtered"
        decided.append(outcome(link.workspace_id, status, None if kept else reason, kept))
    return decided


def _default_branch(payload: ReadPayload, link: Link) -> str | None:
    """As the payload itself says it, which is the same in any order of arrival."""
    meta = payload.route.resource_meta if payload.route else {}
    found = meta.get("default_branch") or link.resource_meta.get("default_branch")
    return str(found) if found else None


def _covers(verified_by: str, org_id: str | None, link: Link) -> bool:
    """Whether the secret that verified the payload speaks for this link's organisation."""
    if org_id is not None:
        return link.org_id == org_id
    scope, _, name = verified_by.partition(":")
    if scope == "installation":
        return str(link.installation_id) == name
    return scope == "env"


def _refused(payload: ReadPayload, link: Link, was_delivered: bool) -> str | None:
    if not link.is_active and not was_delivered:
        return f"paused: {link.status_reason or 'by an operator'}"
    if was_delivered and not link.is_active:
        return None
    defaults = discover()[payload.raw.provider].default_events
    return refuse_event(payload.sync_event, link.sync_config, defaults)
