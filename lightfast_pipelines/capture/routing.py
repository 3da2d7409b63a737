"""Routes payloads: one outcome for each workspace that a payload reaches, with what it states there.

Routing looks only at the branch and the changed files of a statement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from lightfast_pipelines.capture.reach import Reach, Reached, WorkspaceLink, reach, resources_of
from lightfast_pipelines.capture.reading import ReadPayload
from lightfast_pipelines.domain.events import (
    Filtered,
    Lifecycle,
    Parked,
    Route,
    Statement,
    Understood,
)
from lightfast_pipelines.domain.wanted import choose_statements, refuse_event
from lightfast_pipelines.providers import discover
from lightfast_pipelines.store.database import Connection

WaitsFor = Literal["link", "entity", "rules"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a payload in a workspace (None: it reached none), and what it states there.

    `waits_for` says what a parked payload waits for: that its resource is linked, that the entity it
    is routed through is known, or rules that understand it.
    """

    raw_payload_id: int
    workspace_id: int | None
    resource_key: str | None
    routes: tuple[str, ...] | None
    status: str
    reason: str | None
    waits_for: WaitsFor | None
    attempts: int
    rule_version: int
    statements: tuple[Statement, ...] = ()


@dataclass(frozen=True, slots=True)
class RoutedPayloads:
    """Read payloads, the links that each of them reaches (by payload id), and their outcomes."""

    payloads: Sequence[ReadPayload]
    reached: Reach
    outcomes: Sequence[Outcome]


def route(conn: Connection, payloads: Sequence[ReadPayload]) -> RoutedPayloads:
    """Decides for each payload which workspaces it reaches and which of its statements they want."""
    reached = reach(conn, payloads)
    delivered = _previously_delivered(conn, [payload.raw.id for payload in payloads])
    return RoutedPayloads(
        payloads,
        reached,
        [
            outcome
            for payload in payloads
            for outcome in _decide(payload, reached[payload.raw.id], delivered)
        ],
    )


def _previously_delivered(conn: Connection, raw_ids: Sequence[int]) -> set[tuple[int, int]]:
    """(payload, workspace) pairs that were delivered before: a later pause or removal takes nothing away."""
    rows = conn.execute(
        """
        SELECT raw_payload_id, workspace_id FROM lightfast.outcomes
        WHERE raw_payload_id = ANY(%s) AND workspace_id IS NOT NULL AND status = 'delivered'
        """,
        (list(raw_ids),),
    )
    return {(raw, workspace) for raw, workspace in rows}


def _decide(
    payload: ReadPayload, reached: Sequence[Reached], delivered: set[tuple[int, int]]
) -> list[Outcome]:
    """One outcome for each workspace that the payload reaches; a single one if it reaches none."""
    raw, route, reading = payload.raw, payload.route, payload.reading
    resource_keys = tuple(key for key, _ in resources_of(route))
    own_key = route.resource_key if route else None

    def outcome(
        destination: Reached | None,
        status: str,
        reason: str | None,
        statements: tuple[Statement, ...] = (),
        waits_for: WaitsFor | None = None,
    ) -> Outcome:
        return Outcome(
            raw.id,
            destination.link.workspace_id if destination else None,
            destination.resource_key if destination else own_key,
            resource_keys if len(resource_keys) > 1 or (route and route.via) else None,
            status,
            reason,
            waits_for,
            raw.attempts + 1 if status == "dlq" else 0,
            payload.rule_version,
            statements,
        )

    destinations: Sequence[Reached | None] = reached or [None]
    if payload.error is not None:
        return [outcome(destination, "dlq", payload.error) for destination in destinations]
    if isinstance(reading, Filtered | Lifecycle):
        return [outcome(destination, "filtered", reading.reason) for destination in destinations]
    if isinstance(reading, Parked):
        return [
            outcome(destination, "parked", reading.reason, (), "rules")
            for destination in destinations
        ]
    assert isinstance(reading, Understood)
    if not reading.statements:
        reason = reading.reason or "nothing to remember in it"
        return [outcome(destination, "filtered", reason) for destination in destinations]
    if not reached:
        why, waits_for, key = _why_parked(route)
        return [replace(outcome(None, "parked", why, (), waits_for), resource_key=key)]
    outcomes = []
    for destination in reached:
        link = destination.link
        kept: tuple[Statement, ...] = ()
        refusal = _refusal(payload, link, (raw.id, link.workspace_id) in delivered)
        if refusal is None:
            kept, refusal = choose_statements(
                reading.statements, link.sync_config, _default_branch(payload)
            )
        outcomes.append(
            outcome(destination, "delivered", None, kept)
            if kept
            else outcome(destination, "filtered", refusal)
        )
    return outcomes


def _why_parked(route: Route | None) -> tuple[str, WaitsFor, str | None]:
    """(reason, what the payload waits for, the key whose arrival brings it back).

    The key is that of the entity the payload is routed through, else that of its resource.
    """
    if route is None:
        return "it names no resource", "rules", None
    if route.via is not None:
        reason = f"nothing is known of {route.via} yet, through which it would be routed"
        return reason, "entity", route.via
    return f"{route.resource_key} is not linked to a workspace", "link", route.resource_key


def _default_branch(payload: ReadPayload) -> str | None:
    """The default branch as the payload itself states it. What is stored about the resource would not do:
    it depends on which payloads came before."""
    branch = payload.route.resource_meta.get("default_branch") if payload.route else None
    return str(branch) if branch else None


def _refusal(payload: ReadPayload, link: WorkspaceLink, was_delivered: bool) -> str | None:
    if not link.is_active and not was_delivered:
        return f"paused: {link.status_reason or 'by an operator'}"
    if was_delivered and not link.is_active:
        return None
    defaults = discover()[payload.raw.provider].default_events
    return refuse_event(payload.sync_event, link.sync_config, defaults)
