"""Serves the embeddings of OpenAI's API: the wire format, its limits, and what can be wrong with answers.

The vector of a text is made of its words, so texts that share words are near each other, and the same
text has the same vector in any request.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.servers.serving import Receive, Scope, Send, Served, serve

KEY = "sk-test-0123456789abcdef"


@dataclass(slots=True)
class Embeddings:
    """An account of OpenAI. The fields below `inputs` make its answers wrong."""

    inputs: list[list[str]] = field(default_factory=list)
    """The texts of each request that was answered."""
    knows_base64: bool = True
    shuffled: bool = False
    missing: int = 0
    """So many vectors are left out."""
    dimensions: int | None = None
    """Answered instead of what was asked for."""
    not_a_number_for: str | None = None
    """The vector of any text that holds this has a NaN."""
    refused: str | None = None
    """A request with a text that holds this is answered with 400."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        status, answer = self._answer(scope, message["body"])
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(answer).encode()})

    def _answer(self, scope: Scope, body: bytes) -> tuple[int, dict[str, Any]]:
        if (scope["method"], scope["path"]) != ("POST", "/v1/embeddings"):
            return 404, _error("not found", "unknown_url")
        if dict(scope["headers"]).get(b"authorization") != f"Bearer {KEY}".encode():
            return 401, _error(f"Incorrect API key provided: {KEY[:8]}***", "invalid_api_key")
        asked = json.loads(body)
        inputs: list[str] = asked["input"]
        problem = self._problem(inputs)
        if problem is not None:
            return 400, _error(problem, "invalid_request_error")
        self.inputs.append(inputs)
        dimensions = self.dimensions or asked["dimensions"]
        as_base64 = self.knows_base64 and asked.get("encoding_format") == "base64"
        data = [
            self._datum(index, text, dimensions, as_base64) for index, text in enumerate(inputs)
        ][self.missing :]
        if self.shuffled:
            data.reverse()
        tokens = sum(_tokens(text) for text in inputs)
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return 200, {"object": "list", "data": data, "model": asked["model"], "usage": usage}

    def _problem(self, inputs: Sequence[str]) -> str | None:
        if not 1 <= len(inputs) <= 2048 or not all(inputs):
            return "input must be 1 to 2048 strings that are not empty"
        if max(map(_tokens, inputs)) > 8191 or sum(map(_tokens, inputs)) > 300_000:
            return "maximum context length is 8191 tokens, 300000 in a request"
        if self.refused is not None and any(self.refused in text for text in inputs):
            return f"cannot embed {self.refused}"
        return None

    def _datum(self, index: int, text: str, dimensions: int, as_base64: bool) -> dict[str, Any]:
        vector = vector_of(text, dimensions)
        if self.not_a_number_for is not None and self.not_a_number_for in text:
            vector[0] = np.nan
        embedding: object = vector.tolist()
        if as_base64:
            embedding = base64.b64encode(vector.astype("<f4").tobytes()).decode()
        return {"object": "embedding", "index": index, "embedding": embedding}


def vector_of(text: str, dimensions: int) -> NDArray[np.float32]:
    """The unit vector of a text: the sum of a random one for each of its words."""
    total = np.zeros(dimensions)
    for word in text.lower().split():
        seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8])
        total += np.random.default_rng(seed).normal(size=dimensions)
    return (total / np.linalg.norm(total)).astype(np.float32)


def _tokens(text: str) -> int:
    """The most tokens that a text can have: one for each byte."""
    return len(text.encode())


def _error(message: str, code: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "error", "param": None, "code": code}}


@contextmanager
def serve_openai() -> Iterator[tuple[Served, Embeddings]]:
    """The running server, and the account whose answers can be made wrong."""
    account = Embeddings()
    with serve(account) as served:
        yield served, account
