"""Asks whether entities that a sweep did not list are gone, one by one or a few at a time.

Any other answer deletes nothing: an entity may be hidden or moved to another resource, or the answer
may be about something else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from datetime import datetime
from urllib.parse import urlsplit

from lightfast_pipelines.provider_api.client import CallFailedError
from lightfast_pipelines.provider_api.sources import place_of
from lightfast_pipelines.providers import discover
from lightfast_pipelines.providers.api_contract import Answer, AnswerOutcome, Call, Record
from lightfast_pipelines.providers.malformed_body import MalformedBody
from lightfast_pipelines.providers.recovery_contract import IdSweep, KnownEntity, MergingSweep
from lightfast_pipelines.recovery.cycle import UNREADABLE
from lightfast_pipelines.recovery.sweep_cycle import SharedBudget, SweepReport
from lightfast_pipelines.store import sweeps as store
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.sources import Source

_GONE = (404, 410)
# For legal reasons: it exists, but nobody may see it.
_WITHHELD = 451


class Confirmation:
    """Confirms what one sweep found missing. `merged` are entities that became part of another one."""

    def __init__(
        self,
        conn: Connection,
        budget: SharedBudget,
        source: Source,
        kind: IdSweep,
        report: SweepReport,
        now: datetime,
    ) -> None:
        self._conn, self._budget, self._source, self._kind = conn, budget, source, kind
        self._report, self._now = report, now
        self._place = place_of(source)
        self.merged: dict[str, Record] = {}

    def confirm(
        self, missing: Sequence[str], listed: Set[str]
    ) -> Iterator[tuple[list[KnownEntity], Mapping[str, datetime | None]]]:
        """Yields the entities of each request, as many as the provider accepts, and those that are
        gone.

        An entity that may not be read counts as existing. Before the first entity counts as gone, one
        that was just listed is requested in the same way: if that is missing too, the answers prove
        nothing.
        """
        many, is_sure = self._kind.confirm_many, False
        for start in range(0, len(missing), many):
            entities = self.entities(missing[start : start + many])
            gone = self._gone(entities)
            if gone and not is_sure:
                self._make_sure(listed)
                is_sure = True
            self._report.asked += len(entities)
            yield entities, gone

    def entities(self, keys: Sequence[str]) -> list[KnownEntity]:
        """The stored entities of these keys, with the latest payload about each."""
        scope = self._kind.scope(self._place)
        latest = store.latest_payloads(
            self._conn,
            self._source.org_id,
            keys,
            source_type=scope.source_type,
            of_parts=scope.of_parts,
        )
        self._conn.rollback()
        return [self._entity(key, latest.get(key)) for key in keys]

    def _entity(self, key: str, latest: store.LatestPayload | None) -> KnownEntity:
        if latest is None:
            return KnownEntity(key, None, "", {})
        payload = {}
        if latest.body is not None:
            try:
                payload = discover()[self._source.provider].decode(latest.body, latest.headers)
            except MalformedBody:
                payload = {}
        return KnownEntity(key, latest.name, latest.event_type, payload)

    def _gone(self, entities: Sequence[KnownEntity]) -> Mapping[str, datetime | None]:
        try:
            call = self._kind.confirm(self._place, entities)
            answer = self._budget.ask(call)
            if answer.status == _WITHHELD or _moved_elsewhere(call, answer):
                return {}
            is_gone = call.of_one and answer.status in _GONE
            gone = self._kind.gone(self._place, entities, None if is_gone else answer)
            if not is_gone and isinstance(self._kind, MergingSweep):
                self._note_merged(
                    self._kind, [entity for entity in entities if entity.key in gone], answer
                )
            return gone
        except CallFailedError as error:
            if error.outcome not in (AnswerOutcome.FORBIDDEN, AnswerOutcome.INVALID):
                raise
            reason = error.message
        except UNREADABLE as error:
            reason = str(error)[:200]
        self._report.error = f"{entities[0].key} could not be looked at: {reason}"
        return {}

    def _note_merged(
        self, kind: MergingSweep, entities: Sequence[KnownEntity], answer: Answer
    ) -> None:
        for entity in entities:
            record = kind.merged(self._place, entity, answer, self._now)
            if record is not None:
                self.merged[entity.key] = record

    def _make_sure(self, listed: Set[str]) -> None:
        """Raises CallFailedError if an entity that was listed is reported missing as well."""
        if not listed:
            return
        control = self.entities([max(listed)])
        if self._gone(control):
            raise CallFailedError(
                AnswerOutcome.MISSING,
                f"{control[0].key} is listed, and missing when it is asked for alone: the credential "
                "may not read single things, or the resource was deleted meanwhile; nothing is taken "
                "to be deleted",
            )


def _moved_elsewhere(call: Call, answer: Answer) -> bool:
    """Whether the answer is from another resource, as for a transferred issue: the entity exists there,
    or this credential cannot see it."""
    if call.method != "GET" or not answer.url or "://" in call.path:
        return False
    return not urlsplit(answer.url).path.endswith("/" + call.path.lstrip("/"))
