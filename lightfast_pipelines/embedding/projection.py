"""Keeps a hosted index up to date with the vectors in Postgres: sends what changed, deletes what is gone.

Triggers note each change (`index_changes`), so the cost is that of the changes; an index that is new, or
gets the vectors of another model, is first filled from the tables. Rows of the queue go only after the
index has answered, so a run that is killed, or an index that is away, loses nothing.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import LiteralString, cast

from lightfast_pipelines.embedding.embedder import EmbeddingModel
from lightfast_pipelines.embedding.index import (
    HostedIndex,
    IndexAway,
    IndexUnusable,
    Layer,
    RecordRefused,
    Tenant,
    VectorRecord,
)
from lightfast_pipelines.embedding.pinecone_names import vector_ids
from lightfast_pipelines.embedding.projection_records import IndexedItem, read_records
from lightfast_pipelines.embedding.projection_state import (
    IndexState,
    adopt,
    name_namespaces,
    note_failure,
    note_success,
    record_index_usage,
)
from lightfast_pipelines.store.database import Connection

# 500 observations have 1,500 vectors: eight requests, 9 MiB of 1,536 dimensions.
_PAGE = 500
# An index that refuses the same thing so often gets it again only after it changed.
MOST_ATTEMPTS = 4


@dataclass(slots=True)
class ProjectionReport:
    """What a run sent and deleted, by layer. `waiting` changes remain; `error` is why."""

    sent: Counter[str] = field(default_factory=Counter)
    deleted: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    waiting: int = 0
    error: str | None = None
    seconds: float = 0.0

    def count(
        self, things: Sequence[IndexedItem], records: Mapping[IndexedItem, list[VectorRecord]]
    ) -> None:
        for thing in things:
            counts = self.sent if records.get(thing) else self.deleted
            counts[thing.layer] += 1


def changes_waiting(conn: Connection) -> tuple[int, int]:
    """(changes that wait, those that the index refused too often), each at most 100,000."""
    row = conn.execute(
        """
        SELECT (SELECT count(*) FROM (
                  SELECT FROM lightfast.index_changes WHERE attempts < %(most)s LIMIT 100000) w),
               (SELECT count(*) FROM (
                  SELECT FROM lightfast.index_changes WHERE attempts >= %(most)s LIMIT 100000) r)
        """,
        {"most": MOST_ATTEMPTS},
    ).fetchone()
    return (row[0], row[1]) if row else (0, 0)


def project(
    conn: Connection,
    index: HostedIndex,
    model: EmbeddingModel,
    *,
    now: datetime,
    progress: Callable[[int], object] = lambda _count: None,
    between: Callable[[], None] = lambda: None,
) -> ProjectionReport:
    """Sends all changes so far. The caller holds the job lock `index`.

    An index that is away or does not fit is no error here: the report says so, and the next try is put
    off. `progress` gets the number of things of each page, `between` is called after each.
    """
    began = time.monotonic()
    report = ProjectionReport()
    run = _Run(conn, index, model.name, report, progress, between)
    try:
        state = adopt(conn, index.name, model.name, now)
        index.check(model.dimensions)
        run.clear_namespaces()
        run.try_refused_again()
        run.send_changes()
        run.fill(state, now)
        run.send_changes()
        note_success(conn, index.name, now)
    except (IndexAway, IndexUnusable) as error:
        conn.rollback()
        report.error = str(error)
        note_failure(conn, index.name, str(error), now)
    record_index_usage(conn, index, now)
    report.waiting = changes_waiting(conn)[0]
    conn.commit()
    report.seconds = time.monotonic() - began
    return report


_NEXT: LiteralString = """
SELECT id, workspace_id, layer, key FROM lightfast.index_changes
WHERE id > %(after)s AND id <= %(last)s AND attempts = 0 ORDER BY id LIMIT %(limit)s
"""

_REFUSED: LiteralString = """
SELECT id, workspace_id, layer, key FROM lightfast.index_changes
WHERE attempts > 0 AND attempts < %s ORDER BY id
"""

_NEXT_OBSERVATIONS: LiteralString = """
SELECT o.id, o.workspace_id, o.external_id FROM lightfast.observations o
WHERE o.id > %(after)s AND EXISTS (
  SELECT FROM lightfast.observation_vectors v
  WHERE v.observation_id = o.id AND v.view = 'title' AND v.model = %(model)s)
ORDER BY o.id LIMIT %(limit)s
"""

_NEXT_VECTORS: LiteralString = """
SELECT workspace_id, layer, key FROM lightfast.memory_vectors
WHERE (workspace_id, layer, key) > (%(workspace)s, %(layer)s, %(key)s) AND model = %(model)s
ORDER BY workspace_id, layer, key LIMIT %(limit)s
"""


class _Run:
    """A run over one index; each method commits page by page."""

    def __init__(
        self,
        conn: Connection,
        index: HostedIndex,
        model: str,
        report: ProjectionReport,
        progress: Callable[[int], object],
        between: Callable[[], None],
    ) -> None:
        self._conn = conn
        self._index = index
        self._model = model
        self._report = report
        self._progress = progress
        self._between = between

    def clear_namespaces(self) -> None:
        """Empties the namespaces of workspaces that were removed, before one of the same name is sent."""
        gone = self._conn.execute(
            "SELECT workspace_id, namespace FROM lightfast.hosted_namespaces WHERE is_gone"
        ).fetchall()
        for workspace_id, namespace in gone:
            self._index.clear(namespace)
            self._conn.execute(
                "DELETE FROM lightfast.hosted_namespaces WHERE workspace_id = %s", (workspace_id,)
            )
            self._conn.commit()

    def send_changes(self) -> None:
        """Sends the changes that wait now; those that come meanwhile are left to the next run."""
        row = self._conn.execute("SELECT max(id) FROM lightfast.index_changes").fetchone()
        last, after = (row[0] if row else None) or 0, 0
        while after < last:
            parameters = {"after": after, "last": last, "limit": _PAGE}
            changes = self._conn.execute(_NEXT, parameters).fetchall()
            if not changes:
                return
            # A thing that changed several times is sent once.
            things = dict.fromkeys(IndexedItem(*change[1:]) for change in changes)
            refused = self._send(list(things))
            done = [change[0] for change in changes if IndexedItem(*change[1:]) not in refused]
            self._forget_changes(done)
            self._count_attempts(changes, refused)
            self._end_page(len(changes))
            after = changes[-1][0]

    def try_refused_again(self) -> None:
        """Sends what the index refused in an earlier run, one by one."""
        for change, *thing in self._conn.execute(_REFUSED, (MOST_ATTEMPTS,)).fetchall():
            single = IndexedItem(*thing)
            refused = self._send([single], is_proven=True)
            if refused:
                self._count_attempts([(change, *single)], refused)
            else:
                self._forget_changes([change])
            self._conn.commit()

    def fill(self, state: IndexState, now: datetime) -> None:
        """Sends everything that the tables hold, from where the last run stopped."""
        if state.filled_at is not None:
            return
        self._fill_observations(state.filled_observation)
        self._fill_derived(state.filled_vector)
        self._conn.execute("UPDATE lightfast.hosted_index SET filled_at = %s", (now,))
        self._conn.commit()

    def _fill_observations(self, after: int) -> None:
        while True:
            parameters = {"after": after, "model": self._model, "limit": _PAGE}
            rows = self._conn.execute(_NEXT_OBSERVATIONS, parameters).fetchall()
            if not rows:
                return
            after = rows[-1][0]
            self._queue_refused(
                self._send([IndexedItem(ws, "observations", key) for _, ws, key in rows])
            )
            self._conn.execute(
                "UPDATE lightfast.hosted_index SET filled_observation = %s", (after,)
            )
            self._end_page(len(rows))

    def _fill_derived(self, after: Sequence[str]) -> None:
        workspace, layer, key = after or ("0", "", "")
        while True:
            parameters = {
                "workspace": int(workspace),
                "layer": layer,
                "key": key,
                "model": self._model,
                "limit": _PAGE,
            }
            rows = self._conn.execute(_NEXT_VECTORS, parameters).fetchall()
            if not rows:
                return
            workspace, layer, key = map(str, rows[-1])
            self._queue_refused(self._send([IndexedItem(*row) for row in rows]))
            self._conn.execute(
                "UPDATE lightfast.hosted_index SET filled_vector = %s", ([workspace, layer, key],)
            )
            self._end_page(len(rows))

    def _send(
        self, things: Sequence[IndexedItem], *, is_proven: bool = False
    ) -> dict[IndexedItem, str]:
        """Brings these things up to date in the index; returns those that it refuses, with the reason.

        Raises IndexUnusable if it refuses several things and takes none, unless it `is_proven` to work.
        """
        tenants = self._tenants(things)
        # What belonged to a workspace that is gone goes with its namespace.
        things = [thing for thing in things if thing.workspace_id in tenants]
        records = read_records(self._conn, things, self._model)
        self._conn.commit()
        name_namespaces(self._conn, self._index, list(tenants.values()))
        refused: dict[IndexedItem, str] = {}
        for tenant in tenants.values():
            own = [thing for thing in things if thing.workspace_id == tenant.workspace_id]
            refused |= dict(
                self._upsert(tenant, [thing for thing in own if records.get(thing)], records)
            )
            held = {record.id for thing in own for record in records.get(thing, ())}
            stale = [each for thing in own for each in vector_ids(thing.layer, thing.key)]
            if gone := [identifier for identifier in stale if identifier not in held]:
                self._index.delete(tenant, gone)
        if len(refused) > 1 and len(refused) == len(things) and not is_proven:
            raise IndexUnusable(f"the index refuses every vector: {next(iter(refused.values()))}")
        self._report.count([thing for thing in things if thing not in refused], records)
        return refused

    def _upsert(
        self,
        tenant: Tenant,
        things: Sequence[IndexedItem],
        records: Mapping[IndexedItem, list[VectorRecord]],
    ) -> Iterator[tuple[IndexedItem, str]]:
        """Sends the things, in halves if one of them is refused; yields those that are, with the reason."""
        if not things:
            return
        try:
            self._index.upsert(tenant, [record for thing in things for record in records[thing]])
        except RecordRefused as error:
            if len(things) == 1:
                yield things[0], str(error)
                return
            middle = len(things) // 2
            yield from self._upsert(tenant, things[:middle], records)
            yield from self._upsert(tenant, things[middle:], records)

    def _tenants(self, things: Sequence[IndexedItem]) -> dict[int, Tenant]:
        rows = self._conn.execute(
            "SELECT id, org_id, slug FROM lightfast.workspaces WHERE id = ANY(%s) ORDER BY id",
            (sorted({thing.workspace_id for thing in things}),),
        )
        return {row[0]: Tenant(*row) for row in rows}

    def _forget_changes(self, changes: Sequence[int]) -> None:
        """Deletes rows of the queue, and earlier refusals of the same things."""
        self._conn.execute(
            """
            WITH done AS (
              DELETE FROM lightfast.index_changes WHERE id = ANY(%s) RETURNING workspace_id, layer, key
            )
            DELETE FROM lightfast.index_changes c USING done d
            WHERE c.attempts > 0 AND (c.workspace_id, c.layer, c.key) = (d.workspace_id, d.layer, d.key)
            """,
            (list(changes),),
        )

    def _count_attempts(
        self, changes: Sequence[tuple[int, int, str, str]], refused: Mapping[IndexedItem, str]
    ) -> None:
        self._report.refused += len(refused)
        for change, workspace_id, layer, key in changes:
            reason = refused.get(IndexedItem(workspace_id, cast("Layer", layer), key))
            if reason is not None:
                self._conn.execute(
                    """
                    UPDATE lightfast.index_changes SET attempts = attempts + 1, error = %s WHERE id = %s
                    """,
                    (reason[:300], change),
                )

    def _queue_refused(self, refused: Mapping[IndexedItem, str]) -> None:
        self._report.refused += len(refused)
        for thing, reason in refused.items():
            self._conn.execute(
                """
                INSERT INTO lightfast.index_changes (workspace_id, layer, key, attempts, error)
                VALUES (%s, %s, %s, 1, %s)
                """,
                (*thing, reason[:300]),
            )

    def _end_page(self, things: int) -> None:
        self._conn.commit()
        self._progress(things)
        self._between()
