"""Which workspaces a payload reaches, and whether they want it: one decision a workspace.

The links are read once a batch. What a statement says is not looked into beyond branch and paths.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from lightfast_pipelines.capture.authority import (
    ARRIVED_BEFORE_OWN,
    Owner,
    is_shared,
    organisations_named,
    speaks_for,
)
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


@dataclass(frozen=True, slots=True)
class WorkspaceLink:
    """A resource linked to a workspace, with what the integration wants."""

    workspace_id: int
    workspace_slug: str
    owner: Owner
    sync_config: Mapping[str, Any]
    is_active: bool
    status_reason: str | None


WaitsFor = Literal["link", "entity", "rules"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a payload in a workspace (None: in none), and the statements it may make there.

    `waits_for` says what a parked one waits for: its resource to be linked, the thing it is routed
    through to be known, or rules that understand it.
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
class Reached:
    """A link that a payload reaches, and the resource that it reaches it by."""

    link: WorkspaceLink
    resource_key: str


Reach = Mapping[int, Sequence[Reached]]
_Resource = tuple[str, str]


def reach(conn: Connection, payloads: Sequence[ReadPayload]) -> Reach:
    """Payload id -> what it reaches: by its own resources, else through the entity it names (`via`)."""
    links = _load_links(conn, {one for payload in payloads for one in _candidates(payload.route)})
    named = organisations_named(conn, filter(None, (payload.installation for payload in payloads)))
    found = {
        payload.raw.id: _reached(payload, _candidates(payload.route), links, named)
        for payload in payloads
    }
    waiting = [payload for payload in payloads if _via(payload) and not found[payload.raw.id]]
    if not waiting:
        return found
    stored = _stored_routes(conn, {via for payload in waiting if (via := _via(payload))})
    links = {
        **links,
        **_load_links(conn, {way.resource for ways in stored.values() for way in ways}),
    }
    alone = _of_one_organisation(conn, {payload.raw.provider for payload in waiting})
    # A reaction goes where its comment goes, and that where its issue goes.
    for _ in range(3):
        through: dict[str, set[_Way]] = defaultdict(set, {k: set(v) for k, v in stored.items()})
        for payload in payloads:
            if isinstance(payload.reading, Understood):
                for statement in payload.reading.statements:
                    for name in (statement.subject.key, *statement.subject.aliases):
                        through[name] |= {
                            _Way(
                                (one.resource_key, _resource_id(one.resource_key)),
                                payload.raw.ingestion_source,
                            )
                            for one in found[payload.raw.id]
                        }
        for payload in waiting:
            ways: Collection[_Way] = through.get(_via(payload) or "", ())
            if is_shared(payload.raw.verified_by) and payload.raw.provider not in alone:
                ways = _vouched(ways)
            resources = sorted({way.resource for way in ways})
            found[payload.raw.id] = _reached(payload, resources, links, named)
    return found


@dataclass(frozen=True, slots=True)
class _Way:
    """A resource by which a payload about an entity was routed, and how that payload came."""

    resource: _Resource
    ingestion_source: str


def _vouched(ways: Collection[_Way]) -> Collection[_Way]:
    """Those that the provider signed, else those that were read from its API; never a file's.

    A file says what its organisation wants it to say: where several share the environment's secret,
    one could draw the others' payloads to itself by a file that names their things.
    """
    signed = {way for way in ways if way.ingestion_source == "webhook"}
    return signed or {way for way in ways if way.ingestion_source != "manual"}


def _of_one_organisation(conn: Connection, providers: Iterable[str]) -> set[str]:
    """The providers of which no two organisations have resources."""
    rows = conn.execute(
        """
        SELECT provider FROM lightfast.resources WHERE provider = ANY(%s)
        GROUP BY provider HAVING min(org_id) = max(org_id)
        """,
        (sorted(set(providers)),),
    )
    return {provider for (provider,) in rows}


def _candidates(route: Route | None) -> list[_Resource]:
    """Own resource first, then the wider ones it belongs to."""
    return [] if route is None else [(route.resource_key, route.resource_id), *route.alternatives]


def _via(payload: ReadPayload) -> str | None:
    return payload.route.via if payload.route else None


def _resource_id(resource_key: str) -> str:
    return resource_key.split(":", 2)[2]


def _reached(
    payload: ReadPayload,
    candidates: Iterable[_Resource],
    links: Mapping[tuple[str, str], Sequence[WorkspaceLink]],
    named: Mapping[tuple[str, str], str],
) -> list[Reached]:
    """At most one link a workspace, by the narrowest resource."""
    chosen: dict[int, Reached] = {}
    organisation = named.get(payload.installation) if payload.installation else None
    for resource_key, resource_id in candidates:
        for link in links.get((payload.raw.provider, resource_id), ()):
            if speaks_for(payload.raw, link.owner, organisation):
                chosen.setdefault(link.workspace_id, Reached(link, resource_key))
    return [chosen[workspace] for workspace in sorted(chosen)]


def _stored_routes(conn: Connection, subjects: set[str]) -> dict[str, list[_Way]]:
    """Entity, by its key or an alias that it claims -> resources by which payloads about it were routed."""
    rows = conn.execute(
        """
        WITH named AS (
          SELECT k.name, w.id AS workspace_id, k.name AS key
          FROM unnest(%s::text[]) AS k (name) CROSS JOIN lightfast.workspaces w
          UNION
          SELECT k.name, a.workspace_id, e.key
          FROM unnest(%s::text[]) AS k (name) CROSS JOIN lightfast.workspaces w
          JOIN lightfast.entity_aliases a ON a.workspace_id = w.id AND a.alias = k.name
          JOIN lightfast.entities e ON e.id = a.entity_id
        )
        SELECT DISTINCT n.name, t.resource_key, p.ingestion_source
        FROM named n
        JOIN lightfast.observations o
          ON o.workspace_id = n.workspace_id AND o.subject_key = n.key
        JOIN lightfast.observation_sources s ON s.observation_id = o.id
        JOIN lightfast.outcomes t ON t.raw_payload_id = s.raw_payload_id
         AND t.workspace_id = o.workspace_id AND t.status = 'delivered'
        JOIN lightfast.raw_payloads p ON p.id = s.raw_payload_id
        WHERE t.resource_key IS NOT NULL
        """,
        (sorted(subjects), sorted(subjects)),
    )
    found: dict[str, list[_Way]] = defaultdict(list)
    for subject, resource_key, ingestion_source in rows:
        resource = (resource_key, _resource_id(resource_key))
        found[subject].append(_Way(resource, ingestion_source))
    return found


def _load_links(
    conn: Connection, resources: Iterable[_Resource]
) -> dict[tuple[str, str], list[WorkspaceLink]]:
    """(provider, resource id) -> links. The provider is the first part of a resource's key."""
    wanted = sorted({(key.partition(":")[0], identifier) for key, identifier in resources})
    links: dict[tuple[str, str], list[WorkspaceLink]] = defaultdict(list)
    if not wanted:
        return links
    rows = conn.execute(
        f"""
        SELECT r.provider, r.provider_resource_id, w.id, w.slug, n.id, w.org_id,
               {ARRIVED_BEFORE_OWN}, i.sync_config, i.is_active, i.status_reason
        FROM unnest(%s::text[], %s::text[]) AS k (provider, resource_id)
        JOIN lightfast.resources r
          ON r.provider = k.provider AND r.provider_resource_id = k.resource_id
        JOIN lightfast.installations n ON n.id = r.installation_id
        JOIN lightfast.integrations i ON i.resource_id = r.id
        JOIN lightfast.workspaces w ON w.id = i.workspace_id
        ORDER BY w.id
        """,
        ([provider for provider, _ in wanted], [resource for _, resource in wanted]),
    )
    for provider, resource, workspace, slug, installation, org, after, *wants in rows:
        owner = Owner(installation, org, after)
        links[provider, resource].append(WorkspaceLink(workspace, slug, owner, *wants))
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


def decide(
    payload: ReadPayload, reached: Sequence[Reached], delivered: set[tuple[int, int]]
) -> list[Outcome]:
    """One outcome for each workspace that the payload reaches, or a single one for none."""
    raw, route, reading = payload.raw, payload.route, payload.reading
    candidates = tuple(key for key, _ in _candidates(route))
    own_key = route.resource_key if route else None

    def outcome(
        one: Reached | None,
        status: str,
        reason: str | None,
        made: tuple[Statement, ...] = (),
        waits_for: WaitsFor | None = None,
    ) -> Outcome:
        return Outcome(
            raw.id,
            one.link.workspace_id if one else None,
            one.resource_key if one else own_key,
            candidates if len(candidates) > 1 or (route and route.via) else None,
            status,
            reason,
            waits_for,
            raw.attempts + 1 if status == "dlq" else 0,
            payload.rule_version,
            made,
        )

    places: Sequence[Reached | None] = reached or [None]
    if payload.error is not None:
        return [outcome(place, "dlq", payload.error) for place in places]
    if isinstance(reading, Filtered | Lifecycle):
        return [outcome(place, "filtered", reading.reason) for place in places]
    if isinstance(reading, Parked):
        return [outcome(place, "parked", reading.reason, (), "rules") for place in places]
    assert isinstance(reading, Understood)
    if not reading.statements:
        nothing = reading.reason or "nothing to remember in it"
        return [outcome(place, "filtered", nothing) for place in places]
    if not reached:
        why, waits_for, key = _why_parked(route)
        return [replace(outcome(None, "parked", why, (), waits_for), resource_key=key)]
    decided = []
    for one in reached:
        link = one.link
        refused = _refused(payload, link, (raw.id, link.workspace_id) in delivered)
        kept, reason = (
            ((), refused)
            if refused
            else choose_statements(reading.statements, link.sync_config, _default_branch(payload))
        )
        decided.append(
            outcome(one, "delivered" if kept else "filtered", None if kept else reason, kept)
        )
    return decided


def _why_parked(route: Route | None) -> tuple[str, WaitsFor, str | None]:
    """(reason, what it waits for, the key that brings it back: of the entity it is routed through,
    else of its resource)."""
    if route is None:
        return "it names no resource", "rules", None
    if route.via is not None:
        reason = f"nothing is known of {route.via} yet, through which it would be routed"
        return reason, "entity", route.via
    return f"{route.resource_key} is not linked to a workspace", "link", route.resource_key


def _default_branch(payload: ReadPayload) -> str | None:
    """As the payload itself says it: what is known of the resource changes with what came before."""
    found = payload.route.resource_meta.get("default_branch") if payload.route else None
    return str(found) if found else None


def _refused(payload: ReadPayload, link: WorkspaceLink, was_delivered: bool) -> str | None:
    if not link.is_active and not was_delivered:
        return f"paused: {link.status_reason or 'by an operator'}"
    if was_delivered and not link.is_active:
        return None
    defaults = discover()[payload.raw.provider].default_events
    return refuse_event(payload.sync_event, link.sync_config, defaults)
