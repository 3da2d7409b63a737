"""What waits, by stage and by day: the queue is the tables themselves.

The sensor asks which days to run, `status`, `process` and `digest` how much there is. Nothing here
changes a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.stage_failures import observation_given_up, workspace_given_up

# Locks (store/locks.py) of the stages of a `memory` run, in their order.
STAGE_LOCKS = ("capture", "embeddings", "clusters")

# Observations looked at for missing vectors or memberships; the rest is found when these are done.
_OLDEST = 5_000
_NEWEST = 1_000


@dataclass(frozen=True, slots=True)
class DayWork:
    """A day that has work: deliveries that wait, observations without vector, without cluster.

    The last two are counted among the oldest 5,000 and the newest 1,000 such observations only.
    """

    day: date
    deliveries: int = 0
    unembedded: int = 0
    unclustered: int = 0

    @property
    def rows(self) -> int:
        return self.deliveries + max(self.unembedded, self.unclustered)


@dataclass(frozen=True, slots=True)
class DaysWithWork:
    """Days in order. `complete` is false where a bound cut the count short, so more may wait."""

    days: tuple[DayWork, ...]
    complete: bool

    def __bool__(self) -> bool:
        return bool(self.days)


@dataclass(frozen=True, slots=True)
class Backlog:
    """How much waits, exactly: deliveries, observations per stage, workspaces to consolidate."""

    deliveries: int
    unembedded: int
    unclustered: int
    workspaces: int

    @property
    def total(self) -> int:
        return self.deliveries + self.unembedded + self.unclustered + self.workspaces


_NOT_GIVEN_UP_EMBEDDED = f"NOT {observation_given_up('embeddings', '%(model)s')}"
_NOT_GIVEN_UP_CLUSTERED = f"NOT {observation_given_up('clusters', '%(rule_version)s::text')}"

_QUEUE = "SELECT partition_date, count(*) FROM lightfast.raw_queue GROUP BY partition_date"

# Cheap: partial indexes hold only what waits. Capture and the stages clear these columns.
# What is deleted gets no vector, and waits for none.
_UNEMBEDDED = f"o.embedding_title_id IS NULL AND NOT o.is_deleted AND {_NOT_GIVEN_UP_EMBEDDED}"
_UNCLUSTERED = f"o.cluster_id IS NULL AND {_NOT_GIVEN_UP_CLUSTERED}"

# Exact: also what an older model or rule made. Reads an index of every observation.
_UNEMBEDDED_EXACTLY = f"""
  NOT o.is_deleted AND {_NOT_GIVEN_UP_EMBEDDED} AND NOT EXISTS (
    SELECT FROM lightfast.observation_vectors v
    WHERE v.observation_id = o.id AND v.view = 'title' AND v.model = %(model)s
  )
"""
_UNCLUSTERED_EXACTLY = f"""
  {_NOT_GIVEN_UP_CLUSTERED} AND NOT EXISTS (
    SELECT FROM lightfast.cluster_members m
    WHERE m.observation_id = o.id AND m.rule_version >= %(rule_version)s
  )
"""

# A workspace whose clusters are to be decided anew.
_DUE = f"""
  (m.changes <> m.consolidated OR m.rule_version < %(rule_version)s)
  AND NOT {workspace_given_up("consolidation", "m.workspace_id", "%(rule_version)s::text")}
"""

_BY_DAY = """
WITH pending AS (
  (SELECT o.id FROM lightfast.observations o WHERE {condition} ORDER BY o.id LIMIT {oldest})
  UNION
  (SELECT o.id FROM lightfast.observations o WHERE {condition} ORDER BY o.id DESC LIMIT {newest})
)
SELECT d.day, count(*)
FROM pending p
CROSS JOIN LATERAL (
  SELECT min(r.partition_date) AS day
  FROM lightfast.observation_sources s
  JOIN lightfast.raw_payloads r ON r.id = s.raw_payload_id
  WHERE s.observation_id = p.id
) d
WHERE d.day IS NOT NULL
GROUP BY d.day
"""


def days_with_work(
    conn: Connection, *, model: str, cluster_rule_version: int, exactly: bool = False
) -> DaysWithWork:
    """The days on which a row waits, a vector is missing or a membership is missing.

    Without `exactly` only what has no vector or cluster at all counts: milliseconds over a million
    observations. With it also what another model or an older rule made, which reads them all.
    """
    parameters = {"model": model, "rule_version": cluster_rule_version}
    counts: list[dict[date, int]] = [
        dict(conn.execute(_QUEUE).fetchall()),
        *(
            dict(
                conn.execute(
                    _BY_DAY.format(condition=condition, oldest=_OLDEST, newest=_NEWEST), parameters
                ).fetchall()
            )
            for condition in (
                (_UNEMBEDDED_EXACTLY, _UNCLUSTERED_EXACTLY)
                if exactly
                else (_UNEMBEDDED, _UNCLUSTERED)
            )
        ),
    ]
    queue, unembedded, unclustered = counts
    days = tuple(
        DayWork(day, queue.get(day, 0), unembedded.get(day, 0), unclustered.get(day, 0))
        for day in sorted(queue.keys() | unembedded.keys() | unclustered.keys())
    )
    counted = max(sum(unembedded.values()), sum(unclustered.values()))
    return DaysWithWork(days, complete=counted < _OLDEST)


def waiting(conn: Connection, *, model: str, cluster_rule_version: int) -> Backlog:
    """Exact counts of what waits in each stage."""
    row = conn.execute(
        f"""
        SELECT
          (SELECT count(*) FROM lightfast.raw_queue),
          (SELECT count(*) FROM lightfast.observations o WHERE {_UNEMBEDDED_EXACTLY}),
          (SELECT count(*) FROM lightfast.observations o WHERE {_UNCLUSTERED_EXACTLY}),
          (SELECT count(*) FROM lightfast.consolidation_marks m WHERE {_DUE})
        """,
        {"model": model, "rule_version": cluster_rule_version},
    ).fetchone()
    assert row is not None
    return Backlog(*row)


def oldest_days(conn: Connection, before: date) -> dict[int | None, date]:
    """Lane of the queue (None: not looked at yet) -> the first of its days that wait, if before that."""
    return dict(
        conn.execute(
            """
            SELECT lane, min(partition_date) FROM lightfast.raw_queue
            WHERE partition_date < %s GROUP BY lane
            """,
            (before,),
        ).fetchall()
    )


def queued(conn: Connection, days: Sequence[date]) -> int:
    """Deliveries of these days that wait."""
    row = conn.execute(
        "SELECT count(*) FROM lightfast.raw_queue WHERE partition_date = ANY(%s)", (list(days),)
    ).fetchone()
    return int(row[0]) if row else 0


def workspaces_due(conn: Connection, *, cluster_rule_version: int) -> int:
    """Workspaces that changed, or whose rules did, since actors and clusters were decided."""
    row = conn.execute(
        f"SELECT count(*) FROM lightfast.consolidation_marks m WHERE {_DUE}",
        {"rule_version": cluster_rule_version},
    ).fetchone()
    return int(row[0]) if row else 0


def cluster_sizes(conn: Connection) -> dict[str, int]:
    """Size class (`1`, `2-3`, `4-7`, ...) -> clusters of it, in order of size."""
    return _sizes(conn, "clusters")


def profile_sizes(conn: Connection) -> dict[str, int]:
    """Size class (`1`, `2-3`, `4-7`, ...) -> profiles of it, by observations, in order of size."""
    return _sizes(conn, "actor_profiles")


def summary_sizes(conn: Connection) -> dict[int, int]:
    """Number of sentences -> summaries of so many, in order."""
    return dict(
        conn.execute(
            """
            SELECT jsonb_array_length(summary_citations) AS sentences, count(*)
            FROM lightfast.clusters WHERE summary IS NOT NULL GROUP BY 1 ORDER BY 1
            """
        ).fetchall()
    )


def _sizes(conn: Connection, table: str) -> dict[str, int]:
    rows = conn.execute(
        f"""
        SELECT floor(log(2, greatest(observation_count, 1)))::integer AS class, count(*)
        FROM lightfast.{table} GROUP BY class ORDER BY class
        """
    ).fetchall()
    return {("1" if power == 0 else f"{2**power}-{2 ** (power + 1) - 1}"): n for power, n in rows}
