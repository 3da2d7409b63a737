"""Pauses of a provider of models: after a failure it is not asked for a while, each time for longer."""

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


def pause(
    conn: Connection, provider: str, now: datetime, error: str, retry_after: float | None = None
) -> Pause:
    """Pauses the provider for as long as it asks, or else twice as long as the last time, up to an hour.

    The caller commits. `error` holds no secret.
    """
    before = current_pause(conn, provider)
    failures = before.failures + 1 if before else 1
    length = min(_LONGEST, _FIRST * 2 ** min(failures - 1, 10))
    if retry_after is not None:
        # An hour at most also here: a wrong clock must not silence the model for days.
        length = min(_LONGEST, max(length, timedelta(seconds=retry_after)))
    paused = Pause(now + length, failures, error)
    conn.execute(
        """
        INSERT INTO lightfast.model_pauses (provider, failures, until, error)
        VALUES (%s, %s, %s, %s)
        ON CONFLICT (provider) DO UPDATE SET
          failures = excluded.failures, until = excluded.until, error = excluded.error
        """,
        (provider, paused.failures, paused.until, paused.error),
    )
    return paused


def resume(conn: Connection, provider: str) -> None:
    """Forgets the failures of a provider that answered. The caller commits."""
    conn.execute("DELETE FROM lightfast.model_pauses WHERE provider = %s", (provider,))


def current_pause(conn: Connection, provider: str) -> Pause | None:
    """The last pause, which may be over, unless the provider has answered since."""
    row = conn.execute(
        "SELECT until, failures, error FROM lightfast.model_pauses WHERE provider = %s", (provider,)
    ).fetchone()
    return Pause(*row) if row else None
