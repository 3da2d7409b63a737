"""One sweep: of one kind of entities of one resource, within its share of the limits.

It lists what exists, confirms what is missing from the list, and writes each deletion as a webhook
would have reported it, so that it can be rebuilt from raw payloads. If the share does not suffice to
confirm, what two complete sweeps did not list counts as gone.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from lightfast_pipelines.provider_api.client import ApiClient, CallFailedError
from lightfast_pipelines.provider_api.sources import delivery_of, place_of
from lightfast_pipelines.providers.recovery_contract import IdSweep
from lightfast_pipelines.recovery.confirmation import Confirmation
from lightfast_pipelines.recovery.cycle import UNREADABLE
from lightfast_pipelines.recovery.sweep_cycle import (
    SharedBudget,
    ShareUsedError,
    SweepCycle,
    SweepReport,
)
from lightfast_pipelines.store import activity
from lightfast_pipelines.store import sweeps as store
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.deliveries import insert_deliveries
from lightfast_pipelines.store.sources import Source

_SAVED_EVERY_PAGES = 10
# How long an entity that exists but is not listed is not asked for again.
_ALIVE_FOR = timedelta(days=7)
# If more than this share and more than this many are missing, two sweeps are not enough: each entity
# has to be confirmed.
_MANY_SHARE, _MANY = 0.5, 20


class SweepRun:
    """One sweep; the caller holds its lock."""

    def __init__(
        self,
        cycle: SweepCycle,
        conn: Connection,
        api: ApiClient,
        source: Source,
        kind: IdSweep,
        report: SweepReport,
    ) -> None:
        self._cycle, self._conn = cycle, conn
        self._source, self._kind, self._report = source, kind, report
        self._place = place_of(source)
        self._budget = SharedBudget(conn, api, source, cycle.share, report)
        self._state = store.load(conn, source.integration_id, kind.kind)

    def run(self) -> None:
        if not self._state.is_active:
            self._report.status = "off"
            return
        try:
            nothing = self._list()
            self._decide(nothing)
        except ShareUsedError:
            self._report.status = "paused"
            self._save()
        except CallFailedError as error:
            self._conn.rollback()
            self._save(error=error.message)
            raise
        except UNREADABLE as error:
            self._conn.rollback()
            self._report.status = "failed"
            self._report.error = f"not of a known form: {str(error)[:200]}"
            self._save(error=self._report.error)

    def _list(self) -> str | None:
        """Lists what exists from where the last run stopped; returns the provider's reason if there is
        nothing."""
        state, now = self._state, self._cycle.clock()
        # A start in the future was recorded while the clock was ahead.
        if state.started_at is None or state.started_at > now:
            state.started_at = now
            state.cursor, state.seen, state.gone = None, set(), {}
        pages = 0
        while True:
            answer = self._budget.ask(self._kind.call(self._place, state.cursor))
            if answer.nothing is not None:
                return answer.nothing
            page = self._kind.read(self._place, state.cursor, answer)
            state.seen.update(page.keys)
            state.gone |= {
                key: since.isoformat() if since else None for key, since in page.gone.items()
            }
            if page.next is None:
                return None
            if dict(page.next) == state.cursor:
                raise ValueError("the list repeats its cursor")
            state.cursor = dict(page.next)
            pages += 1
            if pages % _SAVED_EVERY_PAGES == 0:
                self._save()

    def _decide(self, nothing: str | None) -> None:
        """Decides, once the list is complete, which stored entities are gone, and writes their
        deletions."""
        state, report, now = self._state, self._report, self._cycle.clock()
        stored = self._stored_keys(state.started_at or now)
        report.known, report.listed = len(stored), len(state.seen)
        gone: dict[str, datetime | None] = {
            key: datetime.fromisoformat(since) if since else None
            for key, since in state.gone.items()
            if key in stored
        }
        alive = {
            key: at
            for key, at in state.alive.items()
            if key in stored and now - datetime.fromisoformat(at) < _ALIVE_FOR
        }
        missing = sorted(stored - state.seen - gone.keys() - alive.keys())
        undecided, missing_twice = set(missing), set[str]()
        confirmation = Confirmation(self._conn, self._budget, self._source, self._kind, report, now)
        try:
            if missing and (nothing is not None or not state.seen):
                report.error = self._why_empty(nothing, len(missing))
            if report.error is None:
                is_many = len(missing) > max(_MANY, _MANY_SHARE * len(stored))
                missing_twice = set() if is_many else undecided & state.missing
                for entities, confirmed in confirmation.confirm(missing, stored & state.seen):
                    gone |= confirmed
                    keys = {entity.key for entity in entities}
                    undecided -= keys
                    alive |= dict.fromkeys(keys - confirmed.keys(), now.isoformat())
        except ShareUsedError:
            gone |= dict.fromkeys(missing_twice & undecided)
            undecided -= missing_twice
        self._write_deletions(confirmation, gone, now)
        report.left = len(undecided)
        state.missing, state.alive = undecided, alive
        state.cursor, state.started_at, state.seen, state.gone = None, None, set(), {}
        self._save(found=len(report.gone), finished_at=now, error=report.error)

    def _stored_keys(self, before: datetime) -> set[str]:
        scope = self._kind.scope(self._place)
        return store.stored_keys(
            self._conn,
            self._source.org_id,
            self._source.provider,
            self._source.resource_id,
            prefix=scope.prefix,
            source_type=scope.source_type,
            of_parts=scope.of_parts,
            before=before,
        )

    def _why_empty(self, nothing: str | None, missing: int) -> str | None:
        """Why the list is empty although entities are stored; None if all of them are gone."""
        call, reason = self._kind.resource(self._place), nothing
        if call is not None and reason is None:
            reason = self._kind.why_empty(self._place, self._budget.ask(call))
        if reason is None:
            return None
        return f"the list is empty, but {reason}: none of {missing:,} is taken to be deleted"

    def _write_deletions(
        self, confirmation: Confirmation, gone: dict[str, datetime | None], now: datetime
    ) -> None:
        """Puts the deletions into the inbox, each once. Does not commit."""
        source, deliveries = self._source, []
        for entity in confirmation.entities(sorted(gone)):
            # In whole seconds, as the providers write times.
            at = (gone[entity.key] or now).astimezone(UTC).replace(microsecond=0)
            try:
                merged = confirmation.merged.get(entity.key)
                record = merged or self._kind.record(self._place, entity, at)
            except UNREADABLE as error:
                self._report.error = f"{entity.key} is gone, but cannot be written so: {error}"
                continue
            deliveries.append(
                delivery_of(
                    record,
                    source.provider,
                    (source.installation_id, source.org_id),
                    "api",
                    first_day=self._cycle.first_day,
                    now=now,
                )
            )
            self._report.gone.append(entity.key)
        ids = [delivery.delivery_id for delivery in deliveries]
        waiting = store.waiting(self._conn, source.org_id, source.provider, ids)
        insert_deliveries(
            self._conn,
            [delivery for delivery in deliveries if delivery.delivery_id not in waiting],
        )
        if deliveries:
            self._record_activity()

    def _record_activity(self) -> None:
        gone = self._report.gone
        more = f" and {len(gone) - 5:,} more" if len(gone) > 5 else ""
        message = (
            f"{len(gone):,} of kind {self._kind.kind} of {self._source.name} are gone: "
            f"{', '.join(gone[:5])}{more}"
        )
        activity.record(
            self._conn,
            "sweep.found",
            self._cycle.actor,
            message,
            org_id=self._source.org_id,
            workspace_id=self._source.workspace_id,
            provider=self._source.provider,
            subject=self._source.name,
            detail={"gone": len(gone), "kind": self._kind.kind},
        )

    def _save(
        self, *, found: int = 0, finished_at: datetime | None = None, error: str | None = None
    ) -> None:
        store.save(
            self._conn,
            self._source.integration_id,
            self._kind.kind,
            self._state,
            requests=self._budget.unsaved_requests,
            cost=self._budget.unsaved_cost,
            found=found,
            finished_at=finished_at,
            error=error,
        )
        self._conn.commit()
        self._budget.saved()
