"""Asks a provider for a new access token: what is sent, and what an answer to it means.

Every message is written from what we know ourselves: an answer may hold a token. Who asks, when, and
what is kept of it stands in `credentials.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any
from urllib.parse import urljoin

import httpx

from lightfast_pipelines.provider_api.answer_body import UnusableBodyError, read_json
from lightfast_pipelines.provider_api.client import CallFailedError
from lightfast_pipelines.providers.api_contract import (
    Answer,
    AnswerOutcome,
    Call,
    Credential,
    ProviderApi,
    Renewed,
)

ATTEMPTS = 3

# Of OAuth (RFC 6749, 5.2): the application is at fault, which the settings name; the token may be good.
_OF_THE_APPLICATION = frozenset({"invalid_client", "unauthorized_client"})
_PASSING = frozenset({408, 425, 429})


class CredentialError(CallFailedError):
    """There is no credential to ask with; the message says what to do and holds no secret."""

    def __init__(self, message: str) -> None:
        super().__init__(AnswerOutcome.CREDENTIAL, message)


class CredentialRefusedError(CredentialError):
    """The provider takes the credential no more: it is marked so until another is given."""


class RenewalFailedError(CallFailedError):
    """The provider could not be asked for a new token just now; the credential is not at fault."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(AnswerOutcome.UNAVAILABLE, message, retry_after)


def sender(http: httpx.Client, base_url: str) -> Callable[[Call], Answer]:
    """Sends a renewal, without the old credential and never to where an answer points.

    An answer of status 0 says that none came.
    """

    def send(call: Call) -> Answer:
        url = urljoin(
            base_url.rstrip("/") + "/", call.path if "://" in call.path else call.path.lstrip("/")
        )
        data: Any = None
        try:
            with (
                http.stream(
                    call.method,
                    url,
                    params=dict(call.params) or None,
                    json=call.json,
                    data=dict(call.form) if call.form is not None else None,
                    headers=dict(call.headers),
                    follow_redirects=False,
                ) as response,
                suppress(UnusableBodyError),
            ):
                data = read_json(response)
        except httpx.TransportError:
            return Answer(0, {}, None, url)
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status_code, headers, data, url)

    return send


def ask_for_token(
    provider_api: ProviderApi,
    credential: Credential,
    call: Call,
    *,
    send: Callable[[Call], Answer],
    clock: Callable[[], datetime],
    sleep: Callable[[float], None],
) -> Renewed:
    """What the provider gives, asked again where that may help.

    Raises CredentialRefusedError, CredentialError for what the settings are to blame for,
    RenewalFailedError.
    """
    problem, retry_after = "", None
    for attempt in range(ATTEMPTS):
        if attempt:
            sleep(0.5 * 2**attempt)
        answer = send(call)
        if answer.status == 0:
            problem = "no answer"
            continue
        verdict = provider_api.verdict(call, answer, clock())
        retry_after = verdict.retry_after
        if verdict.outcome is AnswerOutcome.LIMITED:
            problem = f"too many requests (status {answer.status})"
            break
        if 200 <= answer.status < 300:
            try:
                return provider_api.refreshed(credential, answer, clock())
            except ValueError:
                problem = "an answer that is not in its format"
        elif 400 <= answer.status < 500 and answer.status not in _PASSING:
            raise _refusal(answer)
        else:
            problem = f"status {answer.status}"
    raise RenewalFailedError(f"renewing its token came to {problem}", retry_after)


def _refusal(answer: Answer) -> CredentialError:
    code = _oauth_code(answer)
    told = f"status {answer.status}{f', {code}' if code else ''}"
    if code in _OF_THE_APPLICATION:
        return CredentialError(
            f"the application was refused ({told}): check its client id and secret in the settings; "
            "the credential stays as it is"
        )
    return CredentialRefusedError(f"renewing its token was refused ({told})")


def _oauth_code(answer: Answer) -> str | None:
    """The answer's `error` where it is one of OAuth's words; anything else might hold anything."""
    code = answer.data.get("error") if isinstance(answer.data, dict) else None
    return code if isinstance(code, str) and re.fullmatch(r"[a-z_]{1,40}", code) else None
