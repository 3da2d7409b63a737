"""Removes a workspace and everything derived for it.

Deliveries are inputs and stay, unless the caller also asks to remove those that reached no other workspace.
"""

from __future__ import annotations

from dataclasses import dataclass

from lightfast_pipelines.inbox.requeue import DERIVED
from lightfast_pipelines.store import activity
from lightfast_pipelines.store.consolidation_marks import mark_changed
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.linked_resources import Workspace
from lightfast_pipelines.store.locks import hold_capture


@dataclass(frozen=True, slots=True)
class Removed:
    """What was removed. `kept` deliveries reached no other workspace and wait for a link again.

    `organisation`: whether it was the organisation's last workspace, so that its connections were
    removed too.
    """

    observations: int
    links: int
    deliveries: int
    kept: int
    organisation: bool


def remove_workspace(
    conn: Connection, workspace: Workspace, *, deliveries: bool, actor: str
) -> Removed:
    """Removes the workspace; the caller holds the stages (`requeue.hold_stages`) and commits. `deliveries`
    needs the migrator's rights."""
    hold_capture(conn)
    links = _count(
        conn, "SELECT count(*) FROM lightfast.integrations WHERE workspace_id = %s", workspace.id
    )
    last = not _count(
        conn,
        "SELECT count(*) FROM lightfast.workspaces WHERE org_id = %s AND id <> %s",
        workspace.org_id,
        workspace.id,
    )
    conn.execute(
        """
        CREATE TEMPORARY TABLE left_alone ON COMMIT DROP AS
        SELECT p.id, p.received_at, p.partition_date FROM lightfast.raw_payloads p
        WHERE (p.id IN (SELECT raw_payload_id FROM lightfast.outcomes WHERE workspace_id = %(id)s)
               OR (%(last)s AND p.org_id = %(org)s))
          AND NOT EXISTS (SELECT FROM lightfast.outcomes o
                          WHERE o.raw_payload_id = p.id AND o.workspace_id <> %(id)s)
        """,
        {"id": workspace.id, "org": workspace.org_id, "last": last},
    )
    observations = _delete_derived_rows(conn, workspace)
    conn.execute("DELETE FROM lightfast.workspaces WHERE id = %s", (workspace.id,))
    _clean_up_organisation(conn, workspace, last)
    if last and deliveries:
        # Decisions about people are inputs too, and go with the deliveries that name them.
        conn.execute("DELETE FROM lightfast.actor_decisions WHERE org_id = %s", (workspace.org_id,))
    unshared = _count(conn, "SELECT count(*) FROM left_alone")
    if deliveries:
        _delete_deliveries(conn)
    else:
        # Captured again, so that their outcome says that they wait for a link.
        conn.execute(
            """
            INSERT INTO lightfast.raw_queue (raw_payload_id, partition_date)
            SELECT id, partition_date FROM left_alone a
            WHERE EXISTS (SELECT FROM lightfast.raw_bodies b
                          WHERE b.raw_payload_id = a.id AND b.received_at = a.received_at)
            ON CONFLICT DO NOTHING
            """
        )
    removed, kept = (unshared, 0) if deliveries else (0, unshared)
    activity.record(
        conn,
        "workspace.removed",
        actor,
        f"workspace {workspace.slug} was removed with {observations} observations"
        f" and {removed} deliveries",
        org_id=workspace.org_id,
        subject=f"workspace {workspace.full_name}",
        detail={"observations": observations, "deliveries": removed, "kept": kept},
    )
    return Removed(observations, links, removed, kept, last)


def _delete_derived_rows(conn: Connection, workspace: Workspace) -> int:
    """Deletes table by table, which is faster than cascading; returns how many observations."""
    rows = conn.execute(
        """
        SELECT table_name FROM information_schema.columns
        WHERE table_schema = 'lightfast' AND column_name = 'workspace_id' AND table_name = ANY(%s)
        """,
        (list(DERIVED),),
    ).fetchall()
    with_workspace = {name for (name,) in rows}
    observations = 0
    for table in DERIVED:
        if table in with_workspace:
            deleted = conn.execute(
                f"DELETE FROM lightfast.{table} WHERE workspace_id = %s", (workspace.id,)
            )
            if table == "observation_facts":
                observations = deleted.rowcount
    return observations


def _clean_up_organisation(conn: Connection, workspace: Workspace, last: bool) -> None:
    """Deletes an organisation's people and connections with its last workspace. Otherwise frees the
    resources that no workspace links any more, and has its people decided again."""
    if last:
        for table in ("actor_identities", "actors", "installations", "place_names"):
            conn.execute(f"DELETE FROM lightfast.{table} WHERE org_id = %s", (workspace.org_id,))
        return
    conn.execute(
        """
        DELETE FROM lightfast.resources r
        WHERE r.org_id = %s
          AND NOT EXISTS (SELECT FROM lightfast.integrations i WHERE i.resource_id = r.id)
        """,
        (workspace.org_id,),
    )
    others = conn.execute(
        """
        SELECT m.workspace_id FROM lightfast.consolidation_marks m
        JOIN lightfast.workspaces w ON w.id = m.workspace_id WHERE w.org_id = %s
        """,
        (workspace.org_id,),
    )
    mark_changed(conn, [other for (other,) in others])


def _delete_deliveries(conn: Connection) -> None:
    conn.execute(
        """
        DELETE FROM lightfast.raw_bodies b USING left_alone a
        WHERE b.raw_payload_id = a.id AND b.received_at = a.received_at
        """
    )
    conn.execute("DELETE FROM lightfast.raw_payloads p USING left_alone a WHERE p.id = a.id")


def _count(conn: Connection, query: str, *parameters: object) -> int:
    row = conn.execute(query, parameters).fetchone()
    assert row is not None
    return int(row[0])
