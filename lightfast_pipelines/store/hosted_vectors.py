"""Which observations need vectors of the hosted embedding model, and which model serves searches.

Only significant observations get vectors that cost money. They wait in a queue, which the local stage
feeds, and a walk over all observations: after another model was set, and each night, for what the stage
did not notice, such as a higher significance or a new threshold.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import LiteralString

from lightfast_pipelines.domain.views import RULE_VERSION as VIEW_RULES
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.pending_work import PARTITION_DAY
from lightfast_pipelines.store.significance import THRESHOLD
from lightfast_pipelines.store.stage_failures import observation_given_up

# Observations examined in one transaction.
_WALK = 20_000

_ENQUEUE: LiteralString = f"""
INSERT INTO lightfast.hosted_embedding_queue (observation_id, workspace_id, partition_date)
SELECT o.id, o.workspace_id, coalesce(d.day, (o.recorded_at AT TIME ZONE 'UTC')::date)
FROM lightfast.observations o
JOIN lightfast.workspaces w ON w.id = o.workspace_id
JOIN lightfast.hosted_models m ON m.is_current
LEFT JOIN {PARTITION_DAY} ON true
WHERE NOT o.is_deleted
  AND o.significance_score >= {THRESHOLD}
  AND NOT EXISTS (
    SELECT FROM lightfast.observation_vectors v
    WHERE v.observation_id = o.id AND v.view = 'title' AND v.model = m.model
      AND v.rule_version >= {VIEW_RULES})
"""
# A row that waits already keeps its place.
_ENQUEUED: LiteralString = " ORDER BY o.id ON CONFLICT (observation_id) DO NOTHING"

# Over a row of the queue under the alias `o`, whose `id` is the observation's.
NOT_GIVEN_UP: LiteralString = f"NOT {observation_given_up('hosted_embeddings', '%(model)s')}"
OF_QUEUE: LiteralString = """
  (SELECT observation_id AS id, workspace_id, partition_date, queued_at
   FROM lightfast.hosted_embedding_queue) o
"""


@dataclass(frozen=True, slots=True)
class HostedProgress:
    """How far the hosted vectors have come. `covered` of `workspaces` are searched by `model` already;
    `waiting` observations have no vector of it yet; `is_examined` is false while more may be found."""

    model: str
    workspaces: int
    covered: int
    waiting: int
    is_examined: bool


def set_model(conn: Connection, model: str | None) -> None:
    """Makes `model` the one that embeds significant observations. The caller commits.

    None: no key is set, so nothing waits. A model that is set again has missed what happened meanwhile,
    and begins anew with the vectors that it has.
    """
    conn.execute(
        "UPDATE lightfast.hosted_models SET is_current = false WHERE is_current AND model IS DISTINCT FROM %s",
        (model,),
    )
    if model is None:
        conn.execute("DELETE FROM lightfast.hosted_embedding_queue")
        return
    began = conn.execute(
        """
        INSERT INTO lightfast.hosted_models AS m (model, is_current, examined_until)
        VALUES (%s, true, 0)
        ON CONFLICT (model) DO UPDATE SET
          is_current = true, started_at = now(), examined_until = 0, examined_at = NULL
        WHERE NOT m.is_current
        """,
        (model,),
    )
    if began.rowcount:
        conn.execute("DELETE FROM lightfast.hosted_coverage WHERE model = %s", (model,))


def current_model(conn: Connection) -> str | None:
    """The hosted model that was set last; None if none is."""
    row = conn.execute("SELECT model FROM lightfast.hosted_models WHERE is_current").fetchone()
    return row[0] if row else None


def enqueue(conn: Connection, observations: Sequence[int]) -> int:
    """Queues those of these observations that need a vector; returns how many. Does not commit."""
    queued = conn.execute(f"{_ENQUEUE} AND o.id = ANY(%s) {_ENQUEUED}", (list(observations),))
    return queued.rowcount


def examine_more(conn: Connection) -> bool:
    """Examines the next observations, and queues those that need a vector; false if all are examined.

    Commits, so that it goes on where it was ended.
    """
    row = conn.execute(
        """
        SELECT m.model, m.examined_until, n.until, n.examined
        FROM lightfast.hosted_models m
        CROSS JOIN LATERAL (
          SELECT max(o.id) AS until, count(*) AS examined FROM (
            SELECT id FROM lightfast.observations WHERE id > m.examined_until ORDER BY id LIMIT %s
          ) o
        ) n
        WHERE m.is_current AND m.examined_until IS NOT NULL
        """,
        (_WALK,),
    ).fetchone()
    if row is None:
        conn.rollback()
        return False
    model, after, until, examined = row
    conn.execute(f"{_ENQUEUE} AND o.id > %s AND o.id <= %s {_ENQUEUED}", (after, until))
    # What is added from now on is queued when it gets its local vectors.
    is_end = examined < _WALK
    conn.execute(
        """
        UPDATE lightfast.hosted_models
        SET examined_until = CASE WHEN %(is_end)s THEN NULL ELSE %(until)s::bigint END,
            examined_at = CASE WHEN %(is_end)s THEN coalesce(examined_at, now()) ELSE examined_at END
        WHERE model = %(model)s AND is_current
        """,
        {"is_end": is_end, "until": until, "model": model},
    )
    conn.commit()
    return not is_end


def catch_up(conn: Connection, model: str, *, seconds: float = float("inf")) -> None:
    """Sets the model, and examines observations until all are or the time is over. Commits."""
    ends = time.monotonic() + seconds
    set_model(conn, model)
    conn.commit()
    while examine_more(conn) and time.monotonic() < ends:
        pass


def examine_again(conn: Connection) -> None:
    """Has all observations examined once more, from the first. The caller commits."""
    conn.execute("UPDATE lightfast.hosted_models SET examined_until = 0 WHERE is_current")


def days_waiting(conn: Connection, model: str, most: int) -> dict[date, int]:
    """Partition day -> number of waiting observations, among the newest `most` that wait."""
    rows = conn.execute(
        f"""
        SELECT partition_date, count(*) FROM (
          SELECT o.partition_date FROM {OF_QUEUE} WHERE {NOT_GIVEN_UP}
          ORDER BY o.partition_date DESC LIMIT %(most)s
        ) newest GROUP BY partition_date
        """,
        {"model": model, "most": most},
    )
    return dict(rows.fetchall())


def note_coverage(conn: Connection, model: str) -> int:
    """Notes the workspaces in which everything that waited when the model was new has vectors, so that it
    serves their searches; returns how many are new. The caller commits.

    A workspace that was added in an outage has no vector of the model, so the local ones serve it.
    """
    covered = conn.execute(
        f"""
        INSERT INTO lightfast.hosted_coverage (workspace_id, model)
        SELECT w.id, m.model FROM lightfast.workspaces w
        JOIN lightfast.hosted_models m ON m.is_current AND m.model = %(model)s
        WHERE m.examined_at IS NOT NULL
          AND NOT EXISTS (SELECT FROM lightfast.hosted_coverage c
                          WHERE c.workspace_id = w.id AND c.model = m.model)
          AND NOT EXISTS (
            SELECT FROM {OF_QUEUE}
            WHERE o.workspace_id = w.id AND {NOT_GIVEN_UP}
              AND (o.queued_at <= m.examined_at OR NOT EXISTS (
                SELECT FROM lightfast.observation_vectors v
                WHERE v.workspace_id = w.id AND v.model = m.model)))
        ORDER BY w.id
        ON CONFLICT DO NOTHING
        """,
        {"model": model},
    )
    return covered.rowcount


def serving_model(conn: Connection, workspace_id: int) -> str | None:
    """The hosted model whose vectors serve searches: the current one, or a former one until the current
    one covers the workspace. None: only local vectors do."""
    row = conn.execute(
        "SELECT model FROM lightfast.serving_models WHERE workspace_id = %s", (workspace_id,)
    ).fetchone()
    return row[0] if row else None


def remove_retired(conn: Connection, *, at_most: int, page: int = 10_000) -> int:
    """Deletes vectors of former hosted models in workspaces that the current one covers; returns how many.

    Commits after each page. Observations that capture is rewriting are left to the next night: it deletes
    their vectors itself, in another order, and the two could wait for each other.
    """
    removed = 0
    retired = conn.execute(
        """
        SELECT c.workspace_id, m.model
        FROM lightfast.hosted_coverage c
        JOIN lightfast.hosted_models n ON n.model = c.model AND n.is_current
        CROSS JOIN lightfast.hosted_models m
        WHERE NOT m.is_current ORDER BY 1, 2
        """
    ).fetchall()
    for workspace_id, model in retired:
        deleted = page
        while deleted == page and removed < at_most:
            deleted = conn.execute(
                """
                DELETE FROM lightfast.observation_vectors v USING (
                  SELECT r.observation_id, r.view FROM lightfast.observation_vectors r
                  JOIN lightfast.observation_facts o ON o.id = r.observation_id
                  WHERE r.workspace_id = %(workspace)s AND r.model = %(model)s LIMIT %(page)s
                  FOR NO KEY UPDATE OF o SKIP LOCKED
                ) old
                WHERE v.observation_id = old.observation_id AND v.view = old.view
                  AND v.model = %(model)s
                """,
                {"workspace": workspace_id, "model": model, "page": page},
            ).rowcount
            removed += deleted
            conn.commit()
    if retired:
        conn.execute(
            "DELETE FROM lightfast.memory_vectors WHERE (workspace_id, model) IN "
            "(SELECT * FROM unnest(%s::bigint[], %s::text[]))",
            ([row[0] for row in retired], [row[1] for row in retired]),
        )
    conn.execute(
        """
        DELETE FROM lightfast.hosted_models m
        WHERE NOT m.is_current AND EXISTS (SELECT FROM lightfast.hosted_models WHERE is_current)
          AND NOT EXISTS (SELECT FROM lightfast.observation_vectors v
                          WHERE v.model = m.model AND v.view = 'title')
        """
    )
    conn.commit()
    return removed


def hosted_progress(conn: Connection) -> HostedProgress | None:
    """How far the current hosted model has come; None if there is none."""
    row = conn.execute(
        """
        SELECT m.model, (SELECT count(*)::int FROM lightfast.workspaces),
               (SELECT count(*)::int FROM lightfast.hosted_coverage c WHERE c.model = m.model),
               (SELECT count(*)::int FROM lightfast.hosted_embedding_queue),
               m.examined_until IS NULL
        FROM lightfast.hosted_models m WHERE m.is_current
        """
    ).fetchone()
    return HostedProgress(*row) if row else None
