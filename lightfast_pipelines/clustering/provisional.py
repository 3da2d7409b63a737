"""Gives new observations a provisional cluster at once. Consolidation later ignores it and decides.

An observation joins the cluster that its thread already has, else the cluster of the nearest
observation of the same author on the same files within a day. Otherwise its thread becomes a new
cluster. Workspaces take turns, so that none waits for all of another's backlog. The stage finds its
work in the tables, so a run that is killed loses nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import LiteralString

from lightfast_pipelines.clustering.cluster_rows import cluster_row, upsert_clusters, write_members
from lightfast_pipelines.clustering.nearby import (
    clusters_of_things,
    links_around,
    nearest_clusters,
)
from lightfast_pipelines.clustering.workspace_facts import (
    Material,
    read_clock,
    read_happenings,
    status_of,
)
from lightfast_pipelines.domain.clusters import RULE_VERSION
from lightfast_pipelines.domain.consolidation import describe, titled
from lightfast_pipelines.domain.labels import Labeller
from lightfast_pipelines.domain.threads import is_standing, thread_keys, thread_of
from lightfast_pipelines.inbox.isolation import ObservationStage
from lightfast_pipelines.inbox.paged_stage import PageBounds, PagesReport, work_through
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.locks import hold_clusters, try_hold_clusters
from lightfast_pipelines.store.pending_work import ON_THE_DAYS, PARTITION_DAY, TO_CLUSTER
from lightfast_pipelines.store.stage_pages import PendingPages, StagePage
from lightfast_pipelines.store.time_limit import TimeLimit

_TIME_LIMIT = TimeLimit()

BATCH_OBSERVATIONS = 5_000

# Members that older rules decided; an index finds them where there are any.
_OF_OLDER_RULES: LiteralString = f"""
SELECT o.id, o.workspace_id, d.day
FROM {TO_CLUSTER.outdated} LEFT JOIN {PARTITION_DAY} ON true
WHERE o.id > %(after)s AND {TO_CLUSTER.not_given_up} AND {ON_THE_DAYS}
ORDER BY o.id LIMIT %(limit)s
"""

# Observations that these rules clustered.
_WITNESSES: LiteralString = """
SELECT observation_id FROM lightfast.cluster_members WHERE rule_version = %s LIMIT %s
"""

_GROW = """
UPDATE lightfast.clusters c
SET observation_count = c.observation_count + n.added,
    first_observation_at = least(c.first_observation_at, n.first),
    last_observation_at = greatest(c.last_observation_at, n.last)
FROM unnest(%s::text[], %s::integer[], %s::timestamptz[], %s::timestamptz[])
  AS n (id, added, first, last)
WHERE c.id = n.id
"""


@dataclass(slots=True)
class ClusterReport(PagesReport):
    """What a run assigned: new clusters, and observations that joined an existing one."""

    clusters: int = 0
    joined: int = 0
    left_out: bool = False
    """Whether it left out workspaces whose clusters another process is deciding."""


def assign_provisional(
    conn: Connection,
    *,
    days: Sequence[date] | None = None,
    max_rows: int,
    progress: Callable[[int], object] = lambda _count: None,
    between: Callable[[], None] = lambda: None,
    time_limit: TimeLimit = _TIME_LIMIT,
    waits: bool = True,
) -> ClusterReport:
    """Assigns at most `max_rows` pending observations (of these partition days), one transaction a batch.

    The caller holds the stage's lock; `between` is called after each batch but the last. Without `waits`
    it leaves out the workspaces whose clusters another process is deciding.
    """
    report = ClusterReport()

    def assign(page: StagePage, ids: Sequence[int]) -> None:
        # One transaction for all workspaces: the one that read the page holds their locks.
        _assign_all(
            conn, ids, {observation: workspace for observation, workspace, _ in page}, report
        )

    def try_out(observation: int) -> None:
        row = conn.execute(
            "SELECT workspace_id FROM lightfast.observation_facts WHERE id = %s", (observation,)
        ).fetchone()
        if row is not None:
            _assign(conn, row[0], [observation])

    def witnesses(limit: int) -> list[int]:
        return [row[0] for row in conn.execute(_WITNESSES, (RULE_VERSION, limit))]

    stage = ObservationStage("clusters", str(RULE_VERSION), witnesses, try_out)
    bounds = PageBounds(BATCH_OBSERVATIONS, max_rows, progress, between, time_limit)
    pages = _ClusterPages(days, waits=waits)
    work_through(conn, stage, pages.next, assign, report, bounds)
    report.left_out = pages.left_out
    return report


def _unclustered_pages() -> PendingPages:
    return PendingPages(stage=TO_CLUSTER, parameters={"cluster_rules": RULE_VERSION})


class _ClusterPages:
    """Pages of (observation, workspace, day): first those without a cluster, then those of older rules.

    Workspaces whose clusters another process is deciding come last; their pages wait for its lock, or are
    left out without `waits`.
    """

    def __init__(self, days: Sequence[date] | None, *, waits: bool) -> None:
        self.left_out = False
        self._waits = waits
        self._days = days
        self._after = 0
        self._unclustered: PendingPages | None = _unclustered_pages()
        self._is_patient = False
        self._has_skipped = False

    def next(self, conn: Connection, limit: int) -> StagePage:
        while self._unclustered is not None:
            page = self._unclustered.next(conn, self._days, limit)
            free = self._lock(conn, {row[1] for row in page})
            if page and not free:
                continue
            if page:
                return [row for row in page if row[1] in free]
            self.left_out = self._has_skipped and not self._waits
            # Once more for the skipped workspaces, now waiting for their locks.
            again = self._has_skipped and self._waits
            self._unclustered = _unclustered_pages() if again else None
            self._is_patient, self._has_skipped = True, False
        return self._of_older_rules(conn, limit)

    def _lock(self, conn: Connection, workspaces: Set[int]) -> set[int]:
        """Locks these workspaces' clusters for this transaction; returns the workspaces that it locked."""
        if self._is_patient:
            for workspace in sorted(workspaces):
                hold_clusters(conn, workspace)
            return set(workspaces)
        held = {workspace for workspace in sorted(workspaces) if try_hold_clusters(conn, workspace)}
        if self._unclustered is not None and held != workspaces:
            self._unclustered.skip(workspaces - held)
            self._has_skipped = True
        return held

    def _of_older_rules(self, conn: Connection, limit: int) -> StagePage:
        [(oldest,)] = conn.execute(
            "SELECT min(rule_version) FROM lightfast.cluster_members"
        ).fetchall()
        if oldest is None or oldest >= RULE_VERSION:
            return []
        page = conn.execute(
            _OF_OLDER_RULES,
            {
                "cluster_rules": RULE_VERSION,
                "after": self._after,
                "days": None if self._days is None else list(self._days),
                "limit": limit,
            },
        ).fetchall()
        if page:
            self._after = page[-1][0]
            self._is_patient = True
            self._lock(conn, {row[1] for row in page})
        return page


def _assign_all(
    conn: Connection, ids: Sequence[int], workspace_of: dict[int, int], report: ClusterReport
) -> None:
    by_workspace: dict[int, list[int]] = defaultdict(list)
    for observation in ids:
        by_workspace[workspace_of[observation]].append(observation)
    clusters = joined = 0
    for workspace, observations in sorted(by_workspace.items()):
        created, joined_count = _assign(conn, workspace, observations)
        clusters += created
        joined += joined_count
    # Counted at the end, as a page that fails is assigned again in halves.
    report.clusters += clusters
    report.joined += joined


def _assign(conn: Connection, workspace_id: int, ids: Sequence[int]) -> tuple[int, int]:
    """Returns (new clusters, observations that joined an existing one)."""
    hold_clusters(conn, workspace_id)
    material = read_happenings(conn, workspace_id, ids)
    subjects = {happening.subject_key for happening in material.happenings}
    things = {subject for subject in subjects if not is_standing(subject)}
    threads = thread_keys(subjects, links_around(conn, workspace_id, things))
    groups: dict[str, list[int]] = defaultdict(list)
    for position, happening in enumerate(material.happenings):
        thread = thread_of(happening.subject_key, happening.source_id, threads)
        groups[thread].append(position)
    cluster_of = _existing(conn, workspace_id, material, threads, groups)
    joining = {thread: groups[thread] for thread in groups if thread in cluster_of}
    new = {thread: groups[thread] for thread in groups if thread not in cluster_of}
    if new:
        cluster_of |= _create(conn, workspace_id, material, new)
    write_members(
        conn,
        workspace_id,
        (
            (
                material.ids[position],
                cluster_of[thread],
                thread,
                material.memberships[position].is_provisional is not False,
            )
            for thread, positions in groups.items()
            for position in positions
        ),
    )
    _grow(conn, material, joining, cluster_of)
    return len(new), sum(map(len, joining.values()))


def _create(
    conn: Connection,
    workspace_id: int,
    material: Material,
    threads: Mapping[str, Sequence[int]],
) -> dict[str, str]:
    """Makes a cluster of each of these threads; returns thread -> cluster."""
    labeller = Labeller(map(titled, material.happenings))
    org_id, slug = _workspace(conn, workspace_id)
    clock = read_clock(conn, workspace_id)
    cluster_of: dict[str, str] = {}
    rows = []
    for thread, positions in threads.items():
        cluster = describe(org_id, slug, material.happenings, positions, labeller)
        cluster_of[thread] = cluster.id
        # Consolidation looks at the states of its items.
        status = status_of(cluster, material.happenings, {}, clock)
        rows.append(cluster_row(workspace_id, cluster, status, provisional=True))
    upsert_clusters(conn, rows)
    return cluster_of


def _grow(
    conn: Connection,
    material: Material,
    joining: Mapping[str, Sequence[int]],
    cluster_of: Mapping[str, str],
) -> None:
    """Adds what these observations add to the clusters they join. Counting all members again would cost
    more with each one."""
    added: Counter[str] = Counter()
    times: dict[str, list[float]] = defaultdict(list)
    for thread, positions in joining.items():
        cluster = cluster_of[thread]
        for position in positions:
            if material.memberships[position].cluster_id != cluster:
                added[cluster] += 1
            times[cluster].append(material.happenings[position].at)
    clusters = sorted(times)
    conn.execute(
        _GROW,
        (
            clusters,
            [added[cluster] for cluster in clusters],
            [datetime.fromtimestamp(min(times[cluster]), UTC) for cluster in clusters],
            [datetime.fromtimestamp(max(times[cluster]), UTC) for cluster in clusters],
        ),
    )


def _existing(
    conn: Connection,
    workspace_id: int,
    material: Material,
    threads: dict[str, str],
    groups: dict[str, list[int]],
) -> dict[str, str]:
    """thread -> the existing cluster that it joins: its own, else the nearest one."""
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    for thread, positions in groups.items():
        # Members that older rules decided stay where they are until consolidation decides again.
        former = (material.memberships[position].cluster_id for position in positions)
        votes[thread].update(cluster for cluster in former if cluster is not None)
    things = [key for key in threads if not is_standing(key)]
    for key, cluster, count in clusters_of_things(conn, workspace_id, things):
        votes[threads[key]][cluster] += count
    cluster_by_thread = {
        thread: min(votes[thread], key=lambda cluster: (-votes[thread][cluster], cluster))
        for thread in groups
        if votes.get(thread)
    }
    first = {
        material.ids[groups[thread][0]]: thread
        for thread in groups
        if thread not in cluster_by_thread
    }
    nearest = nearest_clusters(conn, workspace_id, first)
    cluster_by_thread.update(
        (first[observation], cluster) for observation, cluster in nearest.items()
    )
    return cluster_by_thread


def _workspace(conn: Connection, workspace_id: int) -> tuple[str, str]:
    """(organisation, slug)"""
    row = conn.execute(
        "SELECT org_id, slug FROM lightfast.workspaces WHERE id = %s", (workspace_id,)
    ).fetchone()
    assert row is not None
    return row[0], row[1]
