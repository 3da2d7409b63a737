"""What each model used on each day: requests, tokens, failures.

Every adapter of a hosted service records its requests here; budgets and `lightfast models` read them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.locks import hold_budget

_LONGEST_ERROR = 300


@dataclass(frozen=True, slots=True)
class Usage:
    """What a model used for a purpose on a day. `input_tokens` include `cached_tokens`."""

    provider: str
    model: str
    purpose: str
    requests: int
    failures: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    reserved_tokens: int
    last_error: str | None
    last_failed_at: datetime | None
    last_used_at: datetime
    vectors: int = 0
    units: int = 0

    @property
    def tokens(self) -> int:
        """What counts against the budget."""
        return self.input_tokens + self.output_tokens + self.reserved_tokens


def record_usage(  # noqa: PLR0913 - one column each
    conn: Connection,
    *,
    day: date,
    provider: str,
    model: str,
    purpose: str,
    requests: int,
    input_tokens: int = 0,
    output_tokens: int = 0,
    cached_tokens: int = 0,
    failures: int = 0,
    vectors: int = 0,
    units: int = 0,
    error: str | None = None,
    reserved_tokens: int = 0,
) -> None:
    """Adds to the day's row. `day` is in UTC; `error` is the last failure, already without secrets.

    A request for which tokens were set aside (`reserve_tokens`) gives them back as negative
    `reserved_tokens`.

    Does not commit: the caller decides whether usage lasts although its own work is rolled back.
    """
    conn.execute(
        """
        INSERT INTO lightfast.model_usage AS u
          (day, provider, model, purpose, requests, failures, input_tokens, output_tokens,
           cached_tokens, reserved_tokens, vectors, units, last_error, last_failed_at)
        VALUES (%(day)s, %(provider)s, %(model)s, %(purpose)s, %(requests)s, %(failures)s, %(input)s,
                %(output)s, %(cached)s, %(reserved)s, %(vectors)s, %(units)s, %(error)s,
                CASE WHEN %(failures)s > 0 THEN now() END)
        ON CONFLICT (day, provider, model, purpose) DO UPDATE SET
          requests = u.requests + excluded.requests,
          failures = u.failures + excluded.failures,
          input_tokens = u.input_tokens + excluded.input_tokens,
          output_tokens = u.output_tokens + excluded.output_tokens,
          cached_tokens = u.cached_tokens + excluded.cached_tokens,
          reserved_tokens = greatest(0, u.reserved_tokens + excluded.reserved_tokens),
          vectors = u.vectors + excluded.vectors,
          units = u.units + excluded.units,
          last_error = coalesce(excluded.last_error, u.last_error),
          last_failed_at = coalesce(excluded.last_failed_at, u.last_failed_at),
          last_used_at = greatest(u.last_used_at, excluded.last_used_at)
        """,
        {
            "day": day,
            "provider": provider,
            "model": model,
            "purpose": purpose,
            "requests": requests,
            "failures": failures,
            "input": input_tokens,
            "output": output_tokens,
            "cached": cached_tokens,
            "reserved": reserved_tokens,
            "vectors": vectors,
            "units": units,
            "error": None if error is None else error[:_LONGEST_ERROR],
        },
    )


def reserve_tokens(
    conn: Connection,
    *,
    day: date,
    provider: str,
    model: str,
    purpose: str,
    tokens: int,
    budget: int,
) -> bool:
    """Sets tokens aside for a request, if the provider's budget of the day has as many left.

    Commits, so that other processes count them, and so that they stay counted if this one is killed
    before it can say what the request used.
    """
    hold_budget(conn, provider)
    is_free = tokens_used(conn, day, provider) + tokens <= budget
    if is_free:
        record_usage(
            conn,
            day=day,
            provider=provider,
            model=model,
            purpose=purpose,
            requests=0,
            reserved_tokens=tokens,
        )
    conn.commit()
    return is_free


def usage_on(conn: Connection, day: date, provider: str | None = None) -> Sequence[Usage]:
    """What was used on a day (UTC), by provider, model and purpose."""
    rows = conn.execute(
        """
        SELECT provider, model, purpose, requests, failures, input_tokens, output_tokens,
               cached_tokens, reserved_tokens, last_error, last_failed_at, last_used_at, vectors, units
        FROM lightfast.model_usage
        WHERE day = %(day)s AND (%(provider)s::text IS NULL OR provider = %(provider)s)
        ORDER BY provider, model, purpose
        """,
        {"day": day, "provider": provider},
    )
    return [Usage(*row) for row in rows]


def budget_day(now: datetime) -> date:
    """The day whose budget is used at this moment."""
    return now.astimezone(UTC).date()


def used_up(budget: int) -> str:
    """For a person: that nothing more is asked today."""
    return f"the budget of {budget:,} tokens a day is used up"


def tokens_used(conn: Connection, day: date, provider: str) -> int:
    """Tokens of all models of the provider on a day (UTC), with those set aside."""
    return sum(usage.tokens for usage in usage_on(conn, day, provider))


def last_failure(conn: Connection, provider: str) -> tuple[datetime, str] | None:
    """When a request to the provider last failed, and how."""
    row = conn.execute(
        """
        SELECT last_failed_at, last_error FROM lightfast.model_usage
        WHERE provider = %s AND last_failed_at IS NOT NULL AND last_error IS NOT NULL
        ORDER BY last_failed_at DESC LIMIT 1
        """,
        (provider,),
    ).fetchone()
    return (row[0], row[1]) if row else None
