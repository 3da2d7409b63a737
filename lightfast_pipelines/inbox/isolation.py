"""Work of several tenants, of which what fails stops nobody else and is not tried for ever.

An error is counted against an observation or a workspace only where it came twice while other work
went through before and after. Of an outage, of the model or of the machine, that is never true: it
ends the run and counts against nobody. The counts stand in `store/stage_failures.py`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import psycopg

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

# An observation that went through before has to go through so often in a row, as a machine that fails
# now and then is not well either. So many of them are asked, as one may have come to fail itself.
_IN_A_ROW = 3
_WITNESSES = 5
# What runs out of time is looked for in parts of so many at once, as each part with it takes all of its
# time: in halves, one in 2,000 would take eleven times that.
_SMALL_PART = 20
# Where so many fail one after the other and nothing ever went through, it is no observation's fault.
_MOST_UNPROVEN = 20

_log = logging.getLogger(__name__)

Do = Callable[[Sequence[int]], None]


@dataclass(frozen=True, slots=True)
class ObservationStage:
    """A stage that works on observations one by one.

    `witnesses` finds some that went through earlier; `try_out` does the work of such a one once more.
    """

    name: StageName
    rules: str
    witnesses: Callable[[int], Sequence[int]]
    try_out: Callable[[int], None]


class Apart:
    """Does each page in one transaction; where it fails, in halves, down to the one that fails alone.

    What takes longer than `time_limit` fails.
    """

    def __init__(self, conn: Connection, stage: ObservationStage, time_limit: TimeLimit) -> None:
        self.failures = 0
        """Attempts that were counted."""
        self._conn = conn
        self._stage = stage
        self._time_limit = time_limit
        self._lately_done: list[int] = []
        self._failed: set[int] = set()
        self._unproven: list[tuple[int, Do, Exception]] = []

    def run(self, ids: Sequence[int], do: Do) -> list[int]:
        """The ids that were done. Raises an error that is no observation's fault."""
        # What failed before is tried alone, or it would break up a page in each run.
        suspects = failed_before(self._conn, self._stage.name, ids)
        others = [one for one in ids if one not in suspects and one not in self._failed]
        done = self._in_parts(others, do) if others else []
        for suspect in ids:
            if suspect in suspects and suspect not in self._failed:
                done += self._in_parts([suspect], do)
        if suspects:
            self._forget(suspects.intersection(done))
        return done

    def finish(self) -> list[int]:
        """Looks once more at what failed while nothing was known to go through; those done now.

        Raises the error where nothing went through in the meantime either.
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
            one
            for start in range(0, len(ids), size)
            for one in self._in_parts(ids[start : start + size], do)
        ]

    def _attempt(self, ids: Sequence[int], do: Do) -> Exception | None:
        error = self._error_of(lambda: do(ids), len(ids))
        if error is None:
            self._lately_done = [*self._lately_done, *ids][-_WITNESSES:]
        return error

    def _judge(self, observation: int, do: Do, error: Exception) -> list[int]:
        """[observation] where it goes through now. Else it is counted, or left where nothing is known to
        go through. Raises the error where nothing else goes through either."""
        well = self._others_go_through()
        if well is False:
            raise error
        if well is None and not _is_of_a_value(error):
            self._failed.add(observation)
            self._unproven.append((observation, do, error))
            if len(self._unproven) >= _MOST_UNPROVEN:
                raise error
            return []
        again = self._attempt([observation], do)
        if again is None:
            return [observation]
        if self._others_go_through() is False:
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

    def _others_go_through(self) -> bool | None:
        """Whether the model and the machine are well now; None where nothing ever went through."""
        witnesses = [
            *reversed(self._lately_done),
            *(one for one in self._stage.witnesses(_WITNESSES) if one not in self._lately_done),
        ]
        self._conn.rollback()
        if not witnesses:
            return None
        return any(self._goes_through(witness) for witness in witnesses[: 2 * _WITNESSES])

    def _goes_through(self, witness: int) -> bool:
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
        """What was decided without these is decided again."""
        if done:
            mark_changed(
                self._conn, forget_observations(self._conn, self._stage.name, sorted(done))
            )
            self._conn.commit()


class ByWorkspace:
    """Does the work of one workspace after the other.

    Each in a transaction of its own; without `in_one_transaction` the work commits by itself, and once
    it is done, doing it again changes nothing.
    """

    def __init__(
        self, conn: Connection, stage: StageName, rules: str, *, in_one_transaction: bool = True
    ) -> None:
        self.failures = 0
        """Attempts that were counted."""
        self._conn = conn
        self._stage: StageName = stage
        self._rules = rules
        self._in_one_transaction = in_one_transaction
        self._witness: Callable[[], None] | None = None
        self._left: list[tuple[int, Callable[[], None], Exception]] = []

    def run(self, workspace: int, do: Callable[[], None]) -> bool:
        """Whether it was done and committed. `do` may be called again, for other workspaces' sake too."""
        error = self._attempt(workspace, do)
        if error is not None:
            self._left.append((workspace, do, error))
        return error is None

    def finish(self) -> list[int]:
        """Tries what failed once more, and counts what fails again; the workspaces that were not done.

        Raises the error where nothing goes through at all.
        """
        left, self._left = self._left, []
        failed: list[int] = []
        unproven: list[Exception] = []
        for workspace, do, first in left:
            error: Exception | None = first
            if self._witness is not None or _is_of_a_value(first):
                error = self._attempt(workspace, do)
            if error is None:
                continue
            failed.append(workspace)
            if self._is_its_own_fault(error):
                self._count(workspace, error)
            else:
                unproven.append(error)
        if unproven and (self._witness is None or not self._witness_goes_through()):
            raise unproven[0]
        return failed

    def _attempt(self, workspace: int, do: Callable[[], None]) -> Exception | None:
        def work() -> None:
            do()
            forget_workspace(self._conn, self._stage, workspace)

        error = _error_of(self._conn, work, in_one_transaction=self._in_one_transaction)
        if error is None:
            self._witness = do
        return error

    def _is_its_own_fault(self, error: Exception) -> bool:
        if _is_of_a_value(error):
            return True
        if self._witness is None:
            return False
        return is_fault_of_payload(error) or self._witness_goes_through()

    def _witness_goes_through(self) -> bool:
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
    conn: Connection, do: Callable[[], None], *, keep: bool = True, in_one_transaction: bool = True
) -> Exception | None:
    """What `do` raises in a transaction that is committed, or with `keep` false rolled back. Raises it
    where the connection is lost."""
    try:
        with conn.transaction(force_rollback=not keep) if in_one_transaction else nullcontext():
            do()
        conn.commit()
    except Exception as error:
        if conn.closed:
            raise
        conn.rollback()
        return error
    return None


def _is_of_a_value(error: Exception) -> bool:
    """Whether Postgres itself refused a value, so that neither the model nor the machine is at fault."""
    return isinstance(error, psycopg.Error) and is_fault_of_payload(error)


def _described(error: Exception) -> StageError:
    return StageError(type(error).__name__[:100], describe_error(error))
