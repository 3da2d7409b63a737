"""Pages of the observations that are pending for a stage, shared equally among the workspaces.

So a small tenant's observations are done with the first page, however large another's backlog is. Only
pending rows are read, through a partial index by workspace.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any, LiteralString

from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.pending_work import ON_THE_DAYS, PARTITION_DAY

StagePage = list[tuple[Any, ...]]


def _workspaces_with(pending: LiteralString) -> LiteralString:
    """A query for the workspaces that have a pending observation: one index look-up per workspace."""
    return f"""
    WITH RECURSIVE waiting AS (
      (
        SELECT o.workspace_id AS id FROM lightfast.observations o WHERE {pending}
        ORDER BY o.workspace_id LIMIT 1
      )
      UNION ALL
      SELECT (
        SELECT o.workspace_id FROM lightfast.observations o
        WHERE o.workspace_id > w.id AND {pending} ORDER BY o.workspace_id LIMIT 1
      ) FROM waiting w WHERE w.id IS NOT NULL
    )
    SELECT id FROM waiting WHERE id IS NOT NULL
    """


class PendingPages:
    """The pages of one run, of rows (id, workspace, day, further columns).

    `pending` is a condition over an observation `o`, and `parameters` are those it needs.
    """

    def __init__(
        self,
        *,
        pending: LiteralString,
        parameters: Mapping[str, Any],
        columns: LiteralString = "",
        lock: LiteralString = "",
    ) -> None:
        self._parameters = parameters
        self._workspaces = _workspaces_with(pending)
        self._page: LiteralString = f"""
        SELECT o.id, o.workspace_id, p.day {columns}
        FROM unnest(%(workspaces)s::bigint[], %(after)s::bigint[]) AS w (id, after)
        CROSS JOIN LATERAL (
          SELECT o.id, d.day FROM lightfast.observations o LEFT JOIN {PARTITION_DAY} ON true
          WHERE o.workspace_id = w.id AND o.id > w.after AND {pending} AND {ON_THE_DAYS}
          ORDER BY o.id LIMIT %(share)s
        ) p
        JOIN lightfast.observations o ON o.id = p.id
        ORDER BY o.id {lock}
        """
        self._after: dict[int, int] = {}
        self._pages: Counter[int] = Counter()
        self._exhausted: set[int] = set()

    def next(self, conn: Connection, days: Sequence[date] | None, limit: int) -> StagePage:
        """At most `limit` rows in order of their ids; none when nothing is pending any more."""
        while True:
            with_work = [row[0] for row in conn.execute(self._workspaces, self._parameters)]
            remaining = [workspace for workspace in with_work if workspace not in self._exhausted]
            if not remaining:
                return []
            # The workspaces that have had the fewest pages come first.
            served = sorted(remaining, key=lambda workspace: (self._pages[workspace], workspace))
            served = served[:limit]
            page = conn.execute(
                self._page,
                {
                    **self._parameters,
                    "workspaces": served,
                    "after": [self._after.get(workspace, 0) for workspace in served],
                    "days": None if days is None else list(days),
                    "share": max(1, limit // len(served)),
                },
            ).fetchall()
            self._pages.update(served)
            for observation, workspace, *_ in page:
                self._after[workspace] = observation
            self._exhausted.update(set(served) - {row[1] for row in page})
            if page:
                return page

    def skip(self, workspaces: Collection[int]) -> None:
        """Leaves these workspaces out of the rest of the run."""
        self._exhausted.update(workspaces)
