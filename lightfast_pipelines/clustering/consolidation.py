"""Decides, for every workspace that changed, who is who and which observations belong together.

The input is the whole set of observations, without their provisional clusters, so the result does not
depend on the order in which things arrived. Only rows that differ are written.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import LiteralString

from lightfast_pipelines.capture.garbage import without_collection
from lightfast_pipelines.clustering.cluster_rows import MembershipChanges, replace_clusters
from lightfast_pipelines.clustering.similarity import VectorMeaning, load_vectors
from lightfast_pipelines.clustering.workspace_facts import (
    read_clock,
    read_happenings,
    read_items,
    read_links,
    status_of,
)
from lightfast_pipelines.domain.clusters import RULE_VERSION
from lightfast_pipelines.domain.consolidation import decide, find_threads
from lightfast_pipelines.embedding.embedder import EmbeddingModel
from lightfast_pipelines.inbox.isolation import WorkspaceIsolation
from lightfast_pipelines.inbox.workspace_report import SHOWN_ROWS
from lightfast_pipelines.people.organisations import PeopleReport, decide_people
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.locks import hold_clusters
from lightfast_pipelines.store.pending_work import TO_CONSOLIDATE


@dataclass(slots=True)
class ConsolidationReport:
    """Counts over the decided workspaces.

    `moved` counts observations whose cluster or thread changed, `failures` failed attempts.
    """

    people: PeopleReport
    workspaces: int = 0
    observations: int = 0
    clusters: int = 0
    moved: int = 0
    created: int = 0
    removed: int = 0
    failures: int = 0
    seconds: float = 0.0
    preview: list[dict[str, object]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Decided:
    """The decision about one workspace."""

    observations: int
    clusters: int
    written: MembershipChanges
    preview: list[dict[str, object]]


_DUE: LiteralString = f"""
SELECT w.id, w.org_id, w.slug
FROM lightfast.consolidation_marks k JOIN lightfast.workspaces w ON w.id = k.workspace_id
WHERE w.org_id <> ALL(%(undecided)s) AND (%(force)s OR ({TO_CONSOLIDATE}))
-- The least work first: a workspace too large for one run would otherwise hold up all others.
ORDER BY k.changes - k.consolidated, w.org_id, w.slug
"""


def consolidate(
    conn: Connection,
    model: EmbeddingModel,
    *,
    now: datetime,
    progress: Callable[[int], object] = lambda _count: None,
    force: bool = False,
) -> ConsolidationReport:
    """Decides actors, then the clusters of each due workspace (all with `force`) in its own transaction.

    `model` is the one whose vectors say what is similar. The caller holds the stage's lock; `progress`
    gets the number of observations of each workspace. Clusters of an organisation whose actors could
    not be decided wait until these are decided or given up.
    """
    began = time.monotonic()
    people = decide_people(conn, now=now, force=force)
    report = ConsolidationReport(people)
    # Read after the actors: merging people makes every workspace due in which they wrote.
    due = conn.execute(
        _DUE,
        {"force": force, "cluster_rules": RULE_VERSION, "undecided": list(people.undecided)},
    ).fetchall()
    conn.commit()
    workspaces = WorkspaceIsolation[_Decided](conn, "consolidation", str(RULE_VERSION))
    work = {
        workspace_id: partial(_consolidate, conn, workspace_id, org_id, slug, now, model)
        for workspace_id, org_id, slug in due
    }
    for decided in workspaces.run(work, lambda decided: progress(decided.observations)):
        _add(report, decided)
    report.failures = people.failures + workspaces.failures
    report.seconds = time.monotonic() - began
    return report


def _add(report: ConsolidationReport, decided: _Decided) -> None:
    report.workspaces += 1
    report.observations += decided.observations
    report.clusters += decided.clusters
    report.moved += decided.written.members
    report.created += decided.written.created
    report.removed += decided.written.removed
    report.preview += decided.preview[: SHOWN_ROWS - len(report.preview)]


@without_collection()
def _consolidate(
    conn: Connection,
    workspace_id: int,
    org_id: str,
    slug: str,
    now: datetime,
    model: EmbeddingModel,
) -> _Decided:
    hold_clusters(conn, workspace_id)
    # Read first, so that whatever capture adds from now on makes the workspace due again.
    row = conn.execute(
        "SELECT changes FROM lightfast.consolidation_marks WHERE workspace_id = %s", (workspace_id,)
    ).fetchone()
    material = read_happenings(conn, workspace_id)
    threads = find_threads(material.happenings, read_links(conn, workspace_id))
    meaning = VectorMeaning(
        load_vectors(conn, workspace_id, model.name, material.ids, model.dimensions),
        [happening.at for happening in material.happenings],
        threads.unit_of,
        len(threads.units),
    )
    clusters = decide(org_id, slug, material.happenings, threads, meaning)
    items, clock = read_items(conn, workspace_id), read_clock(conn, workspace_id)
    statuses = [status_of(cluster, material.happenings, items, clock) for cluster in clusters]
    written = replace_clusters(conn, workspace_id, material, threads.keys, clusters, statuses, now)
    conn.execute(
        """
        UPDATE lightfast.consolidation_marks SET consolidated = %s, rule_version = %s
        WHERE workspace_id = %s
        """,
        (row[0] if row else 0, RULE_VERSION, workspace_id),
    )
    largest = sorted(clusters, key=lambda cluster: (-len(cluster.members), cluster.id))
    preview: list[dict[str, object]] = [
        {
            "label": cluster.label,
            "keywords": ", ".join(cluster.keywords),
            "workspace": slug,
            "observations": len(cluster.members),
        }
        for cluster in largest[:SHOWN_ROWS]
    ]
    return _Decided(len(material.ids), len(clusters), written, preview)
