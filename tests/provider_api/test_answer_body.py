"""Answers of a hostile provider: too large, packed, deep, endless, dated beyond any calendar."""

from __future__ import annotations

import gzip
import itertools
import tracemalloc
import zlib
from collections.abc import Iterator, Sequence
from datetime import datetime

import httpx
import pytest

from lightfast_pipelines.provider_api.answer_body import (
    MAX_BYTES,
    MAX_SECONDS,
    UnusableBodyError,
    read_json,
)
from lightfast_pipelines.provider_api.budget import RateBudget
from lightfast_pipelines.provider_api.client import ApiClient, Credentials
from lightfast_pipelines.provider_api.transport import open_http_client, send
from lightfast_pipelines.providers.api_contract import AnswerOutcome, Call, Credential, Limit
from tests.backfill.plain import PlainProviderApi
from tests.servers.serving import Receive, Scope, Send, serve

MIB = 1024 * 1024


class LiveToken(Credentials):
    def current(self) -> Credential:
        return Credential("app_token", "live-token")


class UnlimitedBudget(RateBudget):
    def __init__(self) -> None: ...

    def take(self, pool: str, cost: float) -> float:
        return 0.0

    def learn(
        self, limits: Sequence[Limit], *, pool: str, cost: float, answered_at: datetime
    ) -> None: ...


class Answering:
    """Answers every request with these headers and pieces of a body, until the client is gone."""

    def __init__(self, *pieces: bytes, times: int = 1, **headers: str) -> None:
        self._pieces, self._times = pieces, times
        self._headers = [(n.replace("_", "-").encode(), v.encode()) for n, v in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": self._headers}
        await send(start)
        for piece in self._pieces * self._times:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body"})


def packed(mib: int, layers: int = 1) -> bytes:
    """A list with blanks in it, a thousandth of its size per layer."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    pieces = [packer.compress(b"["), *(packer.compress(b" " * MIB) for _ in range(mib))]
    content = b"".join([*pieces, packer.compress(b"]"), packer.flush()])
    for _ in range(layers - 1):
        content = gzip.compress(content)
    return content


def read(app: Answering) -> object:
    with (
        serve(app) as server,
        open_http_client(5.0) as http,
        http.stream("GET", f"{server.url}/page") as response,
    ):
        return read_json(response)


@pytest.mark.parametrize(
    ("app", "outcome"),
    [
        (Answering(packed(400), content_encoding="gzip"), AnswerOutcome.HEAVY),
        (Answering(packed(400, 2), content_encoding="gzip, gzip"), AnswerOutcome.MALFORMED),
        (Answering(b" " * MIB, times=400), AnswerOutcome.HEAVY),
        (Answering(packed(0), b" " * MIB, times=99, content_encoding="gzip"), AnswerOutcome.HEAVY),
        (Answering(b"[" + b"[]," * 2_000_000 + b"1]"), AnswerOutcome.HEAVY),
        (Answering(b"[" * 300 + b"]" * 300), AnswerOutcome.HEAVY),
        (Answering(b"[]", content_encoding="br"), AnswerOutcome.MALFORMED),
        (Answering(b"[]", content_encoding="gzip"), AnswerOutcome.MALFORMED),
        (Answering(b"<html>", content_type="text/html"), AnswerOutcome.MALFORMED),
    ],
    ids=["packed", "packed twice", "large", "after its end", "many", "deep", "br", "plain", "html"],
)
def test_an_answer_that_is_too_much_is_refused_at_a_bounded_cost(
    app: Answering, outcome: AnswerOutcome
) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(UnusableBodyError) as raised:
            read(app)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert raised.value.outcome is outcome
    assert peak < 3 * MAX_BYTES


def test_a_packed_answer_is_unpacked() -> None:
    assert read(Answering(gzip.compress(b'[{"id":1}]'), content_encoding="gzip")) == [{"id": 1}]


def test_an_answer_that_never_ends_is_left_after_some_time() -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b" "

    response = httpx.Response(200, content=endless())
    clock = itertools.count(step=MAX_SECONDS / 10)
    with pytest.raises(UnusableBodyError) as raised:
        read_json(response, clock=lambda: float(next(clock)))
    assert raised.value.outcome is AnswerOutcome.UNAVAILABLE


def test_a_token_is_not_read_from_a_body_that_is_too_large() -> None:
    app = Answering(packed(400), content_encoding="gzip")
    with serve(app) as server, open_http_client(5.0) as http:
        answer = send(http, Call("/token", method="POST"), f"{server.url}/token", {}).answer
    assert (answer.status, answer.data) == (200, None)


@pytest.mark.parametrize(
    "date", ["Fri, 31 Dec 9999 23:59:59 -2300", "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"]
)
def test_a_date_beyond_the_calendar_ends_no_backfill(date: str) -> None:
    answering = httpx.MockTransport(
        lambda _: httpx.Response(200, headers={"date": date}, content=iter([b"[]"]))
    )
    with httpx.Client(transport=answering) as http:
        api = ApiClient(
            PlainProviderApi(),
            "http://api.test",
            http,
            LiveToken(),
            UnlimitedBudget(),
            sleep=lambda _: None,
        )
        assert api.ask(Call("/items")).data == []
