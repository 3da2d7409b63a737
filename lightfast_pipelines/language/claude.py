"""Claude behind the port, with Anthropic's own SDK, which is imported only when a model is asked.

It decides what an error means; when to ask again is decided in `asking.py`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from time import sleep as sleep_seconds
from typing import TYPE_CHECKING, Any, TypeVar

from lightfast_pipelines.domain.secrets.masking import mask_text
from lightfast_pipelines.language.port import (
    NO_LANGUAGE,
    Ending,
    Language,
    ModelUnavailableError,
    Prompt,
    PromptRejectedError,
    PromptResult,
    Reply,
    SubmittedBatch,
    TokenCounts,
)
from lightfast_pipelines.settings import Settings

if TYPE_CHECKING:
    import tenacity
    from anthropic import Anthropic
    from anthropic.types import Message, Usage
    from anthropic.types.messages import (
        MessageBatch,
        MessageBatchIndividualResponse,
        MessageBatchRequestCounts,
    )

_T = TypeVar("_T")

# An answer about 20 observations takes some ten seconds.
_SECONDS = 60.0
_CONNECT_SECONDS = 5.0
# A request that fails is sent once more at once; everything longer is left to a later run.
_ATTEMPTS = 2
_LONGEST_WAIT = 5.0
_FIRST_WAIT = 0.5
_LONGEST_MESSAGE = 200
# Statuses that refuse the prompt itself, which may hold too much.
_REJECTED = frozenset({400, 413, 422})


@dataclass(frozen=True)
class Claude:
    """One of Anthropic's models, asked without tools and without thinking."""

    name: str
    key: str
    base_url: str | None = None
    seconds: float = _SECONDS
    sleep: Callable[[float], None] = sleep_seconds
    provider: str = "anthropic"

    def __repr__(self) -> str:
        return f"Claude({self.name!r})"

    def ask(self, prompt: Prompt) -> Reply:
        return self._call(lambda client: _reply(client.messages.create(**self._parameters(prompt))))

    def submit(self, prompts: Mapping[str, Prompt]) -> SubmittedBatch:
        requests: Any = [
            {"custom_id": custom_id, "params": self._parameters(prompt)}
            for custom_id, prompt in prompts.items()
        ]
        # Not sent twice: if the answer was lost, the batch may exist, and is paid for.
        return self._call(
            lambda client: _batch(client.messages.batches.create(requests=requests)), attempts=1
        )

    def batch(self, batch_id: str) -> SubmittedBatch | None:
        import anthropic

        def retrieve(client: Anthropic) -> SubmittedBatch | None:
            try:
                return _batch(client.messages.batches.retrieve(batch_id))
            except anthropic.NotFoundError:
                return None

        return self._call(retrieve)

    def recent_batches(self, since: datetime) -> Sequence[SubmittedBatch]:
        def recent(client: Anthropic) -> list[SubmittedBatch]:
            batches = []
            # The newest come first.
            for batch in client.messages.batches.list(limit=100):
                if batch.created_at < since:
                    break
                batches.append(_batch(batch))
            return batches

        return self._call(recent)

    def results(self, batch_id: str) -> Iterator[PromptResult]:
        # Read as a whole before any is used: a connection may be cut in the middle of a line.
        yield from self._call(
            lambda client: [_result(line) for line in client.messages.batches.results(batch_id)]
        )

    def _parameters(self, prompt: Prompt) -> dict[str, Any]:
        return {
            "model": self.name,
            "max_tokens": prompt.max_tokens,
            "thinking": {"type": "disabled"},
            "system": [
                {"type": "text", "text": prompt.system, "cache_control": {"type": "ephemeral"}}
            ],
            "messages": [{"role": "user", "content": prompt.data}],
            "output_config": {"format": {"type": "json_schema", "schema": dict(prompt.schema)}},
        }

    def _call(self, request: Callable[[Anthropic], _T], attempts: int = _ATTEMPTS) -> _T:
        """What the request returns. Sends it once more if the failure may be temporary."""
        import anthropic
        import tenacity

        # A line for each request would reach the terminal: wordllama shows everybody's INFO.
        logging.getLogger("httpx2").setLevel(logging.WARNING)
        # A client of its own, so that no connection stays open between two requests.
        client = anthropic.Anthropic(
            api_key=self.key,
            base_url=self.base_url or "https://api.anthropic.com",
            timeout=anthropic.Timeout(self.seconds, connect=_CONNECT_SECONDS),
            # The SDK would sleep for as long as `retry-after` says, which may be an hour.
            max_retries=0,
        )
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(attempts),
            retry=tenacity.retry_if_exception(_is_temporary),
            wait=_wait,
            sleep=self.sleep,
            reraise=True,
        )
        try:
            with client:
                return retrying(request, client)
        except Exception as error:
            raise _explained(error, self.key) from None


def language_of(settings: Settings) -> Language:
    """The language model that the settings turn on."""
    if settings.anthropic_api_key is None:
        return NO_LANGUAGE
    model = Claude(
        settings.anthropic_model,
        settings.anthropic_api_key.get_secret_value(),
        settings.anthropic_base_url,
    )
    return Language(model, daily_tokens=settings.anthropic_daily_tokens)


class UnreadableAnswerError(ValueError):
    """The provider's answer is not of its own form: the SDK does not check that."""


def _reply(message: Message) -> Reply:
    usage: Usage | None = getattr(message, "usage", None)
    if usage is None or not isinstance(message.content, list):
        raise UnreadableAnswerError
    cached = usage.cache_read_input_tokens or 0
    written = usage.cache_creation_input_tokens or 0
    endings: dict[str | None, Ending] = {
        "refusal": "refused",
        "max_tokens": "cut short",
        "model_context_window_exceeded": "cut short",
    }
    return Reply(
        "".join(block.text for block in message.content if block.type == "text"),
        endings.get(message.stop_reason, "complete"),
        TokenCounts(usage.input_tokens + cached + written, usage.output_tokens, cached),
    )


def _batch(batch: MessageBatch) -> SubmittedBatch:
    counts: MessageBatchRequestCounts | None = getattr(batch, "request_counts", None)
    if counts is None or not batch.id:
        raise UnreadableAnswerError
    total = counts.processing + counts.succeeded + counts.errored + counts.canceled + counts.expired
    return SubmittedBatch(
        batch.id, total, batch.created_at.astimezone(UTC), batch.processing_status == "ended"
    )


def _result(line: MessageBatchIndividualResponse) -> PromptResult:
    result = line.result
    if result.type == "succeeded":
        return PromptResult(line.custom_id, _reply(result.message))
    rejected = result.type == "errored" and result.error.error.type == "invalid_request_error"
    return PromptResult(line.custom_id, rejected=rejected)


def _retry_after(error: BaseException) -> float | None:
    """Seconds that the provider asks to wait. (It may also send a date, which no answer of its API had.)"""
    response = getattr(error, "response", None)
    value = response.headers.get("retry-after", "") if response is not None else ""
    try:
        return max(0.0, float(value))
    except ValueError:
        return None


def _is_temporary(error: BaseException) -> bool:
    """Whether the same request may succeed in a moment. After a time-out it would be paid twice."""
    import anthropic

    if isinstance(error, anthropic.APITimeoutError):
        return False
    if isinstance(error, anthropic.APIStatusError):
        is_passing = error.status_code in {408, 409, 429} or error.status_code >= 500
        return is_passing and (_retry_after(error) or 0.0) <= _LONGEST_WAIT
    return isinstance(error, anthropic.APIConnectionError) and not _was_sent(error)


def _was_sent(error: BaseException) -> bool:
    """Whether the request may have reached the provider, which then counts it."""
    return type(error.__cause__).__name__ not in {"ConnectError", "ConnectTimeout"}


def _wait(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    return max(_FIRST_WAIT, (_retry_after(error) if error else None) or 0.0)


def _explained(error: Exception, key: str) -> Exception:
    """The error in the port's terms. Its message names the cause and never the key."""
    import anthropic
    import httpx2

    if isinstance(error, anthropic.APIStatusError):
        kind = f" ({error.type})" if error.type else ""
        hint = ": check ANTHROPIC_API_KEY" if error.status_code in {401, 403} else ""
        said = f": {error.api_message}" if error.api_message else ""
        message = f"Anthropic answered {error.status_code}{kind}{hint}{said}"
        if error.status_code in _REJECTED:
            return PromptRejectedError(_shown(message, key))
        return ModelUnavailableError(_shown(message, key), retry_after=_retry_after(error))
    if isinstance(error, anthropic.APITimeoutError):
        return ModelUnavailableError("no answer in time", maybe_paid=_was_sent(error))
    # While it streams results, the SDK lets the errors of its HTTP library through.
    if isinstance(error, anthropic.APIConnectionError | httpx2.HTTPError):
        return ModelUnavailableError("no connection, or it was cut", maybe_paid=_was_sent(error))
    if isinstance(error, anthropic.AnthropicError | ValueError):
        # No JSON, or not of the API's form.
        return ModelUnavailableError("an answer that cannot be read", maybe_paid=True)
    return error


def _shown(message: str, key: str) -> str:
    return mask_text(message.replace(key, "…"))[:_LONGEST_MESSAGE]
