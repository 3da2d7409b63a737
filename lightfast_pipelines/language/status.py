"""Whether the language model is on, what it used today, and whether there is anything to ask it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from lightfast_pipelines.domain.language_answers import PURPOSE
from lightfast_pipelines.language.observations import PROMPT_VERSION, prompt_about
from lightfast_pipelines.language.port import Language
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.model_answers import count_open
from lightfast_pipelines.store.model_batches import count_batched
from lightfast_pipelines.store.model_pauses import pause_in_force, purpose_of
from lightfast_pipelines.store.model_usage import budget_day, tokens_used, used_up
from lightfast_pipelines.store.service_status import ServiceStatus, used_today

_PROVIDER = "anthropic"
_MOST_COUNTED = 5_000


def language_status(conn: Connection, language: Language, now: datetime) -> ServiceStatus:
    """The language model's row of `lightfast models`."""
    used = used_today(conn, _PROVIDER, now)
    waiting = count_open(conn, PURPOSE, PROMPT_VERSION, now, most=_MOST_COUNTED)
    batched = count_batched(conn)
    more = " or more" if waiting == _MOST_COUNTED else ""
    notes = [f"{waiting:,}{more} observations wait to be asked about"] if waiting else []
    if batched:
        notes.append(f"{batched:,} contents wait for the results of a batch")
    if language.model is None:
        return ServiceStatus(
            "language model",
            "local rules",
            "none",
            is_on=False,
            off=language.off,
            notes=notes,
            **asdict(used),
        )
    left = max(0, language.daily_tokens - used.tokens_used)
    return ServiceStatus(
        "language model",
        language.model.name,
        language.model.provider,
        is_on=True,
        off=why_not_now(conn, language, now),
        daily_tokens=language.daily_tokens,
        tokens_left=left,
        notes=notes,
        **asdict(used),
    )


def why_nothing_is_due(conn: Connection, language: Language, now: datetime) -> str | None:
    """Why a run of the stage would do nothing now; None if it has work."""
    if why := _why_nobody_answers(conn, language, now, PURPOSE):
        return why
    # Results are read at any time: a batch may have set the whole day's budget aside.
    if count_batched(conn):
        return None
    if why := _why_no_tokens(conn, language, now):
        return why
    if not count_open(conn, PURPOSE, PROMPT_VERSION, now, most=1):
        return "no question is open"
    return None


def why_not_now(
    conn: Connection, language: Language, now: datetime, purpose: str = PURPOSE
) -> str | None:
    """Why no model can be asked for this purpose at this moment; None if one can."""
    return _why_nobody_answers(conn, language, now, purpose) or _why_no_tokens(conn, language, now)


def _why_nobody_answers(
    conn: Connection, language: Language, now: datetime, purpose: str
) -> str | None:
    if language.model is None:
        return language.off
    if paused := pause_in_force(conn, now, _PROVIDER, purpose_of(_PROVIDER, purpose)):
        return paused.words
    return None


def _why_no_tokens(conn: Connection, language: Language, now: datetime) -> str | None:
    left = language.daily_tokens - tokens_used(conn, budget_day(now), _PROVIDER)
    if left < prompt_about([]).estimated_tokens:
        return used_up(language.daily_tokens)
    return None
