"""Asks a language model within the day's budget, and not at all for a while after it failed.

Every request is recorded, whatever comes of it. What a question is about is decided elsewhere.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NoReturn

from lightfast_pipelines.language.port import (
    Language,
    LanguageModel,
    ModelUnavailableError,
    Prompt,
    PromptRejectedError,
    Reply,
)
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.model_pauses import pause, pause_in_force, purpose_of, resume
from lightfast_pipelines.store.model_usage import (
    budget_day,
    record_usage,
    reserve_tokens,
    tokens_used,
    used_up,
)

_log = logging.getLogger(__name__)

Clock = Callable[[], datetime]

# With prompts halved breadth first, more failures in a row than these mean that a fifth of all contents
# or more are at fault, which no content is: the answers themselves are not what was agreed.
_MOST_USELESS_IN_A_ROW = 7


class NotAskedError(Exception):
    """No question can be asked now; the message says why, for a person."""


@dataclass(slots=True)
class Asker:
    """Asks one model for one purpose. It commits, so nothing else may be under way on the connection."""

    conn: Connection
    model: LanguageModel
    purpose: str
    daily_tokens: int
    clock: Clock
    requests: int = 0
    useless_in_a_row: int = 0
    has_succeeded: bool = False
    """Whether any request of this run brought a usable answer: then the model is well."""

    @property
    def scope(self) -> str:
        """What is paused if only answers of this purpose are of no use."""
        return purpose_of(self.model.provider, self.purpose)

    def today(self) -> date:
        """The day whose budget is used."""
        return budget_day(self.clock())

    def left(self) -> int:
        """Tokens that are left of today's budget."""
        used = tokens_used(self.conn, self.today(), self.model.provider)
        self.conn.rollback()
        return max(0, self.daily_tokens - used)

    def check_pause(self) -> None:
        """Raises NotAskedError while the provider is not to be asked."""
        paused = pause_in_force(self.conn, self.clock(), self.model.provider, self.scope)
        self.conn.rollback()
        if paused is not None:
            raise NotAskedError(paused.words)

    def ask(self, prompt: Prompt) -> Reply:
        """The reply. Raises NotAskedError, or PromptRejectedError if the prompt itself is refused."""
        day = self.reserve(prompt.estimated_tokens)
        try:
            reply = self.model.ask(prompt)
        except PromptRejectedError as error:
            self.requests += 1
            self.record(day, prompt.estimated_tokens, error=str(error))
            raise
        except ModelUnavailableError as error:
            self.requests += 1
            self.give_up(error, day, 0 if error.maybe_paid else prompt.estimated_tokens)
        self.requests += 1
        self.record(day, prompt.estimated_tokens, reply)
        return reply

    def reserve(self, tokens: int) -> date:
        """Sets tokens of today's budget aside; returns the day. Raises NotAskedError."""
        day = self.today()
        if not reserve_tokens(
            self.conn,
            day=day,
            provider=self.model.provider,
            model=self.model.name,
            purpose=self.purpose,
            tokens=tokens,
            budget=self.daily_tokens,
        ):
            raise NotAskedError(used_up(self.daily_tokens))
        return day

    def record(
        self, day: date, reserved: int, reply: Reply | None = None, error: str | None = None
    ) -> None:
        """Records a request and gives back what was reserved for it."""
        tokens = reply.tokens if reply else None
        record_usage(
            self.conn,
            day=day,
            provider=self.model.provider,
            model=self.model.name,
            purpose=self.purpose,
            requests=1,
            input_tokens=tokens.input if tokens else 0,
            output_tokens=tokens.output if tokens else 0,
            cached_tokens=tokens.cached if tokens else 0,
            failures=int(error is not None),
            error=error,
            reserved_tokens=-reserved,
        )
        self.conn.commit()

    def give_up(self, error: ModelUnavailableError, day: date, reserved: int) -> NoReturn:
        """Pauses the provider. Raises NotAskedError. `reserved` is what certainly was not used."""
        self.record(day, reserved, error=str(error))
        self.pause(str(error), error.retry_after)
        raise NotAskedError(str(error)) from None

    def pause(
        self, error: str, retry_after: float | None = None, *, only_purpose: bool = False
    ) -> None:
        """Pauses the provider, or what it is asked for."""
        asked = self.scope if only_purpose else self.model.provider
        paused = pause(self.conn, asked, self.clock(), error, retry_after)
        self.conn.commit()
        _log.warning("%s is not asked until %s: %s", asked, paused.until, error)

    def was_useful(self) -> None:
        """Notes that a request brought a usable answer."""
        self.useless_in_a_row = 0
        if not self.has_succeeded:
            resume(self.conn, self.model.provider, self.scope)
            self.conn.commit()
        self.has_succeeded = True

    def was_useless(self, problem: str) -> None:
        """Notes that a request brought none. Raises NotAskedError if too many in a row did."""
        self.useless_in_a_row += 1
        if self.useless_in_a_row >= _MOST_USELESS_IN_A_ROW:
            error = f"{self.useless_in_a_row} answers in a row are of no use: {problem}"
            self.pause(error, only_purpose=True)
            raise NotAskedError(error)


@dataclass(slots=True)
class AskingReport:
    """What was `asked` about in a run, and by how many requests.

    `fallbacks` counts, by the problem, the contents that keep what the local rules say; `stopped` says
    why the run ended before everything was asked.
    """

    asked: int = 0
    requests: int = 0
    fallbacks: Counter[str] = field(default_factory=Counter)
    stopped: str | None = None
    seconds: float = 0.0


def ask_while_possible(
    conn: Connection,
    language: Language,
    purpose: str,
    clock: Clock,
    report: AskingReport,
    work: Callable[[Asker], None],
) -> None:
    """Has `work` ask the model that is on, until it is done or the model is not to be asked any more."""
    began = time.monotonic()
    try:
        if language.model is None:
            raise NotAskedError(language.off or "no language model is set up")
        asker = Asker(conn, language.model, purpose, language.daily_tokens, clock)
        try:
            asker.check_pause()
            work(asker)
        finally:
            report.requests = asker.requests
    except NotAskedError as error:
        report.stopped = str(error)
    report.seconds = time.monotonic() - began
