"""The only definition, as SQL, of which work is pending for the stages after capture.

What a stage has no result for waits in its queue, which triggers fill when an observation is new or changes.
So finding work costs as much as there is work. What has a result of another model or of older rules is
looked for only where there is any. Work that a stage gave up after several failures is not pending. The
parameters are `model` (the embedder's name) and `cluster_rules` (a version).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import LiteralString

from lightfast_pipelines.domain.views import RULE_VERSION as VIEW_RULES
from lightfast_pipelines.store.stage_failures import observation_given_up, workspace_given_up


@dataclass(frozen=True, slots=True)
class PendingObservations:
    """What a stage has to work on: two items of a FROM clause, rows `o` (id, workspace_id).

    `queue`: observations without any result. `outdated`: those with a result that is not of the current
    model or rules, and not in the queue. `not_given_up` is a condition over `o`.
    """

    queue: LiteralString
    outdated: LiteralString
    not_given_up: LiteralString

    @property
    def without_result(self) -> LiteralString:
        """A query for what has no result yet, which costs as much as there is."""
        return f"SELECT o.id, o.workspace_id FROM {self.queue} WHERE {self.not_given_up}"

    @property
    def pending(self) -> LiteralString:
        """A query for all of it."""
        return f"""
        {self.without_result}
        UNION ALL
        SELECT o.id, o.workspace_id FROM {self.outdated} WHERE {self.not_given_up}
        """


OTHER_LOCAL_MODELS: LiteralString = """
(
  WITH RECURSIVE models AS (
    SELECT min(model) AS model FROM lightfast.observation_vectors WHERE view = 'title'
    UNION ALL
    SELECT (SELECT min(v.model) FROM lightfast.observation_vectors v
            WHERE v.view = 'title' AND v.model > m.model)
    FROM models m WHERE m.model IS NOT NULL
  )
  SELECT model FROM models
  WHERE model <> %(model)s AND model NOT IN (SELECT model FROM lightfast.hosted_models)
)
"""
"""A query for the local models but the current one that have made vectors: a look-up in an index per model,
however many vectors there are."""

# Whether another local model, or an older rule, has made vectors.
HAS_OTHER_VECTORS: LiteralString = f"""
(
  SELECT EXISTS {OTHER_LOCAL_MODELS}
    OR EXISTS (
      SELECT FROM lightfast.observation_vectors
      WHERE view = 'title' AND model = %(model)s AND rule_version < {VIEW_RULES})
)
"""

# Whether the observation `o` has no vector of the current local model, although it should.
WITHOUT_CURRENT_VECTOR: LiteralString = f"""
NOT o.is_deleted AND NOT EXISTS (
  SELECT FROM lightfast.observation_vectors v
  WHERE v.observation_id = o.id AND v.view = 'title' AND v.model = %(model)s
    AND v.rule_version >= {VIEW_RULES})
"""

TO_EMBED = PendingObservations(
    queue="(SELECT observation_id AS id, workspace_id FROM lightfast.embedding_queue) o",
    # Reads every observation, but only if there are other vectors.
    outdated=f"""(
      SELECT o.id, o.workspace_id FROM lightfast.observation_facts o
      WHERE {HAS_OTHER_VECTORS} AND {WITHOUT_CURRENT_VECTOR}
        AND NOT EXISTS (SELECT FROM lightfast.embedding_queue q WHERE q.observation_id = o.id)
    ) o""",
    not_given_up=f"NOT {observation_given_up('embeddings', '%(model)s')}",
)

TO_CLUSTER = PendingObservations(
    queue="(SELECT observation_id AS id, workspace_id FROM lightfast.cluster_queue) o",
    outdated="""(
      SELECT m.observation_id AS id, m.workspace_id FROM lightfast.cluster_members m
      WHERE m.rule_version < %(cluster_rules)s
    ) o""",
    not_given_up=f"NOT {observation_given_up('clusters', '%(cluster_rules)s::text')}",
)

# A workspace whose clusters have to be decided again, by its row `k` of consolidation_marks.
TO_CONSOLIDATE: LiteralString = f"""
  (k.changes <> k.consolidated OR k.rule_version < %(cluster_rules)s)
  AND NOT {workspace_given_up("consolidation", "k.workspace_id", "%(cluster_rules)s::text")}
"""

# `d.day` is the partition of an observation `o`: the earliest day of the payloads that state it.
PARTITION_DAY: LiteralString = """
  LATERAL (
    SELECT min(r.partition_date) AS day
    FROM lightfast.observation_sources s JOIN lightfast.raw_payloads r ON r.id = s.raw_payload_id
    WHERE s.observation_id = o.id
  ) d
"""
# Whether that day is one of the parameter `days`, where these are given.
ON_THE_DAYS: LiteralString = "(%(days)s::date[] IS NULL OR d.day = ANY(%(days)s::date[]))"
