"""Asks a provider for a new access token, with retries.

The provider's folder makes the request and reads the answer; `credentials.py` decides when to ask.
Messages quote nothing from an answer, as it may hold a token.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

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

# OAuth errors (RFC 6749, 5.2) that the application in the settings causes; the token may be good.
_APPLICATION_ERRORS = frozenset({"invalid_client", "unauthorized_client"})
_TRANSIENT = frozenset({408, 425, 429})


class CredentialError(CallFailedError):
    """There is no credential to send requests with; the message says what to do and holds no secret."""

    def __init__(self, message: str) -> None:
        super().__init__(AnswerOutcome.CREDENTIAL, message)


class CredentialRefusedError(CredentialError):
    """The provider refuses the credential; it stays marked as refused until another is given."""


class RenewalFailedError(CallFailedError):
    """The provider could not be asked for a new token just now; the credential is not at fault."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(AnswerOutcome.UNAVAILABLE, message, retry_after)


def ask_for_token(
    provider_api: ProviderApi,
    credential: Credential,
    call: Call,
    *,
    send: Callable[[Call], Answer],
    clock: Callable[[], datetime],
    sleep: Callable[[float], None],
) -> Renewed:
    """The new token. `send` returns an answer of status 0 if none came.

    Raises CredentialRefusedError; CredentialError if the settings are at fault; RenewalFailedError.
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
        elif 400 <= answer.status < 500 and answer.status not in _TRANSIENT:
            raise _refusal(answer)
        else:
            problem = f"status {answer.status}"
    raise RenewalFailedError(f"renewing its token came to {problem}", retry_after)


def _refusal(answer: Answer) -> CredentialError:
    code = _oauth_code(answer)
    reason = f"status {answer.status}{f', {code}' if code else ''}"
    if code in _APPLICATION_ERRORS:
        return CredentialError(
            f"the application was refused ({reason}): check its client id and secret in the settings; "
            "the credential stays as it is"
        )
    return CredentialRefusedError(f"renewing its token was refused ({reason})")


def _oauth_code(answer: Answer) -> str | None:
    """The answer's `error` if it has the form of OAuth's codes; anything else might hold a token."""
    code = answer.data.get("error") if isinstance(answer.data, dict) else None
    return code if isinstance(code, str) and re.fullmatch(r"[a-z_]{1,40}", code) else None
