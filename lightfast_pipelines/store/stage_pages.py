"""Observations that wait for a stage, a page at a time: every workspace has as many of each page.

So a small tenant's are done with the first page, whatever a large one has waiting. Only what waits is
read, through a partial index by workspace.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any, LiteralString

from lightfast_pipelines.store.database import Connection

StagePage = list[tuple[Any, ...]]

# An observation belongs to the earliest day of its payloads.
DAY: LiteralString = """
  LATERAL (
    SELECT min(r.partition_date) AS day
    FROM lightfast.observation_sources s JOIN lightfast.raw_payloads r ON r.id = s.raw_payload_id
    WHERE s.observation_id = o.id
  ) d
"""


def workspaces_waiting(waits: LiteralString) -> LiteralString:
    """A query for the workspaces that have an observation `o` of which `waits` is true: one look-up in
    the partial index a workspace."""
    return f"""
    WITH RECURSIVE waiting AS (
      (
        SELECT o.workspace_id AS id FROM lightfast.observations o WHERE {waits}
        ORDER BY o.workspace_id LIMIT 1
      )
      UNION ALL
      SELECT (
        SELECT o.workspace_id FROM lightfast.observations o
        WHERE o.workspace_id > w.id AND {waits} ORDER BY o.workspace_id LIMIT 1
      ) FROM waiting w WHERE w.id IS NOT NULL
    )
    SELECT id FROM waiting WHERE id IS NOT NULL
    """


class WaitingPages:
    """The pages of one run. Rows are (id, workspace, day, further columns)."""

    def __init__(
        self,
        *,
        waits: LiteralString,
        parameters: Mapping[str, Any],
        columns: LiteralString = "",
        lock: LiteralString = "",
    ) -> None:
        self._parameters = parameters
        self._workspaces = workspaces_waiting(waits)
        self._page: LiteralString = f"""
        SELECT o.id, o.workspace_id, p.day {columns}
        FROM unnest(%(workspaces)s::bigint[], %(after)s::bigint[]) AS w (id, after)
        CROSS JOIN LATERAL (
          SELECT o.id, d.day FROM lightfast.observations o LEFT JOIN {DAY} ON true
          WHERE o.workspace_id = w.id AND o.id > w.after AND {waits}
            AND (%(days)s::date[] IS NULL OR d.day = ANY(%(days)s::date[]))
          ORDER BY o.id LIMIT %(share)s
        ) p
        JOIN lightfast.observations o ON o.id = p.id
        ORDER BY o.id {lock}
        """
        self._after: dict[int, int] = {}
        self._pages: Counter[int] = Counter()
        self._done: set[int] = set()

    def next(self, conn: Connection, days: Sequence[date] | None, limit: int) -> StagePage:
        """At most `limit` rows, in order of their ids; empty where nothing waits any more."""
        while True:
            found = conn.execute(self._workspaces, self._parameters)
            waiting = [row[0] for row in found if row[0] not in self._done]
            if not waiting:
                return []
            served = sorted(waiting, key=lambda one: (self._pages[one], one))[:limit]
            page = conn.execute(
                self._page,
                {
                    **self._parameters,
                    "workspaces": served,
                    "after": [self._after.get(one, 0) for one in served],
                    "days": None if days is None else list(days),
                    "share": max(1, limit // len(served)),
                },
            ).fetchall()
            self._pages.update(served)
            for identifier, workspace, *_ in page:
                self._after[workspace] = identifier
            self._done.update(set(served) - {row[1] for row in page})
            if page:
                return page

    def leave(self, workspaces: Collection[int]) -> None:
        """These have no further page in this run."""
        self._done.update(workspaces)
