"""The hosted embedder: OpenAI's embedding models, by their own client.

It knows their limits and checks what they answer. `hosted_stage.py` decides what is embedded and what
follows from a failure.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from lightfast_pipelines.embedding.embedder import EmbeddingUsage, RefusedTextError, plain_text
from lightfast_pipelines.inbox.isolation import ServiceUnavailableError
from lightfast_pipelines.settings import Settings
from lightfast_pipelines.settings.services import MOST_DIMENSIONS, OpenAIModel

if TYPE_CHECKING:
    import numpy as np
    import openai
    from numpy.typing import NDArray
    from openai.types import CreateEmbeddingResponse

EMBEDDER_IS_OFF = "OPENAI_API_KEY is not set"

_PUBLIC = "https://api.openai.com"

# OpenAI's limits are 8,191 tokens a text and 300,000 a request. A token of a byte-level vocabulary has
# at least one byte, so a number of bytes bounds them without the vocabulary, which would be a download.
# English has four bytes a token: only texts of more than 8,191 characters lose their end.
TEXT_BYTES = 8_191
_REQUEST_BYTES = 300_000
# The limit is 2,048. 1,024 vectors of 3,072 dimensions are an answer of 16 MiB.
_REQUEST_TEXTS = 1_024

# A request is sent this often at most, and a pause that the service asks for is respected up to this
# long: then the stage gives its turn back, and a later run goes on.
_ATTEMPTS = 3
_LONGEST_PAUSE = 20.0
_FIRST_PAUSE = 0.5
# How far from 1 a vector's length may be. Answers are rounded to float32, which is 1e-6.
_LENGTH_TOLERANCE = 0.01


class OpenAIEmbedder:
    """Embeds by requests of bounded size; every vector has length 1, or is zero for a blank text.

    Raises ServiceUnavailableError if the service does not answer usably, RefusedTextError if one of the
    texts is at fault. `take_usage` also counts what failed requests used.
    """

    provider = "openai"

    def __init__(
        self,
        api_key: str,
        *,
        model: OpenAIModel = "text-embedding-3-small",
        dimensions: int | None = None,
        url: str | None = None,
        timeout_seconds: float = 30.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.dimensions = dimensions or MOST_DIMENSIONS[model]
        self.name = f"{model}-{self.dimensions}"
        self._api_key = api_key
        self._model = model
        self._url = f"{(url or _PUBLIC).removesuffix('/v1')}/v1"
        self._timeout_seconds = timeout_seconds
        self._sleep = sleep
        self._client: openai.OpenAI | None = None
        self._usage = EmbeddingUsage()

    def __repr__(self) -> str:
        return f"OpenAIEmbedder({self.name})"

    def close(self) -> None:
        """Closes the connections; the next request opens them again."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def take_usage(self) -> EmbeddingUsage:
        """What was used since the last call."""
        usage, self._usage = self._usage, EmbeddingUsage()
        return usage

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(len(texts), dimensions) float32, rows of length 1; all zeros for a blank text."""
        import numpy as np

        vectors = np.zeros((len(texts), self.dimensions), np.float32)
        for rows, inputs in _requests(texts):
            vectors[rows] = self._embed(inputs)
        return vectors

    def _embed(self, inputs: Sequence[str]) -> NDArray[np.float32]:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._ask(inputs)
            except _RetryLater as failure:
                if attempt == _ATTEMPTS or failure.pause > _LONGEST_PAUSE:
                    raise ServiceUnavailableError(str(failure), failure.pause or None) from None
                self._sleep(failure.pause or _FIRST_PAUSE * 2.0 ** (attempt - 1))
        raise AssertionError("the last attempt returns or raises")

    def _ask(self, inputs: Sequence[str]) -> NDArray[np.float32]:
        """One request. Its failure is noted; no message holds the key or a text."""
        self._usage.requests += 1
        try:
            answer = self._request(inputs)
            return self._read(answer, len(inputs))
        except (_RetryLater, ServiceUnavailableError, RefusedTextError) as failure:
            self._usage.failures += 1
            self._usage.error = str(failure)
            raise

    def _request(self, inputs: Sequence[str]) -> CreateEmbeddingResponse:
        import openai

        try:
            return self._opened().embeddings.create(
                model=self._model,
                input=list(inputs),
                dimensions=self.dimensions,
                # If the encoding is named, the client leaves the numbers as they came: by default it
                # makes lists of Python floats, 150 MB of them for a large request.
                encoding_format="base64",
            )
        except openai.APITimeoutError:
            raise _RetryLater(f"OpenAI did not answer within {self._timeout_seconds:g} s") from None
        except openai.APIConnectionError as error:
            reason = type(error.__cause__ or error).__name__
            raise _RetryLater(f"the connection to OpenAI failed: {reason}") from None
        except openai.APIStatusError as error:
            raise _failure(error) from None
        except (openai.OpenAIError, ValueError) as error:  # a body that is not JSON
            raise _RetryLater(f"OpenAI's answer cannot be read: {type(error).__name__}") from None

    def _read(self, answer: CreateEmbeddingResponse, count: int) -> NDArray[np.float32]:
        try:
            self._usage.tokens += answer.usage.prompt_tokens
            return _vectors(answer, count, self.dimensions)
        except (
            AttributeError,
            TypeError,
        ) as error:  # JSON of another shape, which the client lets pass
            raise _RetryLater(f"OpenAI's answer cannot be read: {type(error).__name__}") from None

    def _opened(self) -> openai.OpenAI:
        if self._client is None:
            import openai

            # `_embed` repeats requests: the client would wait up to two minutes, twice.
            self._client = openai.OpenAI(
                api_key=self._api_key,
                base_url=self._url,
                timeout=self._timeout_seconds,
                max_retries=0,
            )
        return self._client


class _RetryLater(Exception):
    """A failed request that may succeed after `pause` seconds; 0 if the service named no pause."""

    def __init__(self, message: str, pause: float = 0.0) -> None:
        super().__init__(message)
        self.pause = pause


def openai_embedder(settings: Settings, name: str | None = None) -> OpenAIEmbedder | None:
    """The embedder that the settings turn on; None without a key.

    `name` asks for another model by the name its vectors carry, such as a former one that still serves
    searches; None if OpenAI has no such model.
    """
    if settings.openai_api_key is None:
        return None
    model, dimensions = settings.openai_model, settings.openai_dimensions
    if name is not None:
        wanted, _, length = name.rpartition("-")
        models = [known for known in MOST_DIMENSIONS if known == wanted]
        if not models or not length.isdecimal():
            return None
        model, dimensions = models[0], int(length)
    return OpenAIEmbedder(
        settings.openai_api_key.get_secret_value(),
        model=model,
        dimensions=dimensions,
        url=settings.openai_api_url,
        timeout_seconds=settings.api_timeout_seconds,
    )


def _requests(texts: Sequence[str]) -> Iterator[tuple[list[int], list[str]]]:
    """(rows, their texts) of each request; blank texts, which the service refuses, are left out."""
    rows: list[int] = []
    inputs: list[str] = []
    size = 0
    for row, text in enumerate(texts):
        encoded = plain_text(text).encode()[:TEXT_BYTES]
        shortened = encoded.decode("utf-8", "ignore")
        if not shortened.strip():
            continue
        if inputs and (size + len(encoded) > _REQUEST_BYTES or len(inputs) == _REQUEST_TEXTS):
            yield rows, inputs
            rows, inputs, size = [], [], 0
        rows.append(row)
        inputs.append(shortened)
        size += len(encoded)
    if inputs:
        yield rows, inputs


def _failure(error: openai.APIStatusError) -> Exception:
    """What follows from an error status. The service's message is left out: it may quote a text."""
    status = error.status_code
    code = f" ({error.code})" if error.code else ""
    if status in {400, 413, 422}:
        return RefusedTextError(f"OpenAI refused the request: {status}{code}")
    message = f"OpenAI answered {status}{code}"
    if status in {401, 403}:
        return ServiceUnavailableError(f"{message}: check OPENAI_API_KEY")
    if status == 404:
        return ServiceUnavailableError(
            f"{message}: check OPENAI_API_URL and LIGHTFAST_OPENAI_MODEL"
        )
    if error.code == "insufficient_quota":
        return ServiceUnavailableError(f"{message}: the account has no credit left")
    return _RetryLater(message, _pause(error.response.headers))


def _pause(headers: Any) -> float:
    """Seconds that the service asks to wait; 0 if it does not say."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers[name]) * unit)
        except (KeyError, ValueError):
            continue  # absent, or a date: then the usual pause is right
    return 0.0


def _vectors(answer: CreateEmbeddingResponse, count: int, dimensions: int) -> NDArray[np.float32]:
    """The vectors in the order of the texts, checked and scaled to length 1 exactly."""
    import numpy as np

    vectors = np.zeros((count, dimensions), np.float32)
    given = sorted(embedding.index for embedding in answer.data)
    if given != list(range(count)):
        raise _RetryLater(f"OpenAI answered {len(given)} vectors to {count} texts")
    for embedding in answer.data:
        vector = _numbers(embedding.embedding)
        if vector.shape != (dimensions,):
            raise ServiceUnavailableError(
                f"OpenAI answered {vector.size} dimensions where {dimensions} were asked for: check "
                "OPENAI_API_URL and LIGHTFAST_OPENAI_DIMENSIONS"
            )
        vectors[embedding.index] = vector
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    # Also false for a NaN.
    if not bool(np.all(np.abs(lengths - 1) <= _LENGTH_TOLERANCE)):
        raise RefusedTextError("OpenAI made a vector that is not of length 1")
    vectors /= lengths
    return vectors


def _numbers(embedding: object) -> NDArray[np.float32]:
    """A vector as it came: base64 of little-endian float32, or numbers where a proxy knows no base64."""
    import base64

    import numpy as np

    try:
        if isinstance(embedding, str):
            return np.frombuffer(base64.b64decode(embedding, validate=True), "<f4")
        return np.asarray(embedding, np.float32)
    except ValueError:
        raise _RetryLater("OpenAI's answer cannot be read: no numbers") from None
