"""The only definition, as SQL conditions, of which work is pending for the stages after capture.

Work that a stage gave up after several failures is not pending. The parameters of the conditions are
`model` (the embedder's name) and `cluster_rules` (a version).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import LiteralString

from lightfast_pipelines.domain.views import RULE_VERSION as VIEW_RULES
from lightfast_pipelines.store.stage_failures import observation_given_up, workspace_given_up


@dataclass(frozen=True, slots=True)
class PendingObservations:
    """Conditions over an observation `o` that a stage has to work on.

    `missing`: the stage has no result for it. A partial index holds just these rows, as capture and
    the stages keep the columns up to date.
    `not_current`: there is no result of the current model or rules. Reads every observation.
    """

    missing: LiteralString
    not_current: LiteralString
    not_given_up: LiteralString

    @property
    def missing_and_pending(self) -> LiteralString:
        return f"{self.missing} AND {self.not_given_up}"

    @property
    def not_current_and_pending(self) -> LiteralString:
        return f"{self.not_current} AND {self.not_given_up}"


# A deleted observation gets no vector.
TO_EMBED = PendingObservations(
    missing="o.embedding_title_id IS NULL AND NOT o.is_deleted",
    not_current=f"""NOT o.is_deleted AND NOT EXISTS (
      SELECT FROM lightfast.observation_vectors v
      WHERE v.observation_id = o.id AND v.view = 'title' AND v.model = %(model)s
        AND v.rule_version >= {VIEW_RULES})""",
    not_given_up=f"NOT {observation_given_up('embeddings', '%(model)s')}",
)

TO_CLUSTER = PendingObservations(
    missing="o.cluster_id IS NULL",
    not_current="""NOT EXISTS (
      SELECT FROM lightfast.cluster_members m
      WHERE m.observation_id = o.id AND m.rule_version >= %(cluster_rules)s)""",
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
