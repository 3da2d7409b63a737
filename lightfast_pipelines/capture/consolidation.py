"""Decides anew, for every workspace that changed, who is who and which observations belong together.

Sets in, differences out: what a daily run assigned provisionally is no input, so the result does
not depend on the order in which things arrived.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from lightfast_pipelines.capture.happenings import read_happenings, read_links
from lightfast_pipelines.capture.meaning import VectorMeaning, load_vectors
from lightfast_pipelines.capture.membership import replace_clusters
from lightfast_pipelines.capture.people import decide_actors
from lightfast_pipelines.capture.ports import EmbeddingModel
from lightfast_pipelines.domain.clusters import RULE_VERSION
from lightfast_pipelines.domain.consolidation import decide, find_threads
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.locks import hold_clusters

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class ConsolidationReport:
    """Counts over the workspaces decided; `moved` observations got another cluster or thread."""

    workspaces: int = 0
    identities: int = 0
    actors: int = 0
    observations: int = 0
    clusters: int = 0
    moved: int = 0
    created: int = 0
    removed: int = 0
    seconds: float = 0.0
    preview: list[dict[str, object]] = field(default_factory=list)


_DUE = """
SELECT w.id, w.org_id, w.slug
FROM lightfast.consolidation_marks k JOIN lightfast.workspaces w ON w.id = k.workspace_id
WHERE %(force)s OR k.changes <> k.consolidated OR k.rule_version < %(version)s
ORDER BY w.org_id, w.slug
"""


def consolidate(
    conn: Connection,
    model: EmbeddingModel,
    *,
    now: datetime,
    progress: Callable[[int], None] | None = None,
    force: bool = False,
) -> ConsolidationReport:
    """Actors, then clusters of each workspace that is due (all with `force`), each its own transaction.

    `model` is the one whose vectors say what is alike. The caller holds the job's lock;
    `progress` gets the number of observations of each workspace.
    """
    began = time.monotonic()
    report = ConsolidationReport()
    parameters = {"force": force, "version": RULE_VERSION}
    organisations = sorted({org for _, org, _ in conn.execute(_DUE, parameters).fetchall()})
    conn.commit()
    failed: list[Exception] = []
    for organisation in organisations:
        try:
            people = decide_actors(conn, organisation, now=now)
            conn.commit()
        except Exception as error:
            _leave(conn, failed, error, "who is who", organisation)
            continue
        report.identities += people.identities
        report.actors += people.actors
    # Asked again: a merge of people makes every workspace due in which they wrote.
    due = conn.execute(_DUE, parameters).fetchall()
    conn.commit()
    for workspace_id, org_id, slug in due:
        try:
            with conn.transaction():
                observations = _consolidate(conn, workspace_id, org_id, slug, now, report, model)
            conn.commit()
        except Exception as error:
            _leave(conn, failed, error, "clusters", f"{org_id}/{slug}")
            continue
        report.workspaces += 1
        report.observations += observations
        if progress is not None:
            progress(observations)
    report.seconds = time.monotonic() - began
    if failed and not report.workspaces:
        raise failed[0]
    return report


def _leave(
    conn: Connection, failed: list[Exception], error: Exception, what: str, whose: str
) -> None:
    """What fails for one tenant stays due, and is tried again with the next run."""
    if conn.closed:
        raise error
    conn.rollback()
    failed.append(error)
    _log.error("%s of %s could not be decided: %r", what, whose, type(error))


def _consolidate(
    conn: Connection,
    workspace_id: int,
    org_id: str,
    slug: str,
    now: datetime,
    report: ConsolidationReport,
    model: EmbeddingModel,
) -> int:
    hold_clusters(conn, workspace_id)
    # Read first: what capture adds from here on makes the workspace due again.
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
    written = replace_clusters(conn, workspace_id, material, threads.keys, clusters, now)
    conn.execute(
        """
        UPDATE lightfast.consolidation_marks SET consolidated = %s, rule_version = %s
        WHERE workspace_id = %s
        """,
        (row[0] if row else 0, RULE_VERSION, workspace_id),
    )
    report.clusters += len(clusters)
    report.moved += written.members
    report.created += written.created
    report.removed += written.removed
    largest = sorted(clusters, key=lambda cluster: (-len(cluster.members), cluster.id))
    report.preview += [
        {
            "label": cluster.label,
            "keywords": ", ".join(cluster.keywords),
            "workspace": slug,
            "observations": len(cluster.members),
        }
        for cluster in largest[: 10 - len(report.preview)]
    ]
    return len(material.ids)
