"""Finds the linked resources that a payload reaches: by the resource it names, else through an entity.

The links of all payloads are read at once. `routing.py` decides whether a workspace wants what reaches it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lightfast_pipelines.capture.authority import (
    ARRIVED_BEFORE_OWN,
    Owner,
    is_shared,
    organisations_named,
    speaks_for,
)
from lightfast_pipelines.capture.reading import ReadPayload
from lightfast_pipelines.domain.events import Route, Understood
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


@dataclass(frozen=True, slots=True)
class Reached:
    """A link that a payload reaches, and the resource through which it does."""

    link: WorkspaceLink
    resource_key: str


Reach = Mapping[int, Sequence[Reached]]
_Resource = tuple[str, str]


def reach(conn: Connection, payloads: Sequence[ReadPayload]) -> Reach:
    """Payload id -> what it reaches: by its own resources, else through the entity it names (`via`)."""
    links = _load_links(
        conn, {resource for payload in payloads for resource in resources_of(payload.route)}
    )
    named = organisations_named(conn, filter(None, (payload.installation for payload in payloads)))
    reached = {
        payload.raw.id: _reached(payload, resources_of(payload.route), links, named)
        for payload in payloads
    }
    waiting = [payload for payload in payloads if _via(payload) and not reached[payload.raw.id]]
    if not waiting:
        return reached
    stored = _stored_paths(conn, {via for payload in waiting if (via := _via(payload))})
    links = {
        **links,
        **_load_links(conn, {path.resource for paths in stored.values() for path in paths}),
    }
    single_organisation = _providers_of_one_organisation(conn, {p.raw.provider for p in waiting})
    # A reaction goes where its comment goes, and the comment goes where its issue goes.
    for _ in range(3):
        paths_to: dict[str, set[_Path]] = defaultdict(set, {k: set(v) for k, v in stored.items()})
        for payload in payloads:
            if isinstance(payload.reading, Understood):
                for statement in payload.reading.statements:
                    for name in (statement.subject.key, *statement.subject.aliases):
                        paths_to[name] |= {
                            _Path(
                                (link.resource_key, _resource_id(link.resource_key)),
                                payload.raw.ingestion_source,
                            )
                            for link in reached[payload.raw.id]
                        }
        for payload in waiting:
            paths: Collection[_Path] = paths_to.get(_via(payload) or "", ())
            if (
                is_shared(payload.raw.verified_by)
                and payload.raw.provider not in single_organisation
            ):
                paths = _trusted(paths)
            resources = sorted({path.resource for path in paths})
            reached[payload.raw.id] = _reached(payload, resources, links, named)
    return reached


@dataclass(frozen=True, slots=True)
class _Path:
    """A resource by which a payload about an entity was routed, and that payload's source."""

    resource: _Resource
    ingestion_source: str


def _trusted(paths: Collection[_Path]) -> Collection[_Path]:
    """The paths of payloads that the provider signed, else of those read from its API; never a file's.

    A file says what its organisation wants it to say: if several organisations share the environment's
    secret, one of them could use a file that names the others' entities to attract their payloads.
    """
    signed = {path for path in paths if path.ingestion_source == "webhook"}
    return signed or {path for path in paths if path.ingestion_source != "manual"}


def _providers_of_one_organisation(conn: Connection, providers: Iterable[str]) -> set[str]:
    """The providers among these whose resources all belong to a single organisation."""
    rows = conn.execute(
        """
        SELECT provider FROM lightfast.resources WHERE provider = ANY(%s)
        GROUP BY provider HAVING min(org_id) = max(org_id)
        """,
        (sorted(set(providers)),),
    )
    return {provider for (provider,) in rows}


def resources_of(route: Route | None) -> list[_Resource]:
    """The resources that a route names: its own first, then the wider ones that contain it."""
    return [] if route is None else [(route.resource_key, route.resource_id), *route.alternatives]


def _via(payload: ReadPayload) -> str | None:
    return payload.route.via if payload.route else None


def _resource_id(resource_key: str) -> str:
    return resource_key.split(":", 2)[2]


def _reached(
    payload: ReadPayload,
    resources: Iterable[_Resource],
    links: Mapping[tuple[str, str], Sequence[WorkspaceLink]],
    named: Mapping[tuple[str, str], str],
) -> list[Reached]:
    """At most one link for each workspace: by the narrowest resource."""
    chosen: dict[int, Reached] = {}
    organisation = named.get(payload.installation) if payload.installation else None
    for resource_key, resource_id in resources:
        for link in links.get((payload.raw.provider, resource_id), ()):
            if speaks_for(payload.raw, link.owner, organisation):
                chosen.setdefault(link.workspace_id, Reached(link, resource_key))
    return [chosen[workspace] for workspace in sorted(chosen)]


def _stored_paths(conn: Connection, subjects: set[str]) -> dict[str, list[_Path]]:
    """Key or claimed alias of an entity -> how stored payloads about that entity were routed."""
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
    paths: dict[str, list[_Path]] = defaultdict(list)
    for subject, resource_key, ingestion_source in rows:
        resource = (resource_key, _resource_id(resource_key))
        paths[subject].append(_Path(resource, ingestion_source))
    return paths


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
