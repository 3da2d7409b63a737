"""Reads whether what the latest summaries say is in the observations that they cite."""

from __future__ import annotations

from lightfast_pipelines.domain.citations import is_supported
from lightfast_pipelines.store.checks import Breach
from lightfast_pipelines.store.database import Connection

# Sentences that quote. The first of each summary counts its members and quotes none.
_LATEST = """
SELECT s.cluster_id, s.position, s.sentence,
       array_agg(o.title || E'\\n' || o.content) FILTER (WHERE o.id IS NOT NULL)
FROM (
  SELECT id FROM lightfast.clusters WHERE summary_generated_at IS NOT NULL
  ORDER BY summary_generated_at DESC, id LIMIT %s
) c
JOIN lightfast.summary_sentences s ON s.cluster_id = c.id AND s.position > 1 AND NOT s.is_stale
LEFT JOIN lightfast.observations o
  ON o.external_id = ANY(s.observations) AND o.workspace_id = s.workspace_id
GROUP BY 1, 2, 3
"""
_EXAMPLES = 5


def sentences_without_support(conn: Connection, summaries: int) -> tuple[Breach, int]:
    """The sentences that their observations do not contain, and how many sentences were checked.

    Checks the latest `summaries` summaries. Stale sentences do not count: they are about to be replaced.
    """
    rows = conn.execute(_LATEST, (summaries,)).fetchall()
    conn.rollback()
    unsupported = [
        f"cluster {cluster}, sentence {position}: {reason}"
        for cluster, position, sentence, texts in rows
        for is_contained, reason in [is_supported(sentence, texts or ())]
        if not is_contained
    ]
    return Breach(len(unsupported), tuple(sorted(unsupported)[:_EXAMPLES])), len(rows)
