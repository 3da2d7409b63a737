"""What a single payload states about a fact or an event, in one workspace."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lightfast_pipelines.capture.raw_payloads import RawPayload
from lightfast_pipelines.capture.routing import RoutedPayloads
from lightfast_pipelines.capture.writers.occurrences import EventKey
from lightfast_pipelines.domain.events import Statement
from lightfast_pipelines.domain.folding import StatementSource

# Workspace and source_id of an observation.
FactKey = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Stated:
    """A statement, with the payload that makes it and the workspace in which it holds."""

    workspace_id: int
    raw: RawPayload
    statement: Statement
    rule_version: int

    @property
    def fact(self) -> FactKey:
        return self.workspace_id, self.statement.source_id

    @property
    def event(self) -> EventKey | None:
        """The event of a series that it states; None if it states anything else."""
        occurrence = self.statement.occurrence
        if occurrence is None or occurrence.restart:
            return None
        return self.workspace_id, occurrence.series, occurrence.event_id

    @property
    def source(self) -> StatementSource:
        """The source, by which folding orders statements."""
        return StatementSource(
            self.raw.ingestion_source, self.raw.received_at, self.raw.body_sha256
        )


def statements_of(routed: RoutedPayloads) -> Iterator[Stated]:
    """Every statement of these payloads, in each workspace that wants it."""
    raws = {payload.raw.id: payload.raw for payload in routed.payloads}
    for outcome in routed.outcomes:
        if outcome.workspace_id is None:
            continue
        for statement in outcome.statements:
            raw = raws[outcome.raw_payload_id]
            yield Stated(outcome.workspace_id, raw, statement, outcome.rule_version)
