"""Isolates one tenant's failing work from all other work, and gives it up after some attempts.

An error counts against an observation or a workspace only if it came twice while other work succeeded
before and after. In an outage of the model or the machine nothing succeeds: that ends the run and counts
against nobody. The counts are kept in `store/stage_failures.py`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Generic, TypeVar

import psycopg

from lightfast_pipelines.inbox.disk_room import disk_is_full
from lightfast_pipelines.inbox.faults import describe_error, is_fault_of_payload
from lightfast_pipelines.store.consolidation_marks import mark_changed
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.stage_failures import (
    MOST_ATTEMPTS,
    StageError,
    StageName,
    count_observation,
    count_workspace,
    failed_before,
    forget_observations,
    forget_workspace,
)
from lightfast_pipelines.store.time_limit import OutOfTime, TimeLimit, within

# How often in a row a witness (an observation that succeeded before) has to succeed: a machine that fails
# now and then is not well either. Several are tried, because one of them may fail on its own now.
_IN_A_ROW = 3
_WITNESSES = 5
# A page that runs out of time is divided into parts of this size, not into halves: each part with the
# slow observation takes its whole time limit, and finding one in 2,000 by halves takes eleven of them.
_SMALL_PART = 20
# If this many fail and none has ever succeeded, no observation is at fault.
_MOST_UNPROVEN = 20

_log = logging.getLogger(__name__)

Do = Callable[[Sequence[int]], None]


class ServiceUnavailableError(Exception):
    """A service outside does not answer usably. No observation is at fault, and smaller parts of a page
    would only ask it more often: the error ends the run.

    `retry_after` is how many seconds the service asks to wait, if it does.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class ObservationStage:
    """A stage that works on observations one by one.

    `witnesses` finds some that succeeded earlier; `try_out` does the work of one of these again.
    """

    name: StageName
    rules: str
    witnesses: Callable[[int], Sequence[int]]
    try_out: Callable[[int], None]


class ObservationIsolation:
    """Processes each page in one transaction; if that fails, in halves, down to a single observation.

    Work that takes longer than `time_limit` fails.
    """

    def __init__(self, conn: Connection, stage: ObservationStage, time_limit: TimeLimit) -> None:
        self.failures = 0
        """Failed attempts that were counted."""
        self._conn = conn
        self._stage = stage
        self._time_limit = time_limit
        self._lately_done: list[int] = []
        self._failed: set[int] = set()
        self._unproven: list[tuple[int, Do, Exception]] = []

    def run(self, ids: Sequence[int], do: Do) -> list[int]:
        """The ids that were done. Raises an error that is not the fault of an observation."""
        # Observations that failed before are tried alone, or they would break up a page in each run.
        suspects = failed_before(self._conn, self._stage.name, ids)
        others = [id_ for id_ in ids if id_ not in suspects and id_ not in self._failed]
        done = self._in_parts(others, do) if others else []
        for suspect in ids:
            if suspect in suspects and suspect not in self._failed:
                done += self._in_parts([suspect], do)
        if suspects:
            self._forget(suspects.intersection(done))
        return done

    def finish(self) -> list[int]:
        """Tries again what failed before anything had succeeded; returns the observations done now.

        Raises the error if nothing has succeeded since then either.
        """
        unproven, self._unproven = self._unproven, []
        done: list[int] = []
        for observation, do, error in unproven:
            if not self._lately_done:
                raise error
            done += self._judge(observation, do, error)
        self._forget(set(done))
        return done

    def _in_parts(self, ids: Sequence[int], do: Do) -> list[int]:
        error = self._attempt(ids, do)
        if error is None:
            return list(ids)
        if len(ids) == 1:
            return self._judge(ids[0], do, error)
        size = -(-len(ids) // 2)
        if isinstance(error, OutOfTime | psycopg.errors.QueryCanceled):
            size = _SMALL_PART if len(ids) > _SMALL_PART else 1
        return [
            done
            for start in range(0, len(ids), size)
            for done in self._in_parts(ids[start : start + size], do)
        ]

    def _attempt(self, ids: Sequence[int], do: Do) -> Exception | None:
        error = self._error_of(lambda: do(ids), len(ids))
        if error is None:
            self._lately_done = [*self._lately_done, *ids][-_WITNESSES:]
        return error

    def _judge(self, observation: int, do: Do, error: Exception) -> list[int]:
        """[observation] if it succeeds now. Else the failure is counted, or kept until something succeeds.

        Raises the error if nothing else succeeds either.
        """
        is_well = self._others_succeed()
        if is_well is False:
            raise error
        if is_well is None and not _is_refused_value(error):
            self._failed.add(observation)
            self._unproven.append((observation, do, error))
            if len(self._unproven) >= _MOST_UNPROVEN:
                raise error
            return []
        again = self._attempt([observation], do)
        if again is None:
            return [observation]
        if self._others_succeed() is False:
            raise again
        self._failed.add(observation)
        attempts = count_observation(
            self._conn, self._stage.name, self._stage.rules, observation, _described(again)
        )
        self._conn.commit()
        self.failures += attempts > 0
        _log.error(
            "%s failed for observation %d, attempt %d of %d: %s",
            *(self._stage.name, observation, attempts, MOST_ATTEMPTS, describe_error(again)),
        )
        return []

    def _others_succeed(self) -> bool | None:
        """Whether the model and the machine are well now; None if nothing has ever succeeded."""
        witnesses = [
            *reversed(self._lately_done),
            *(
                witness
                for witness in self._stage.witnesses(_WITNESSES)
                if witness not in self._lately_done
            ),
        ]
        self._conn.rollback()
        if not witnesses:
            return None
        return any(self._succeeds(witness) for witness in witnesses[: 2 * _WITNESSES])

    def _succeeds(self, witness: int) -> bool:
        return all(
            self._error_of(lambda: self._stage.try_out(witness), 1, keep=False) is None
            for _ in range(_IN_A_ROW)
        )

    def _error_of(
        self, do: Callable[[], None], observations: int, *, keep: bool = True
    ) -> Exception | None:
        def in_time() -> None:
            with within(self._conn, self._time_limit.of(observations, 0)):
                do()

        return _error_of(self._conn, in_time, keep=keep)

    def _forget(self, done: set[int]) -> None:
        """Forgets earlier failures of these observations; what was decided without them is decided
        again."""
        if done:
            mark_changed(
                self._conn, forget_observations(self._conn, self._stage.name, sorted(done))
            )
            self._conn.commit()


class WorkspaceIsolation(Generic[Result]):
    """Does the work of one workspace after the other, each in its own transaction.

    Without `in_one_transaction` the work commits by itself, and doing it again changes nothing.
    """

    def __init__(
        self, conn: Connection, stage: StageName, rules: str, *, in_one_transaction: bool = True
    ) -> None:
        self.failures = 0
        """Failed attempts that were counted."""
        self.results: dict[int, Result] = {}
        """Workspace -> what its work returned, of those that were done."""
        self._conn = conn
        self._stage: StageName = stage
        self._rules = rules
        self._in_one_transaction = in_one_transaction
        self._witness: Callable[[], object] | None = None

    def run(
        self,
        work: Mapping[int, Callable[[], Result]],
        done: Callable[[Result], object] = lambda _result: None,
    ) -> list[Result]:
        """Does the work of each workspace; returns the results, and gives each to `done` at once.

        Work may be repeated, to see whether another workspace's failure is its own fault.
        """
        failed: list[tuple[int, Exception]] = []
        for workspace, do in work.items():
            error = self._attempt(workspace, do)
            if error is None:
                done(self.results[workspace])
            else:
                failed.append((workspace, error))
        self._try_again(work, failed)
        return list(self.results.values())

    def _try_again(
        self, work: Mapping[int, Callable[[], Result]], failed: Sequence[tuple[int, Exception]]
    ) -> None:
        """Tries the failed workspaces again, and counts those that fail again.

        Raises the error if no workspace succeeds at all.
        """
        unproven: list[Exception] = []
        for workspace, first in failed:
            error: Exception | None = first
            if self._witness is not None or _is_refused_value(first):
                error = self._attempt(workspace, work[workspace])
            if error is None:
                continue
            if self._is_its_own_fault(error):
                self._count(workspace, error)
            else:
                unproven.append(error)
        if unproven and (self._witness is None or not self._witness_succeeds()):
            raise unproven[0]

    def _attempt(self, workspace: int, do: Callable[[], Result]) -> Exception | None:
        results: list[Result] = []

        def work() -> None:
            results.append(do())
            forget_workspace(self._conn, self._stage, workspace)

        error = _error_of(self._conn, work, in_one_transaction=self._in_one_transaction)
        if error is None:
            [self.results[workspace]] = results
            self._witness = do
        return error

    def _is_its_own_fault(self, error: Exception) -> bool:
        if _is_refused_value(error):
            return True
        if self._witness is None:
            return False
        return is_fault_of_payload(error) or self._witness_succeeds()

    def _witness_succeeds(self) -> bool:
        witness = self._witness
        return witness is not None and all(
            _error_of(self._conn, witness, keep=False, in_one_transaction=self._in_one_transaction)
            is None
            for _ in range(_IN_A_ROW)
        )

    def _count(self, workspace: int, error: Exception) -> None:
        attempts = count_workspace(
            self._conn, self._stage, self._rules, workspace, _described(error)
        )
        self._conn.commit()
        self.failures += attempts > 0
        _log.error(
            "%s failed for workspace %d, attempt %d of %d: %s",
            *(self._stage, workspace, attempts, MOST_ATTEMPTS, describe_error(error)),
        )


def _error_of(
    conn: Connection,
    do: Callable[[], object],
    *,
    keep: bool = True,
    in_one_transaction: bool = True,
) -> Exception | None:
    """The error of `do` in a transaction that is committed, or rolled back if `keep` is false.

    Raises the error if the connection is lost, the disk is full, or a service outside is not available.
    """
    try:
        with conn.transaction(force_rollback=not keep) if in_one_transaction else nullcontext():
            do()
        conn.commit()
    except Exception as error:
        if conn.closed:
            raise
        conn.rollback()
        if isinstance(error, ServiceUnavailableError) or disk_is_full(conn, error):
            raise
        return error
    return None


def _is_refused_value(error: Exception) -> bool:
    """Whether Postgres itself refused a value, so that neither the model nor the machine is at fault."""
    return isinstance(error, psycopg.Error) and is_fault_of_payload(error)


def _described(error: Exception) -> StageError:
    return StageError(type(error).__name__[:100], describe_error(error))
