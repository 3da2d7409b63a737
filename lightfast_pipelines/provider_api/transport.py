"""Sends one request to a provider's API over HTTP and reads its answer as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from lightfast_pipelines.provider_api.answer_body import (
    ACCEPTED_ENCODING,
    UnusableBodyError,
    read_json,
)
from lightfast_pipelines.providers.api_contract import (
    Answer,
    AnswerOutcome,
    Call,
    ProviderApi,
    Verdict,
)


@dataclass(frozen=True, slots=True)
class Exchange:
    """An answer and how long it took; its status is 0 if none came.

    `failure` says why there is no answer, or why its body cannot be used.
    """

    answer: Answer
    seconds: float = 0.0
    failure: Verdict | None = None


@contextmanager
def open_http_client(timeout_seconds: float) -> Iterator[httpx.Client]:
    """The HTTP client of a process.

    It follows no redirects by itself. It takes no proxy from the environment: a proxy would see where
    requests go and, over plain HTTP, their credentials.
    """
    timeout = httpx.Timeout(timeout_seconds, connect=10.0)
    with httpx.Client(
        timeout=timeout,
        follow_redirects=False,
        trust_env=False,
        headers={"Accept-Encoding": ACCEPTED_ENCODING},
    ) as client:
        yield client


def url_of(provider_api: ProviderApi, base_url: str, call: Call) -> str:
    if "://" in call.path:
        return call.path
    return provider_api.address(base_url.rstrip("/"), call.path)


def without_query(url: str) -> str:
    """Host and path of an address, for messages: a query may hold ids of people."""
    parts = urlsplit(url)
    return f"{parts.netloc}{parts.path}"


def send(http: httpx.Client, call: Call, url: str, headers: Mapping[str, str]) -> Exchange:
    """Sends the call with these headers, follows no redirect, and bounds what the body may cost."""
    data, failure = None, None
    try:
        with http.stream(
            call.method,
            url,
            params=dict(call.params) or None,
            json=call.json,
            data=dict(call.form) if call.form is not None else None,
            headers=dict(headers),
            follow_redirects=False,
        ) as response:
            try:
                data = read_json(response)
            except UnusableBodyError as error:
                failure = Verdict(error.outcome, f"{without_query(url)} answered {error}")
    except httpx.TransportError as error:
        why = f"{without_query(url)} cannot be reached ({type(error).__name__})"
        if isinstance(error, httpx.TimeoutException):
            why = f"{without_query(url)} did not answer in time"
        return Exchange(Answer(0, {}, None, url), failure=Verdict(AnswerOutcome.UNAVAILABLE, why))
    received = {name.lower(): value for name, value in response.headers.items()}
    answer = Answer(response.status_code, received, data, str(response.url))
    return Exchange(answer, response.elapsed.total_seconds(), failure)
