"""What a service that a key may turn on is doing: for `lightfast models` and for metadata of assets.

Each room describes its own services by `ServiceStatus` (`language/status.py`); here is what they share.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.model_usage import budget_day, last_failure, usage_on


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """A service: what serves now, why nothing better does, and what it used today (UTC).

    `service` is `embedder`, `language model` or `vector index`, `name` what is in use (a model, an index,
    `local rules`). `off` says why the hosted service is off or cannot be asked now. `notes` are further
    facts worth a line. Nothing here holds a secret.
    """

    service: str
    name: str
    provider: str
    is_on: bool
    off: str | None = None
    dimensions: int | None = None
    requests: int = 0
    failures: int = 0
    tokens_used: int = 0
    cached_tokens: int = 0
    daily_tokens: int | None = None
    tokens_left: int | None = None
    last_error: str | None = None
    last_failed_at: datetime | None = None
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class UsedToday:
    """Sums over the models and purposes of a provider, in the names of `ServiceStatus`."""

    requests: int
    failures: int
    tokens_used: int
    cached_tokens: int
    last_error: str | None
    last_failed_at: datetime | None


def used_today(conn: Connection, provider: str, now: datetime) -> UsedToday:
    """What all models of the provider used today, and its last failure ever."""
    usages = usage_on(conn, budget_day(now), provider)
    failure = last_failure(conn, provider)
    return UsedToday(
        requests=sum(usage.requests for usage in usages),
        failures=sum(usage.failures for usage in usages),
        tokens_used=sum(usage.tokens for usage in usages),
        cached_tokens=sum(usage.cached_tokens for usage in usages),
        last_error=failure[1] if failure else None,
        last_failed_at=failure[0] if failure else None,
    )
