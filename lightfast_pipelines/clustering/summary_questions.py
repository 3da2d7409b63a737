"""Asks a language model about clusters whose summary quotes only, the most recent first.

The summary that the local rule wrote stays until there is an answer that its members bear out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from lightfast_pipelines.clustering.summaries import members_of, rewrite_summaries
from lightfast_pipelines.domain.language_summaries import PURPOSE, content_hash, shown_members
from lightfast_pipelines.language.asking import Asker, AskingReport, Clock, ask_while_possible
from lightfast_pipelines.language.parts import ask_in_parts, requests_about
from lightfast_pipelines.language.port import Language
from lightfast_pipelines.language.summaries import (
    MOST_CLUSTERS,
    PROMPT_VERSION,
    SUMMARIES,
    ClusterContent,
)
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.model_answers import store_answers, waits_for_no_attempt
from lightfast_pipelines.store.significance import THRESHOLD

_PAGE = 10 * MOST_CLUSTERS

# A cluster without a significant member is read by its quotes.
_DUE = f"""
SELECT c.workspace_id, c.id
FROM lightfast.workspaces w CROSS JOIN LATERAL (
  SELECT c.* FROM lightfast.clusters c
  WHERE c.workspace_id = w.id AND c.question_hash IS NOT NULL
    AND EXISTS (
      SELECT FROM lightfast.cluster_members m JOIN lightfast.observations o ON o.id = m.observation_id
      WHERE m.cluster_id = c.id AND NOT o.is_deleted AND o.significance_score >= {THRESHOLD})
    AND {waits_for_no_attempt("c")}
  ORDER BY c.last_observation_at DESC, c.id LIMIT %(share)s
) c
ORDER BY c.last_observation_at DESC, c.id
"""


@dataclass(slots=True)
class SummaryQuestions(AskingReport):
    """Clusters that were asked about, that got sentences, and problems of those that did not."""

    written: int = 0


def ask_for_summaries(
    conn: Connection,
    language: Language,
    *,
    clock: Clock,
    max_clusters: int = 400,
    progress: Callable[[int], object] = lambda _count: None,
) -> SummaryQuestions:
    """Asks about at most `max_clusters` clusters. The caller holds the lock of the summaries."""
    report = SummaryQuestions()

    def work(asker: Asker) -> None:
        while report.asked < max_clusters and (page := _page(conn, clock)):
            requests = requests_about(SUMMARIES, page)
            for part, answers in ask_in_parts(asker, SUMMARIES, requests):
                store_answers(conn, PURPOSE, PROMPT_VERSION, asker.model.name, answers, clock())
                rewrite_summaries(conn, [item.cluster_id for item in part], clock())
                conn.commit()
                report.asked += len(part)
                report.written += sum(answer.problem is None for answer in answers)
                report.fallbacks.update(a.problem for a in answers if a.problem is not None)
                progress(len(part))

    ask_while_possible(conn, language, PURPOSE, clock, report, work)
    return report


def summaries_due(conn: Connection, clock: Clock) -> int:
    """The number of clusters that a model could be asked about now, counted up to 40 a workspace."""
    return len(_due(conn, clock()))


def _due(conn: Connection, now: datetime) -> list[tuple[int, str]]:
    """(workspace, cluster) of a page."""
    return conn.execute(
        _DUE,
        {"purpose": PURPOSE, "version": PROMPT_VERSION, "now": now, "share": _PAGE},
    ).fetchall()


def _page(conn: Connection, clock: Clock) -> list[ClusterContent]:
    workspaces = {cluster: workspace for workspace, cluster in _due(conn, clock())}
    page = []
    for cluster, members in members_of(conn, list(workspaces)).items():
        shown = shown_members(members)
        key = (workspaces[cluster], content_hash(shown))
        page.append(ClusterContent(cluster, key, shown, tuple(members)))
    conn.rollback()
    return page
