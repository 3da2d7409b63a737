"""Pauses of a hosted service: after a failure it is not asked for a while, each time for longer.

The service is a provider of models, or the hosted index of vectors by its name.

A pause may also be of one purpose (`anthropic summaries`), whose answers are of no use while others are.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from lightfast_pipelines.store.database import Connection

_FIRST = timedelta(seconds=30)
_LONGEST = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Pause:
    """Until when a provider is not asked, and the failure that began it."""

    until: datetime
    failures: int
    error: str

    @property
    def words(self) -> str:
        """For a person: what holds at this moment, and since what."""
        return f"paused until {self.until:%H:%M:%S} UTC after {self.error}"

    @property
    def why_no_run(self) -> str:
        """For a person: why a schedule asks for no run, and when it will."""
        return f"{self.error}; asked again after {self.until:%H:%M:%S} UTC"


def purpose_of(provider: str, purpose: str) -> str:
    """What is paused if only the provider's answers of this purpose are of no use."""
    return f"{provider} {purpose}"


def pause(
    conn: Connection, asked: str, now: datetime, error: str, retry_after: float | None = None
) -> Pause:
    """Pauses whoever is `asked` for `retry_after`, or twice as long as the last time, up to an hour.

    The caller commits. `error` holds no secret.
    """
    before = current_pause(conn, asked)
    failures = before.failures + 1 if before else 1
    length = _pause_length(failures)
    if retry_after is not None:
        # An hour at most here too: a wrong clock must not silence the model for days.
        length = max(length, timedelta(seconds=min(retry_after, _LONGEST.total_seconds())))
    paused = Pause(now + length, failures, error)
    conn.execute(
        """
        INSERT INTO lightfast.model_pauses (asked, failures, until, error)
        VALUES (%s, %s, %s, %s)
        ON CONFLICT (asked) DO UPDATE SET
          failures = excluded.failures, until = excluded.until, error = excluded.error
        """,
        (asked, paused.failures, paused.until, paused.error),
    )
    return paused


def _pause_length(failures: int) -> timedelta:
    """Half a minute after the first failure in a row, twice as long after each further one, up to an hour."""
    return min(_LONGEST, _FIRST * (1 << min(failures - 1, 10)))


def resume(conn: Connection, *asked: str) -> None:
    """Forgets the failures of those who answered. The caller commits."""
    conn.execute("DELETE FROM lightfast.model_pauses WHERE asked = ANY(%s)", (list(asked),))


def pause_in_force(conn: Connection, now: datetime, *asked: str) -> Pause | None:
    """The pause that lasts longest of any of these, if one is not over."""
    last = current_pause(conn, *asked)
    return last if last is not None and last.until > now else None


def current_pause(conn: Connection, *asked: str) -> Pause | None:
    """The last pause of any of these, which may be over, unless they have answered since."""
    row = conn.execute(
        """
        SELECT until, failures, error FROM lightfast.model_pauses WHERE asked = ANY(%s)
        ORDER BY until DESC LIMIT 1
        """,
        (list(asked),),
    ).fetchone()
    return Pause(*row) if row else None
