"""Pages of the observations that wait in a stage's queue, shared equally among the workspaces.

So a small tenant's observations are done with the first page, however large another's backlog is. Only
waiting rows are read, through the queue's index by workspace.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any, LiteralString

from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.pending_work import ON_THE_DAYS, PARTITION_DAY, PendingObservations

StagePage = list[tuple[Any, ...]]


def _workspaces_with(stage: PendingObservations) -> LiteralString:
    """A query for the workspaces that have a waiting observation: one index look-up per workspace."""
    return f"""
    WITH RECURSIVE waiting AS (
      (
        SELECT o.workspace_id AS id FROM {stage.queue} WHERE {stage.not_given_up}
        ORDER BY o.workspace_id LIMIT 1
      )
      UNION ALL
      SELECT (
        SELECT o.workspace_id FROM {stage.queue}
        WHERE o.workspace_id > w.id AND {stage.not_given_up} ORDER BY o.workspace_id LIMIT 1
      ) FROM waiting w WHERE w.id IS NOT NULL
    )
    SELECT id FROM waiting WHERE id IS NOT NULL
    """


class PendingPages:
    """The pages of one run, of rows (id, workspace, day, further columns).

    `parameters` are those that the stage's conditions need; `columns` and `lock` are of the observation `o`.
    """

    def __init__(
        self,
        *,
        stage: PendingObservations,
        parameters: Mapping[str, Any],
        columns: LiteralString = "",
        lock: LiteralString = "",
    ) -> None:
        self._parameters = parameters
        self._workspaces = _workspaces_with(stage)
        self._page: LiteralString = f"""
        SELECT o.id, o.workspace_id, p.day {columns}
        FROM unnest(%(workspaces)s::bigint[], %(after)s::bigint[]) AS w (id, after)
        CROSS JOIN LATERAL (
          SELECT o.id, d.day FROM {stage.queue} LEFT JOIN {PARTITION_DAY} ON true
          WHERE o.workspace_id = w.id AND o.id > w.after AND {stage.not_given_up} AND {ON_THE_DAYS}
          ORDER BY o.id LIMIT %(share)s
        ) p
        JOIN lightfast.observation_facts o ON o.id = p.id
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
