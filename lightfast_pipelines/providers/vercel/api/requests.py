"""Vercel's REST API: where it is, how a token is sent, what an answer and its rate limits mean.

What is asked for stands in `walker.py`. After vercel.com/docs/rest-api: errors and rate limits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from lightfast_pipelines.providers.api_contract import (
    Answer,
    AnswerOutcome,
    Call,
    Credential,
    Limit,
    ProviderApi,
    Verdict,
    Walker,
    outcome_of_status,
    window_of,
)
from lightfast_pipelines.providers.fields import child, name_of, number_in, text, time, whole
from lightfast_pipelines.providers.vercel.api.walker import DeploymentWalker

_BASE_URL = "https://api.vercel.com"
_OF_THE_TOKEN = frozenset({"invalidToken", "missingToken"})
_LONGEST_MESSAGE = 200


class VercelApi(ProviderApi):
    """`ProviderApi` for api.vercel.com."""

    provider = "vercel"
    walkers: Sequence[Walker] = (DeploymentWalker(),)
    credential_kinds: Sequence[str] = ("token",)

    def base_url(self, configured: Mapping[str, str]) -> str:
        return configured.get("VERCEL_API_URL") or _BASE_URL

    def authorize(self, credential: Credential) -> Mapping[str, str]:
        """Raises ValueError for a credential without a token."""
        if not credential.access_token:
            raise ValueError("Vercel's credential holds no token: set one for the installation")
        return {"Authorization": f"Bearer {credential.access_token}"}

    def verdict(self, call: Call, answer: Answer, now: datetime) -> Verdict:
        """By the status, and by `error.code` where one status means several things."""
        status, error = answer.status, _error(answer.data)
        told = _told(call, status, error)
        if 200 <= status < 300:
            if status == 204:
                return Verdict(AnswerOutcome.NOTHING, told)
            if isinstance(answer.data, dict):
                return Verdict(AnswerOutcome.OK)
            return Verdict(AnswerOutcome.MALFORMED, f"Vercel answered no object to {call.path}")
        outcome = _outcome(status, error)
        if outcome is AnswerOutcome.CREDENTIAL:
            told = f"{told}: Vercel does not take the token (any more)"
        waits = outcome in (AnswerOutcome.LIMITED, AnswerOutcome.UNAVAILABLE)
        wait = _wait(answer, error, now) if waits else None
        location = answer.headers.get("location") if outcome is AnswerOutcome.MOVED else None
        return Verdict(outcome, told, wait, location)

    def limits(self, call: Call, answer: Answer, now: datetime) -> Sequence[Limit]:
        """`x-ratelimit-*`; `reset` is in seconds since 1970. Empty where one of them is missing."""
        found = [
            number_in(answer.headers, f"x-ratelimit-{n}") for n in ("limit", "remaining", "reset")
        ]
        limit, remaining, reset = found
        resets_at = time({"at": reset}, "at")
        if limit is None or remaining is None or resets_at is None or resets_at < now:
            return ()
        return (Limit(call.pool, limit, remaining, resets_at, window_of(resets_at - now)),)


def _outcome(status: int, error: Mapping[str, Any]) -> AnswerOutcome:
    """Vercel answers a token that it does not know with 403, and `invalidToken` in the error."""
    code = text(error, "code") or ""
    if status == 403:
        of_token = code in _OF_THE_TOKEN or any(error.get(name) for name in _OF_THE_TOKEN)
        return AnswerOutcome.CREDENTIAL if of_token else AnswerOutcome.FORBIDDEN
    if code in ("rate_limited", "too_many_requests"):
        return AnswerOutcome.LIMITED
    return outcome_of_status(status, {402: AnswerOutcome.FORBIDDEN})


def _error(data: Any) -> Mapping[str, Any]:
    return child(data, "error") if isinstance(data, dict) else {}


def _told(call: Call, status: int, error: Mapping[str, Any]) -> str:
    """For an operator: the error's code and words, which name no secret."""
    said = ": ".join(filter(None, (name_of(error, "code"), text(error, "message"))))
    told = f"Vercel answered {status} to {call.path}"
    return f"{told} ({said[:_LONGEST_MESSAGE]})" if said else told


def _wait(answer: Answer, error: Mapping[str, Any], now: datetime) -> float | None:
    """Seconds to wait: `Retry-After`, else until the limit's reset, in the body or a header."""
    told = number_in(answer.headers, "retry-after")
    if told is not None:
        return max(told, 0.0)
    reset = whole(child(error, "limit"), "reset") or number_in(answer.headers, "x-ratelimit-reset")
    at = time({"at": reset}, "at")
    return max((at - now.astimezone(UTC)).total_seconds(), 0.0) if at is not None else None
