"""The budget of each installation and rate limit, shared by every process through the database.

A request takes its cost before it is sent, and the answer says what is really left. Reset times follow
the database's clock, counted in seconds from the answer, so that no machine's wrong clock can hold up a
walk.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from lightfast_pipelines.providers.api_contract import Limit
from lightfast_pipelines.store.database import Connection

# No provider's period is longer than an hour; a longer wait would come from a clock that jumped.
LONGEST_WAIT_SECONDS = 3_660.0
_SLICE_SECONDS = 1.0


def _passed(moment: str) -> str:
    """SQL: whether a stored moment has passed. One beyond the longest wait was stored while the clock
    was ahead, and counts as passed."""
    longest = f"interval '{LONGEST_WAIT_SECONDS} seconds'"
    return f"({moment} NOT BETWEEN clock_timestamp() AND clock_timestamp() + {longest})"


_TAKE = """
WITH known AS (
  INSERT INTO lightfast.api_budgets AS b (installation_id, pool) VALUES (%(id)s, %(pool)s)
  ON CONFLICT (installation_id, pool) DO UPDATE SET
    remaining = CASE WHEN {over} THEN b.limit_ ELSE b.remaining END - %(cost)s,
    resets_at = CASE WHEN {over} THEN NULL ELSE b.resets_at END
  WHERE (b.blocked_until IS NULL OR {passed_blocked_until})
    AND (b.remaining IS NULL OR {over} OR b.remaining - %(cost)s >= {reserve})
  RETURNING 1
)
SELECT count(*) FROM known
""".format(
    over=_passed("coalesce(b.resets_at, b.updated_at + interval '1 hour')"),
    passed_blocked_until=_passed("b.blocked_until"),
    # At most a tenth of a small limit (Sentry's 40 a second), which would otherwise never be free.
    reserve="least(%(reserve)s, coalesce(b.limit_, 0) * 0.1)",
)

_WAIT = """
SELECT greatest(
  extract(epoch FROM blocked_until - clock_timestamp()),
  CASE WHEN remaining - %(cost)s < least(%(reserve)s, coalesce(limit_, 0) * 0.1)
       THEN extract(epoch FROM coalesce(resets_at, updated_at + interval '1 hour') - clock_timestamp()) END
)
FROM lightfast.api_budgets WHERE installation_id = %(id)s AND pool = %(pool)s
"""

_LEARN = """
INSERT INTO lightfast.api_budgets AS b
  (installation_id, pool, limit_, remaining, resets_at, window_seconds, updated_at)
VALUES (%(id)s, %(pool)s, %(limit)s, %(remaining)s,
        clock_timestamp() + %(seconds)s * interval '1 second', %(window)s, clock_timestamp())
ON CONFLICT (installation_id, pool) DO UPDATE SET
  limit_ = excluded.limit_,
  -- Where a provider gives only the reset, the first answer may come near the window's end.
  window_seconds = greatest(b.window_seconds, excluded.window_seconds),
  -- Within one period, what others took and have no answer for yet counts too.
  remaining = CASE WHEN abs(extract(epoch FROM b.resets_at - excluded.resets_at))
                        < least(30, excluded.window_seconds / 2)
                   THEN least(excluded.remaining, b.remaining + %(cost)s) ELSE excluded.remaining END,
  resets_at = excluded.resets_at, updated_at = excluded.updated_at
"""


@dataclass(frozen=True, slots=True)
class Left:
    """What is left of a pool according to the latest answer; None if no answer has said so."""

    limit: float | None = None
    remaining: float | None = None
    seconds_to_reset: float | None = None
    window_seconds: float | None = None

    @property
    def limit_an_hour(self) -> float | None:
        """What the limit allows in an hour, whatever its window is."""
        if self.limit is None:
            return None
        return self.limit * 3_600 / (self.window_seconds or 3_600)


class RateBudget:
    """The rate limits of one installation. `conn` is in autocommit mode and used by nobody else.

    `reserve` requests are left for others who use the limit. `sleep` waits; `check` is called between
    slices of a wait and may raise to end it.
    """

    def __init__(
        self,
        conn: Connection,
        installation_id: int,
        *,
        reserve: int,
        sleep: Callable[[float], None],
        check: Callable[[], None] = lambda: None,
    ) -> None:
        if not conn.autocommit:
            raise ValueError("a budget needs a connection in autocommit mode")
        self._conn, self._id, self._reserve = conn, installation_id, reserve
        self._sleep, self._check = sleep, check

    def take(self, pool: str, cost: float) -> float:
        """Takes `cost` from the pool, waiting until that much is left; returns the seconds waited."""
        waited = 0.0
        reserve = self._reserve * max(cost, 1.0)
        values = {"id": self._id, "pool": pool, "cost": cost, "reserve": reserve}
        while not self._try_to_take(values):
            row = self._conn.execute(_WAIT, values).fetchone()
            seconds = min(float(row[0]) if row and row[0] else 0.0, LONGEST_WAIT_SECONDS)
            pause = min(max(seconds, 0.05), _SLICE_SECONDS)
            self._check()
            self._sleep(pause)
            waited += pause
        return waited

    def _try_to_take(self, values: dict[str, object]) -> bool:
        row = self._conn.execute(_TAKE, values).fetchone()
        return bool(row and row[0])

    def learn(
        self, limits: Sequence[Limit], *, pool: str, cost: float, answered_at: datetime
    ) -> None:
        """Stores what an answer says is left; `answered_at` is the provider's time."""
        for limit in limits:
            seconds = (limit.resets_at - answered_at).total_seconds()
            self._conn.execute(
                _LEARN,
                {
                    "id": self._id,
                    "pool": limit.pool,
                    "limit": limit.limit,
                    "remaining": limit.remaining,
                    "seconds": min(max(seconds, 0.0), LONGEST_WAIT_SECONDS),
                    "window": limit.window.total_seconds(),
                    "cost": cost if limit.pool == pool else 0.0,
                },
            )

    def block(self, pool: str, seconds: float) -> None:
        """Keeps every process from using the pool for this long (Retry-After)."""
        self._conn.execute(
            """
            INSERT INTO lightfast.api_budgets AS b (installation_id, pool, blocked_until)
            VALUES (%(id)s, %(pool)s, clock_timestamp() + %(seconds)s * interval '1 second')
            ON CONFLICT (installation_id, pool) DO UPDATE SET
              blocked_until = greatest(
                CASE WHEN NOT {passed} THEN b.blocked_until END, excluded.blocked_until)
            """.format(passed=_passed("b.blocked_until")),
            {
                "id": self._id,
                "pool": pool,
                "seconds": min(max(seconds, 0.0), LONGEST_WAIT_SECONDS),
            },
        )

    def tightest(self) -> Left:
        """The pool with the least left, without those that reset within a minute."""
        return self._left(
            "installation_id = %s AND resets_at > clock_timestamp() + interval '1 minute' "
            "ORDER BY remaining LIMIT 1",
            self._id,
        )

    def left(self, pool: str) -> Left:
        return self._left("installation_id = %s AND pool = %s", self._id, pool)

    def _left(self, where: str, *values: object) -> Left:
        row = self._conn.execute(
            "SELECT limit_, remaining, extract(epoch FROM resets_at - clock_timestamp()), "
            f"window_seconds FROM lightfast.api_budgets WHERE {where}",
            values,
        ).fetchone()
        return Left(*(None if value is None else float(value) for value in row or ()))
