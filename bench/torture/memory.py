"""The memory as the checks see it: prepares a database, copies deliveries into another one, reads results."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.torture import LIGHTFAST
from bench.torture.deliveries import TENANTS, Planned
from bench.torture.stack import plain_environment
from lightfast_pipelines.embedded_postgres import EmbeddedPostgres
from lightfast_pipelines.providers import discover
from lightfast_pipelines.providers.malformed_body import MalformedBody
from lightfast_pipelines.store.body_partitions import make_months_soon
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.deliveries import Delivery, insert_deliveries
from lightfast_pipelines.store.digest import TABLES, hashed_rows
from lightfast_pipelines.store.linked_resources import add_workspace, link_resource

# Kinds of routes that lead to a connection: there is no resource to link.
_NOT_LINKED = frozenset({"installation", "organization"})
Stored = tuple[str, str, bytes]
"""(provider, delivery id, SHA-256 of the body): what a sender knows of a delivery."""


def command(home: Path, *arguments: str, seconds: float = 600.0) -> str:
    """The output of a command of `lightfast` in this home. Raises CalledProcessError."""
    done = subprocess.run(
        [*LIGHTFAST, *arguments],
        env=plain_environment(home),
        cwd="/",
        capture_output=True,
        text=True,
        check=True,
        timeout=seconds,
    )
    return done.stdout


def link_tenants(conn: Connection, planned: Sequence[Planned]) -> None:
    """Makes the workspaces, and links to them what their deliveries are about."""
    workspaces = [add_workspace(conn, slug, org) for org, slug in TENANTS]
    providers = discover()
    linked: set[tuple[str, str]] = set()
    for each in planned:
        if each.tenant is None or each.scene.trick or each.kind.startswith("poison"):
            continue
        provider = providers[each.scene.provider]
        try:
            route = provider.route(each.scene.event, provider.decode(each.scene.body, {}))
        except MalformedBody:
            continue
        if route is None or route.by_hand or route.resource_key.split(":")[1] in _NOT_LINKED:
            continue
        key = (provider.name, route.resource_id)
        if key not in linked:
            linked.add(key)
            link_resource(
                conn,
                workspaces[each.tenant],
                provider.name,
                route.resource_id,
                name=route.resource_name,
                meta=dict(route.resource_meta),
                connected_by="torture",
            )
    conn.commit()


def copy_deliveries(source: Connection, target: Connection) -> int:
    """Stores every delivery of `source` in `target` with the same time of receipt, day and headers."""
    rows = source.execute(
        """
        SELECT p.provider, p.delivery_id, p.event_type, b.body, b.headers, p.received_at,
               p.partition_date, p.ingestion_source, p.verified_by, p.org_id
        FROM lightfast.raw_payloads p JOIN lightfast.raw_bodies b ON b.raw_payload_id = p.id
        ORDER BY p.id
        """
    ).fetchall()
    deliveries = [Delivery(*row) for row in rows]
    make_months_soon(target, {each.received_at.date().replace(day=1) for each in deliveries})
    target.commit()
    stored = insert_deliveries(target, deliveries)
    target.commit()
    return stored


@dataclass(frozen=True, slots=True)
class Memory:
    """What is compared between a run with faults and one without."""

    stored: Counter[Stored]
    changed_bodies: int
    """Bodies that are not those which were stored."""
    outcomes: Mapping[Stored, Sequence[tuple[str | None, ...]]]
    """Delivery -> (workspace, status, reason) of each outcome, sorted."""
    waiting: int
    without_outcome: int
    twice: int
    """(delivery, workspace) with more than one outcome."""
    rows: Mapping[str, Counter[str]]
    """Table of the digest -> its rows, to show where two digests differ."""


def read_memory(conn: Connection) -> Memory:
    stored: Counter[Stored] = Counter()
    changed = 0
    ids: dict[int, Stored] = {}
    bodies = conn.execute(
        """
        SELECT p.id, p.provider, p.delivery_id, p.body_sha256, b.body
        FROM lightfast.raw_payloads p LEFT JOIN lightfast.raw_bodies b ON b.raw_payload_id = p.id
        """
    )
    for number, provider, delivery_id, sha256, body in bodies:
        key = (provider, delivery_id, bytes(sha256))
        stored[key] += 1
        ids[number] = key
        changed += body is None or hashlib.sha256(body).digest() != bytes(sha256)
    outcomes: dict[Stored, list[tuple[str | None, ...]]] = {}
    seen: Counter[tuple[int, str | None]] = Counter()
    for number, workspace, status, reason in conn.execute(
        """
        SELECT o.raw_payload_id, w.org_id || '/' || w.slug, o.status, o.reason
        FROM lightfast.outcomes o LEFT JOIN lightfast.workspaces w ON w.id = o.workspace_id
        """
    ):
        outcomes.setdefault(ids[number], []).append((workspace, status, reason))
        seen[number, workspace] += 1
    for each in outcomes.values():
        each.sort(key=lambda outcome: tuple(str(part) for part in outcome))
    waiting = conn.execute("SELECT count(*) FROM lightfast.raw_queue").fetchone()
    rows = {table: Counter(hashed_rows(conn, table)) for table in TABLES}
    conn.rollback()
    assert waiting is not None
    return Memory(
        stored,
        changed,
        outcomes,
        int(waiting[0]),
        sum(key not in outcomes for key in ids.values()),
        sum(count > 1 for count in seen.values()),
        rows,
    )


def digest(home: Path) -> dict[str, str]:
    hashes: dict[str, str] = json.loads(command(home, "digest", "--json"))
    return hashes


def status(home: Path) -> dict[str, Any]:
    sections: dict[str, Any] = json.loads(command(home, "status", "--json"))
    return sections


def calm(
    source: Connection, home: Path, planned: Sequence[Planned]
) -> tuple[Memory, dict[str, str]]:
    """The memory and the digest of a run without faults over the deliveries that `source` holds."""
    home.mkdir(mode=0o711)
    server = EmbeddedPostgres(home, idle_seconds=30)
    try:
        with Database(lease=server.acquire()) as database:
            database.migrate()
            with database.connect() as conn:
                link_tenants(conn, planned)
                copy_deliveries(source, conn)
            command(home, "process")
            hashes = digest(home)
            with database.connect() as conn:
                return read_memory(conn), hashes
    finally:
        server.stop(force=True)


def captured_times(conn: Connection) -> dict[Stored, float]:
    """Delivery -> when its first outcome was decided, in Unix time."""
    rows = conn.execute(
        """
        SELECT p.provider, p.delivery_id, p.body_sha256, extract(epoch FROM min(o.processed_at))::float
        FROM lightfast.raw_payloads p JOIN lightfast.outcomes o ON o.raw_payload_id = p.id
        GROUP BY p.id
        """
    ).fetchall()
    conn.rollback()
    return {(provider, delivery_id, bytes(sha)): at for provider, delivery_id, sha, at in rows}
