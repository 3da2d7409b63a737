"""A local server that speaks the wire format of Anthropic's Messages and Message Batches APIs.

By default it answers like an honest, dull model: every entry is a `feature`. `answer` replaces that.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.servers.serving import Served, serve

KEY = "sk-ant-api03-" + "k" * 32
_VERSION = "2026-10-21"
_CREATED = "2026-05-04T12:00:00Z"

USAGE = {
    "input_tokens": 100,
    "output_tokens": 40,
    "cache_read_input_tokens": 900,
    "cache_creation_input_tokens": 0,
}

Answer = Callable[[list[dict[str, Any]]], Any]
"""From the entries of a request to the model's answer: a text, or a value that becomes JSON."""


def entries_of(params: dict[str, Any]) -> list[dict[str, Any]]:
    """The entries or clusters that a request holds, as the model reads them."""
    [message] = params["messages"]
    first, data, last = message["content"].split("\n")
    assert (first, last) in {("<entries>", "</entries>"), ("<clusters>", "</clusters>")}
    entries: list[dict[str, Any]] = json.loads(data)
    return entries


def labelled(category: str = "feature", **more: Any) -> Answer:
    """Labels every entry in the same way."""

    def answer(entries: list[dict[str, Any]]) -> Any:
        empty: dict[str, Any] = {"topics": [], "entities": []}
        return {
            "entries": [
                {"n": entry["n"], "category": category, **empty, **more} for entry in entries
            ]
        }

    return answer


@dataclass(slots=True)
class Batch:
    """A batch as the provider keeps it; `results` is None while it is processed."""

    id: str
    requests: list[dict[str, Any]]
    created_at: str = _CREATED
    status: str = "in_progress"
    results: list[dict[str, Any]] | None = None


@dataclass(slots=True)
class AnthropicServer:
    """What the server answers, and the batches that it was given."""

    served: Served = field(default_factory=lambda: Served(""))
    answer: Answer = field(default_factory=labelled)
    stop_reason: str = "end_turn"
    usage: dict[str, int] = field(default_factory=lambda: dict(USAGE))
    batches: dict[str, Batch] = field(default_factory=dict)
    batches_cut: int = 0
    """So many batches are made, and the connection is cut before their submitter learns it."""

    @property
    def questions(self) -> list[dict[str, Any]]:
        """The bodies of the requests that asked for an answer at once."""
        return [
            json.loads(asked.body) for asked in self.served.asked if asked.path == "/v1/messages"
        ]

    def finish(self, batch_id: str, **results: dict[str, Any]) -> None:
        """Ends a batch: every request is answered, except those with a result of their own."""
        batch = self.batches[batch_id]
        batch.status = "ended"
        batch.results = [
            {
                "custom_id": request["custom_id"],
                "result": results.get(request["custom_id"])
                or {"type": "succeeded", "message": self.message(request["params"])},
            }
            # In another order than they were asked in.
            for request in reversed(batch.requests)
        ]

    def message(self, params: dict[str, Any]) -> dict[str, Any]:
        answer = self.answer(entries_of(params))
        text = answer if isinstance(answer, str) else json.dumps(answer)
        return {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": params["model"],
            "content": [{"type": "text", "text": text}],
            "stop_reason": self.stop_reason,
            "stop_sequence": None,
            "usage": self.usage,
        }

    def application(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/v1/messages", self._messages, methods=["POST"]),
                Route("/v1/messages/batches", self._create, methods=["POST"]),
                Route("/v1/messages/batches", self._list, methods=["GET"]),
                Route("/v1/messages/batches/{id}", self._retrieve, methods=["GET"]),
                Route("/v1/messages/batches/{id}/results", self._results, methods=["GET"]),
            ]
        )

    async def _messages(self, request: Request) -> Response:
        if refused := _refused(request):
            return refused
        params = await request.json()
        if problem := _problem(params):
            return _error(400, "invalid_request_error", problem)
        return JSONResponse(self.message(params))

    async def _create(self, request: Request) -> Response:
        if refused := _refused(request):
            return refused
        requests = (await request.json())["requests"]
        ids = [one["custom_id"] for one in requests]
        if len(set(ids)) != len(ids) or not all(0 < len(name) <= 64 for name in ids):
            return _error(400, "invalid_request_error", "custom_id: unique, 1 to 64 characters")
        if problem := next(filter(None, (_problem(one["params"]) for one in requests)), None):
            return _error(400, "invalid_request_error", problem)
        batch = Batch(f"msgbatch_{len(self.batches) + 1}", requests)
        self.batches[batch.id] = batch
        if self.batches_cut:
            self.batches_cut -= 1
            return Response(b"{", headers={"content-length": "500"})
        return JSONResponse(self._shown(batch))

    async def _list(self, request: Request) -> Response:
        if refused := _refused(request):
            return refused
        data = [self._shown(batch) for batch in reversed(self.batches.values())]
        return JSONResponse({"data": data, "has_more": False, "first_id": None, "last_id": None})

    async def _retrieve(self, request: Request) -> Response:
        batch = self.batches.get(request.path_params["id"])
        if batch is None:
            return _error(404, "not_found_error", "no such batch")
        return _refused(request) or JSONResponse(self._shown(batch))

    async def _results(self, request: Request) -> Response:
        batch = self.batches.get(request.path_params["id"])
        if batch is None or batch.results is None:
            return _error(404, "not_found_error", "no results")
        lines = "".join(f"{json.dumps(result)}\n" for result in batch.results)
        return Response(lines, media_type="application/x-jsonl")

    def _shown(self, batch: Batch) -> dict[str, Any]:
        counts = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)
        for result in batch.results or ():
            counts[result["result"]["type"]] += 1
        if batch.results is None:
            counts["processing"] = len(batch.requests)
        url = f"{self.served.url}/v1/messages/batches/{batch.id}/results"
        return {
            "id": batch.id,
            "type": "message_batch",
            "processing_status": batch.status,
            "request_counts": counts,
            "created_at": batch.created_at,
            "expires_at": "2026-05-05T12:00:00Z",
            "ended_at": None if batch.results is None else "2026-05-04T13:00:00Z",
            "archived_at": None,
            "cancel_initiated_at": None,
            "results_url": None if batch.results is None else url,
        }


def _refused(request: Request) -> Response | None:
    if request.headers.get("authorization") != f"Bearer {KEY}":
        return _error(401, "authentication_error", f"invalid key {KEY}")
    if request.headers.get("anthropic-version") != _VERSION:
        return _error(400, "invalid_request_error", "anthropic-version")
    return None


def _problem(params: dict[str, Any]) -> str | None:
    """What the real API would refuse in such a request."""
    if {"tools", "temperature", "top_p", "top_k"} & params.keys():
        return "unexpected parameter"
    form = params["output_config"]["format"]
    if form["type"] != "json_schema" or form["schema"].get("additionalProperties") is not False:
        return "output_config.format: a closed object is needed"
    return None if params["max_tokens"] > 0 else "max_tokens"


def _error(status: int, kind: str, message: str) -> Response:
    body = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}
    return JSONResponse(body, status_code=status)


@contextmanager
def anthropic_server() -> Iterator[AnthropicServer]:
    """Runs the server until the block ends."""
    server = AnthropicServer()
    with serve(server.application()) as served:
        server.served = served
        yield server
