"""One sweep: of one kind of things of one resource, within its share of the limits.

What is not listed is asked for alone; where the share does not reach for that, what two whole sweeps
did not find is gone. A deletion is written as the webhook would have told it, so that it can be
rebuilt from raw payloads. Which sweeps there are, and when each is run, stands in `sweeps.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlsplit

from lightfast_pipelines.provider_api.client import ApiClient, CallFailedError
from lightfast_pipelines.provider_api.ports import Apis
from lightfast_pipelines.provider_api.sources import delivery_of, place_of
from lightfast_pipelines.providers import discover
from lightfast_pipelines.providers.api_contract import Answer, AnswerOutcome, Call, Record
from lightfast_pipelines.providers.malformed_body import MalformedBody
from lightfast_pipelines.providers.recovery_contract import IdSweep, Known, Merging
from lightfast_pipelines.store import activity
from lightfast_pipelines.store import sweeps as store
from lightfast_pipelines.store.backfills import Source
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.deliveries import insert_deliveries

_UNREADABLE = (LookupError, TypeError, AttributeError, ValueError)
# An hour, where a provider has not said what its limit is.
_UNTOLD_REQUESTS = 1_000
_SAVED_EVERY = 10
# What is there but not listed is not asked about again for so long.
_ALIVE_FOR = timedelta(days=7)
# More than this share gone at once, of more than this many: only what was asked for counts.
_MANY_SHARE, _MANY = 0.5, 20
_GONE = (404, 410)
# For legal reasons: it is there, and nobody may see it.
_WITHHELD = (451,)


@dataclass(slots=True)
class SweepReport:
    """What came of one kind of things of one resource. `cost` is by the provider's rate limit."""

    source: Source
    kind: str
    status: str = "whole"
    known: int = 0
    listed: int = 0
    asked: int = 0
    gone: list[str] = field(default_factory=list)
    left: int = 0
    """Not listed, and not decided on yet."""
    requests: int = 0
    cost: dict[str, float] = field(default_factory=dict)
    error: str | None = None

    def shown(self) -> dict[str, object]:
        return {
            "resource": self.source.name,
            "kind": self.kind,
            "status": self.status,
            "known": self.known,
            "listed": self.listed,
            "asked_alone": self.asked,
            "gone": len(self.gone),
            "undecided": self.left,
            "requests": self.requests,
            "error": self.error,
        }


@dataclass(frozen=True, slots=True)
class Sweeping:
    """What sweeps need. `share` is of what each rate limit lets through in an hour."""

    database: Database
    apis: Apis
    clock: Callable[[], datetime]
    first_day: date
    share: float
    actor: str


class _ShareUsedError(Exception):
    """The hour's share is used up: the sweep goes on in the next."""


class SweepRun:
    """What `sweeps.sweep` runs, holding its lock."""

    def __init__(
        self,
        sweeping: Sweeping,
        conn: Connection,
        api: ApiClient,
        source: Source,
        kind: IdSweep,
        report: SweepReport,
    ) -> None:
        self._with, self._conn, self._api = sweeping, conn, api
        self._source, self._kind, self._report = source, kind, report
        self._place = place_of(source)
        self._standing = store.load(conn, source.integration_id, kind.kind)
        self._nothing: str | None = None
        self._unsaved_requests = 0
        self._unsaved_cost: dict[str, float] = {}
        self._merged: dict[str, Record] = {}

    def run(self) -> None:
        if not self._standing.is_active:
            self._report.status = "off"
            return
        try:
            self._list()
            self._decide()
        except _ShareUsedError:
            self._report.status = "paused"
            self._save()
        except CallFailedError as error:
            self._conn.rollback()
            self._save(error=error.message)
            raise
        except _UNREADABLE as error:
            self._conn.rollback()
            self._report.status = "failed"
            self._report.error = f"not of a known form: {str(error)[:200]}"
            self._save(error=self._report.error)

    def _list(self) -> None:
        """What there is; from where the last run left off."""
        standing = self._standing
        if standing.started_at is None:
            standing.started_at = self._with.clock()
            standing.cursor, standing.seen, standing.gone = None, set(), {}
        pages = 0
        while True:
            answer = self._ask(self._kind.call(self._place, standing.cursor))
            if answer.nothing is not None:
                self._nothing = answer.nothing
                return
            listed = self._kind.read(self._place, standing.cursor, answer)
            standing.seen.update(listed.keys)
            standing.gone |= {
                key: since.isoformat() if since else None for key, since in listed.gone.items()
            }
            if listed.next is not None and dict(listed.next) == standing.cursor:
                raise ValueError("the list repeats its cursor")
            if listed.next is None:
                return
            standing.cursor = dict(listed.next)
            pages += 1
            if pages % _SAVED_EVERY == 0:
                self._save()

    def _decide(self) -> None:
        """What of the known is gone, after a whole list."""
        standing, report, now = self._standing, self._report, self._with.clock()
        held = self._kind.held(self._place)
        known = store.held(
            self._conn,
            self._source.org_id,
            self._source.provider,
            self._source.resource_id,
            prefix=held.prefix,
            source_type=held.source_type,
            of_parts=held.of_parts,
            before=standing.started_at or now,
        )
        report.known, report.listed = len(known), len(standing.seen)
        told = {key: since for key, since in standing.gone.items() if key in known}
        alive = {
            key: at
            for key, at in standing.alive.items()
            if key in known and now - datetime.fromisoformat(at) < _ALIVE_FOR
        }
        missing = sorted(known - standing.seen - told.keys() - alive.keys())
        gone: dict[str, datetime | None] = {
            key: datetime.fromisoformat(since) if since else None for key, since in told.items()
        }
        undecided, absent_twice = set(missing), set[str]()
        try:
            if missing and (self._nothing is not None or not standing.seen):
                report.error = self._why_empty(len(missing))
            if report.error is None:
                is_many = len(missing) > max(_MANY, _MANY_SHARE * len(known))
                absent_twice = set() if is_many else undecided & standing.missing
                for things, found in self._looked_at(missing, known & standing.seen):
                    gone |= found
                    undecided -= {one.key for one in things}
                    alive |= {one.key: now.isoformat() for one in things if one.key not in found}
        except _ShareUsedError:
            gone |= dict.fromkeys(absent_twice & undecided)
            undecided -= absent_twice
        self._write(gone, now)
        report.left = len(undecided)
        standing.missing, standing.alive = undecided, alive
        standing.cursor, standing.started_at, standing.seen, standing.gone = None, None, set(), {}
        self._save(found=len(report.gone), finished_at=now, error=report.error)

    def _why_empty(self, missing: int) -> str | None:
        """Why the list is empty though the memory holds something, if not because all of it is gone."""
        call, reason = self._kind.resource(self._place), self._nothing
        if call is not None and reason is None:
            reason = self._kind.why_empty(self._place, self._ask(call))
        if reason is None:
            return None
        return f"the list is empty, but {reason}: none of {missing:,} is taken to be deleted"

    def _looked_at(
        self, keys: Sequence[str], there: Set[str]
    ) -> Iterator[tuple[list[Known], Mapping[str, datetime | None]]]:
        """Asks for the things alone, as many a request as the provider takes: those that it spoke
        about, and which of them are gone.

        What it does not let us look at counts as being there. Before the first thing counts as gone,
        one of those that were just listed (`there`) is asked for in the same way: where that is
        missing too, the answers say nothing about the others.
        """
        many, is_sure = self._kind.confirm_many, False
        for start in range(0, len(keys), many):
            things = self._known(keys[start : start + many])
            found = self._found(things)
            if found and not is_sure:
                self._make_sure(there)
                is_sure = True
            self._report.asked += len(things)
            yield things, found

    def _found(self, things: Sequence[Known]) -> Mapping[str, datetime | None]:
        try:
            call = self._kind.confirm(self._place, things)
            answer = self._ask(call)
            if answer.status in _WITHHELD or _is_elsewhere(call, answer):
                return {}
            is_gone = call.of_one and answer.status in _GONE
            found = self._kind.gone(self._place, things, None if is_gone else answer)
            if found and not is_gone and isinstance(self._kind, Merging):
                self._keep_merged(self._kind, [one for one in things if one.key in found], answer)
            return found
        except CallFailedError as error:
            if error.outcome not in (AnswerOutcome.FORBIDDEN, AnswerOutcome.INVALID):
                raise
            reason = error.message
        except _UNREADABLE as error:
            reason = str(error)[:200]
        self._report.error = f"{things[0].key} could not be looked at: {reason}"
        return {}

    def _keep_merged(self, kind: Merging, things: Sequence[Known], answer: Answer) -> None:
        for thing in things:
            record = kind.merged(self._place, thing, answer, self._with.clock())
            if record is not None:
                self._merged[thing.key] = record

    def _make_sure(self, there: Set[str]) -> None:
        """Raises CallFailedError where a thing that was listed is said to be missing as well."""
        if not there:
            return
        listed = self._known([max(there)])
        if self._found(listed):
            raise CallFailedError(
                AnswerOutcome.MISSING,
                f"{listed[0].key} is listed, and missing when it is asked for alone: the credential "
                "may not read single things, or the resource was deleted meanwhile; nothing is taken "
                "to be deleted",
            )

    def _known(self, keys: Sequence[str]) -> list[Known]:
        held = self._kind.held(self._place)
        found = store.last_payloads(
            self._conn,
            self._source.org_id,
            keys,
            source_type=held.source_type,
            of_parts=held.of_parts,
        )
        self._conn.rollback()
        provider = discover()[self._source.provider]
        known = []
        for key in keys:
            last = found.get(key)
            payload = {}
            if last is not None and last.body is not None:
                try:
                    payload = provider.decode(last.body, last.headers)
                except MalformedBody:
                    payload = {}
            name, event = (last.name, last.event_type) if last else (None, "")
            known.append(Known(key, name, event, payload))
        return known

    def _write(self, gone: dict[str, datetime | None], now: datetime) -> None:
        """Their deletions into the inbox, each once. Does not commit."""
        source, deliveries = self._source, []
        for thing in self._known(sorted(gone)):
            # By the second, as the providers write times.
            at = (gone[thing.key] or now).astimezone(UTC).replace(microsecond=0)
            try:
                merged = self._merged.get(thing.key)
                record = merged or self._kind.record(self._place, thing, at)
            except _UNREADABLE as error:
                self._report.error = f"{thing.key} is gone, and cannot be told: {error}"
                continue
            deliveries.append(
                delivery_of(
                    record,
                    source.provider,
                    (source.installation_id, source.org_id),
                    "api",
                    first_day=self._with.first_day,
                    now=now,
                )
            )
            self._report.gone.append(thing.key)
        ids = [one.delivery_id for one in deliveries]
        waits = store.waiting(self._conn, source.org_id, source.provider, ids)
        insert_deliveries(self._conn, [one for one in deliveries if one.delivery_id not in waits])
        if deliveries:
            self._tell()

    def _tell(self) -> None:
        gone = self._report.gone
        more = f" and {len(gone) - 5:,} more" if len(gone) > 5 else ""
        message = (
            f"{len(gone):,} of kind {self._kind.kind} of {self._source.name} are gone: "
            f"{', '.join(gone[:5])}{more}"
        )
        activity.record(
            self._conn,
            "sweep.found",
            self._with.actor,
            message,
            org_id=self._source.org_id,
            workspace_id=self._source.workspace_id,
            provider=self._source.provider,
            subject=self._source.name,
            detail={"gone": len(gone), "kind": self._kind.kind},
        )

    def _ask(self, call: Call) -> Answer:
        """Within the share. Raises _ShareUsedError, CallFailedError."""
        an_hour = self._api.budget.left(call.pool).limit_an_hour
        if an_hour is None:
            an_hour = _UNTOLD_REQUESTS * call.cost
        used = store.spent(self._conn, self._source.installation_id, call.pool)
        self._conn.rollback()
        used += self._unsaved_cost.get(call.pool, 0.0)
        if used + call.cost > self._with.share * an_hour:
            raise _ShareUsedError
        spent = self._api.spent
        before = (spent.requests, spent.cost)
        try:
            return self._api.ask(call)
        finally:
            cost = spent.cost - before[1]
            requests = spent.requests - before[0]
            self._report.requests += requests
            self._unsaved_requests += requests
            for costs in (self._unsaved_cost, self._report.cost):
                costs[call.pool] = costs.get(call.pool, 0.0) + cost

    def _save(
        self, *, found: int = 0, finished_at: datetime | None = None, error: str | None = None
    ) -> None:
        store.save(
            self._conn,
            self._source.integration_id,
            self._kind.kind,
            self._standing,
            requests=self._unsaved_requests,
            cost=self._unsaved_cost,
            found=found,
            finished_at=finished_at,
            error=error,
        )
        self._conn.commit()
        self._unsaved_requests, self._unsaved_cost = 0, {}


def _is_elsewhere(call: Call, answer: Answer) -> bool:
    """Whether the thing moved to another resource, as a transferred issue does: there it lives on, or
    is not seen by this credential."""
    if call.method != "GET" or not answer.url or "://" in call.path:
        return False
    return not urlsplit(answer.url).path.endswith("/" + call.path.lstrip("/"))
