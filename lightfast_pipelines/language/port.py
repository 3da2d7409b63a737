"""What a language model is to the rest of the code: one closed question, one text in answer.

Prompts and the reading of answers stand beside this file (`observations.py`, `summaries.py`), the
vendor's wire format in `claude.py`. Nothing here calls out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

Ending = Literal["complete", "cut short", "refused"]


@dataclass(frozen=True, slots=True)
class Prompt:
    """A question without tools whose answer is JSON of a closed schema.

    `system` is the same for all prompts of a purpose, so that providers can cache it. `data` holds the
    payloads' texts, encoded so that nothing in them can end the data.
    """

    system: str
    data: str
    schema: Mapping[str, Any]
    max_tokens: int

    @property
    def estimated_tokens(self) -> int:
        """A bound for what the request may use. Three bytes a token are few for English, about right
        for code, and too many only for scripts that take several tokens a character."""
        size = sum(len(text.encode()) for text in (self.system, self.data, str(self.schema)))
        return size // 3 + self.max_tokens


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """What a request used. `input` includes `cached`, which the provider read from its prompt cache."""

    input: int = 0
    output: int = 0
    cached: int = 0

    def __add__(self, other: TokenCounts) -> TokenCounts:
        return TokenCounts(
            self.input + other.input, self.output + other.output, self.cached + other.cached
        )


@dataclass(frozen=True, slots=True)
class Reply:
    """The model's text as it came: nobody has checked yet whether it is an answer."""

    text: str
    ending: Ending
    tokens: TokenCounts


class ModelUnavailableError(Exception):
    """The model cannot be asked now: an outage, a rate limit, or a setting. No question is at fault.

    `retry_after` are the seconds that the provider asks to wait. With `maybe_paid` the request may have
    been answered and counted although no answer came. The message holds no secret.
    """

    def __init__(
        self, message: str, *, retry_after: float | None = None, maybe_paid: bool = False
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.maybe_paid = maybe_paid


class PromptRejectedError(Exception):
    """The provider does not accept this prompt: it may hold too much. The message holds no secret."""


@dataclass(frozen=True, slots=True)
class SubmittedBatch:
    """A batch at the provider. `requests` counts all of it; `is_over`: its results can be read."""

    id: str
    requests: int
    created_at: datetime
    is_over: bool


@dataclass(frozen=True, slots=True)
class PromptResult:
    """What became of one prompt of a batch.

    There is a `reply`, or the prompt was `rejected`, or it was not asked (the batch expired or was
    canceled, or the provider failed), and may be asked again.
    """

    custom_id: str
    reply: Reply | None = None
    rejected: bool = False


class LanguageModel(Protocol):
    """A model that answers prompts at once, or many of them later and for less."""

    @property
    def provider(self) -> str: ...

    @property
    def name(self) -> str: ...

    def ask(self, prompt: Prompt) -> Reply:
        """Raises ModelUnavailableError or PromptRejectedError."""
        ...

    def submit(self, prompts: Mapping[str, Prompt]) -> SubmittedBatch:
        """Submits a batch of prompts by their custom ids. Raises the same errors."""
        ...

    def batch(self, batch_id: str) -> SubmittedBatch | None:
        """The batch as it is now; None if the provider does not have it any more."""
        ...

    def recent_batches(self, since: datetime) -> Sequence[SubmittedBatch]:
        """The batches that were submitted after this time, by anybody."""
        ...

    def results(self, batch_id: str) -> Iterator[PromptResult]:
        """The results of a batch that is over, in any order."""
        ...


@dataclass(frozen=True, slots=True)
class Language:
    """The language model that the settings turn on, or why there is none; and its daily budget."""

    model: LanguageModel | None
    off: str | None = None
    daily_tokens: int = 0


NO_LANGUAGE = Language(None, "ANTHROPIC_API_KEY is not set")
