"""What a recovery cycle needs, and what it reports of each log of deliveries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime

from lightfast_pipelines.provider_api.client import CallFailedError
from lightfast_pipelines.provider_api.ports import Apis
from lightfast_pipelines.providers.api_contract import AnswerOutcome, AppKeys
from lightfast_pipelines.store import outages
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.sources import Source

PATIENCE_SECONDS = 45.0
"""How long a cycle waits for the next delivery that it asked the provider to send again."""

APP_LOG = "app"
"""Name of an application's log, which covers everyone who installed it; every other log is a hook's."""

UNREADABLE = (LookupError, TypeError, AttributeError, ValueError)
"""The exceptions raised by reading an answer of an unexpected shape."""


@dataclass(slots=True)
class LogReport:
    """The result for one log. `missed` were found in this cycle; `missing` are still missing."""

    provider: str
    account: str
    log: str
    read: int = 0
    missed: int = 0
    redelivered: int = 0
    by_api: int = 0
    missing: int = 0
    down_from: datetime | None = None
    down_until: datetime | None = None
    error: str | None = None
    notes: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, source: Source, log: str, error: str | None = None) -> LogReport:
        """An empty report on a log that belongs to the source's connection."""
        return cls(source.provider, source.account_login or source.installation, log, error=error)

    @property
    def recovered(self) -> int:
        return self.redelivered + self.by_api

    def shown(self) -> dict[str, object]:
        """The row that an operator sees."""
        return {
            "provider": self.provider,
            "account": self.account,
            "log": self.log,
            "read": self.read,
            "down_from": self.down_from and self.down_from.isoformat(),
            "down_until": self.down_until and self.down_until.isoformat(),
            "missed": self.missed,
            "redelivered": self.redelivered,
            "by_api": self.by_api,
            "recovered": self.recovered,
            "still_missing": self.missing,
            "error": self.error,
            "notes": "; ".join(self.notes[:3]) or None,
        }


@dataclass(frozen=True, slots=True)
class RecoveryCycle:
    """What a cycle needs. `app_keys` returns a provider's application from the settings."""

    database: Database
    apis: Apis
    app_keys: Callable[[str], AppKeys]
    clock: Callable[[], datetime]
    sleep: Callable[[float], None]
    first_day: date
    actor: str
    patience_seconds: float = PATIENCE_SECONDS


def note_check(
    cycle: RecoveryCycle,
    conn: Connection,
    source: Source,
    log: str,
    *,
    until: datetime | None = None,
    error: str | None = None,
) -> None:
    """Records that a log of the source's installation was compared, or why it was not. Commits."""
    outages.note_check(
        conn, source.installation_id, log, until=until, now=cycle.clock(), error=error
    )
    conn.commit()


def explained(error: CallFailedError) -> str:
    """The error's message, with what an operator can do about it."""
    if error.outcome in (AnswerOutcome.FORBIDDEN, AnswerOutcome.MISSING):
        return (
            f"{error.message}: the credential may not read the hooks' deliveries (a token needs "
            "`admin:repo_hook` or the permission Webhooks: read and write)"
        )
    return error.message
