"""Writes summaries of clusters that have none, or whose members changed since it was written.

A workspace is due when its clusters were decided again. The rule is in `domain/summaries.py`.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import msgspec

from lightfast_pipelines.clustering.model_sentences import model_sentences
from lightfast_pipelines.domain.summaries import (
    FEWEST_MEMBERS,
    RULE_VERSION,
    Member,
    Sentence,
    is_outdated,
    summarize,
)
from lightfast_pipelines.inbox.isolation import WorkspaceIsolation
from lightfast_pipelines.inbox.workspace_report import SHOWN_ROWS, WorkspacesReport
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.locks import hold_clusters
from lightfast_pipelines.store.stage_failures import workspace_given_up

# Clusters whose members are in memory at once.
_BATCH = 200


@dataclass(slots=True)
class SummaryReport(WorkspacesReport):
    """Counts over the workspaces that were due.

    `clusters` have five members or more, `written` summaries are new, `removed` ones belonged to clusters
    that became too small, `failures` are failed attempts; `preview` holds labels and counts.
    """

    clusters: int = 0


@dataclass(frozen=True, slots=True)
class Summary:
    """A cluster's summary, and the question to a language model that is open."""

    cluster: str
    label: str
    keywords: Sequence[str]
    sentences: tuple[Sentence, ...]
    question_hash: str | None


# Both rules count: clusters may be decided again without any change in the workspace.
_RULES = "k.rule_version || '/' || %(rules)s"

_DUE = f"""
SELECT k.workspace_id, k.consolidated, {_RULES}
FROM lightfast.consolidation_marks k JOIN lightfast.workspaces w ON w.id = k.workspace_id
WHERE %(force)s OR (
  (k.summarized <> k.consolidated OR k.summary_rules <> {_RULES})
  AND NOT {workspace_given_up("summaries", "w.id", "%(rules)s::text")})
-- The least work first: a workspace too large for one run would otherwise hold up all others.
ORDER BY k.consolidated - k.summarized, w.org_id, w.slug
"""

_CLUSTERS = """
SELECT c.id, array_agg(o.external_id), c.summary_citations
FROM lightfast.clusters c
JOIN lightfast.cluster_members m ON m.cluster_id = c.id
JOIN lightfast.observations o ON o.id = m.observation_id
WHERE c.workspace_id = %s AND NOT o.is_deleted
GROUP BY c.id HAVING count(*) >= %s
ORDER BY c.id
"""

_MEMBERS = """
SELECT m.cluster_id, o.external_id, o.subject_key, o.source_type,
       extract(epoch FROM o.occurred_at)::float8, o.title, left(o.content, 4000),
       coalesce(a.display_name, i.source_name, i.source_username),
       coalesce(a.kind, i.kind, '') = 'bot', md5(o.title || E'\\x1f' || o.content)
FROM lightfast.cluster_members m
JOIN lightfast.observations o ON o.id = m.observation_id
LEFT JOIN lightfast.actor_identities i ON i.id = coalesce(o.author_identity_id, o.actor_identity_id)
LEFT JOIN lightfast.actors a ON a.id = i.actor_id
WHERE m.cluster_id = ANY(%s) AND NOT o.is_deleted
ORDER BY m.cluster_id
"""

_LABELS = """
SELECT id, topic_label, keywords FROM lightfast.clusters WHERE id = ANY(%s) ORDER BY id
"""

# Clusters whose summary quotes an observation that was deleted or whose text has changed since.
_STALE = """
SELECT DISTINCT cluster_id FROM lightfast.summary_sentences
WHERE workspace_id = %s AND position > 1 AND is_stale
"""


def workspaces_due(conn: Connection) -> int:
    """The number of workspaces whose clusters were decided again after their summaries were written."""
    return len(conn.execute(_DUE, {"force": False, "rules": RULE_VERSION}).fetchall())


def summarize_clusters(
    conn: Connection,
    *,
    now: datetime,
    progress: Callable[[int], object] = lambda _count: None,
    force: bool = False,
) -> SummaryReport:
    """Writes the summaries of every due workspace (all again with `force`), one transaction a batch.

    The caller holds the stage's lock. `now` only stamps the rows. `progress` gets the number of
    clusters of each batch.
    """
    began = time.monotonic()
    report = SummaryReport()
    due = conn.execute(_DUE, {"force": force, "rules": RULE_VERSION}).fetchall()
    conn.commit()
    workspaces = WorkspaceIsolation[SummaryReport](
        conn, "summaries", str(RULE_VERSION), in_one_transaction=False
    )
    for summarized in workspaces.run(
        {
            workspace_id: partial(
                _summarize, conn, workspace_id, consolidated, rules, now, progress, force=force
            )
            for workspace_id, consolidated, rules in due
        }
    ):
        report.add(summarized)
        report.clusters += summarized.clusters
    report.failures = workspaces.failures
    report.seconds = time.monotonic() - began
    return report


def _summarize(
    conn: Connection,
    workspace_id: int,
    consolidated: int,
    rules: str,
    now: datetime,
    progress: Callable[[int], object],
    *,
    force: bool,
) -> SummaryReport:
    report = SummaryReport(workspaces=1)
    outdated = _outdated(conn, workspace_id, report, force)
    for start in range(0, len(outdated), _BATCH):
        batch = outdated[start : start + _BATCH]
        with conn.transaction():
            hold_clusters(conn, workspace_id)
            _write(conn, list(_summaries(conn, workspace_id, batch, report)), now, report)
        conn.commit()
        progress(len(batch))
    report.removed += _remove(conn, workspace_id)
    conn.execute(
        """
        UPDATE lightfast.consolidation_marks SET summarized = %s, summary_rules = %s
        WHERE workspace_id = %s
        """,
        (consolidated, rules, workspace_id),
    )
    conn.commit()
    return report


def _outdated(conn: Connection, workspace_id: int, report: SummaryReport, force: bool) -> list[str]:
    """The clusters whose summary has to be written, in order of their ids."""
    outdated = []
    stale = {cluster for (cluster,) in conn.execute(_STALE, (workspace_id,))}
    with conn.cursor("lightfast_summaries") as cursor:
        cursor.itersize = 1_000
        for cluster, members, citations in cursor.execute(
            _CLUSTERS, (workspace_id, FEWEST_MEMBERS)
        ):
            report.clusters += 1
            cited = frozenset(citations[0]["observations"]) if citations else None
            if force or cited is None or cluster in stale or is_outdated(cited, frozenset(members)):
                outdated.append(cluster)
    conn.commit()
    return outdated


def members_of(conn: Connection, clusters: Sequence[str]) -> dict[str, list[Member]]:
    """The members of each of these clusters, without deleted ones."""
    rows = conn.execute(_MEMBERS, (list(clusters),)).fetchall()
    return {
        cluster: [Member(*row[1:]) for row in group]
        for cluster, group in itertools.groupby(rows, key=lambda row: row[0])
    }


def rewrite_summaries(conn: Connection, clusters: Sequence[str], now: datetime) -> None:
    """Writes the summaries of these clusters anew, with what a language model says about them by now.

    The caller commits.
    """
    workspaces = conn.execute(
        "SELECT workspace_id, array_agg(id) FROM lightfast.clusters WHERE id = ANY(%s) GROUP BY 1",
        (list(clusters),),
    ).fetchall()
    for workspace_id, ids in workspaces:
        hold_clusters(conn, workspace_id)
        report = SummaryReport()
        _write(conn, list(_summaries(conn, workspace_id, ids, report)), now, report)


def _summaries(
    conn: Connection, workspace_id: int, clusters: Sequence[str], report: SummaryReport
) -> Iterator[Summary]:
    """The local rule's summary of each cluster; a model's sentences take the place of its quotes."""
    members = members_of(conn, clusters)
    report.observations += sum(map(len, members.values()))
    by_model = model_sentences(conn, workspace_id, members)
    for cluster, label, keywords in conn.execute(_LABELS, (list(members),)).fetchall():
        counted, *quotes = summarize(members[cluster], keywords)
        written = by_model[cluster]
        sentences = (counted, *(written.sentences or quotes))
        yield Summary(cluster, label, keywords, sentences, written.question_hash)


def _write(
    conn: Connection, summaries: Sequence[Summary], now: datetime, report: SummaryReport
) -> None:
    report.written += conn.execute(
        """
        UPDATE lightfast.clusters c
        SET summary = n.summary, summary_citations = n.citations, summary_generated_at = %s,
            question_hash = n.question_hash
        FROM unnest(%s::text[], %s::text[], %s::jsonb[], %s::text[])
          AS n (id, summary, citations, question_hash)
        WHERE c.id = n.id
        """,
        (
            now,
            [summary.cluster for summary in summaries],
            [" ".join(sentence.text for sentence in summary.sentences) for summary in summaries],
            [_citations(summary.sentences) for summary in summaries],
            [summary.question_hash for summary in summaries],
        ),
    ).rowcount
    largest = sorted(
        summaries, key=lambda each: (-len(each.sentences[0].observations), each.cluster)
    )
    report.preview += [
        {
            "label": summary.label,
            "keywords": ", ".join(summary.keywords),
            "observations": len(summary.sentences[0].observations),
            "sentences": len(summary.sentences),
        }
        for summary in largest[: SHOWN_ROWS - len(report.preview)]
    ]


def _citations(sentences: Sequence[Sentence]) -> str:
    return msgspec.json.encode(
        [
            {
                "sentence": sentence.text,
                "observations": sentence.observations,
                **({"text_hash": sentence.text_hash} if sentence.text_hash else {}),
            }
            for sentence in sentences
        ]
    ).decode()


def _remove(conn: Connection, workspace_id: int) -> int:
    """Removes the summaries of clusters that have fewer than five members now."""
    return conn.execute(
        """
        UPDATE lightfast.clusters c
        SET summary = NULL, summary_citations = '[]', summary_generated_at = NULL,
            question_hash = NULL
        WHERE c.workspace_id = %s AND c.summary IS NOT NULL
          AND (SELECT count(*) FROM lightfast.cluster_members m
               JOIN lightfast.observations o ON o.id = m.observation_id
               WHERE m.cluster_id = c.id AND NOT o.is_deleted) < %s
        """,
        (workspace_id, FEWEST_MEMBERS),
    ).rowcount
