"""Vercel's REST API: its address, how to send a token, what answers and rate limits mean.

`deployments.py` says what to ask for. Format: vercel.com/docs/rest-api, errors and rate limits.
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
from lightfast_pipelines.providers.vercel.api.deployments import DeploymentWalker

_BASE_URL = "https://api.vercel.com"
_TOKEN_CODES = frozenset({"invalidToken", "missingToken"})
_LIMIT_CODES = frozenset({"rate_limited", "too_many_requests"})
_LONGEST_MESSAGE = 200
_OWN_STATUSES = {402: AnswerOutcome.FORBIDDEN}  # the plan does not include it


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
        """By the status, and by `error.code` if one status means several things."""
        data, status = answer.data, answer.status
        error = child(data, "error") if isinstance(data, dict) else {}
        reason = ": ".join(filter(None, (name_of(error, "code"), text(error, "message"))))
        message = f"Vercel answered {status} to {call.path}"
        if reason:
            message = f"{message} ({reason[:_LONGEST_MESSAGE]})"
        if 200 <= status < 300:
            if status == 204:
                return Verdict(AnswerOutcome.NOTHING, message)
            if isinstance(data, dict):
                return Verdict(AnswerOutcome.OK)
            return Verdict(AnswerOutcome.MALFORMED, f"Vercel answered no object to {call.path}")
        outcome = _outcome(status, error)
        if outcome is AnswerOutcome.CREDENTIAL:
            message = f"{message}: Vercel does not take the token (any more)"
        waits = outcome in (AnswerOutcome.LIMITED, AnswerOutcome.UNAVAILABLE)
        wait = _wait(answer, error, now) if waits else None
        location = answer.headers.get("location") if outcome is AnswerOutcome.MOVED else None
        return Verdict(outcome, message, wait, location)

    def limits(self, call: Call, answer: Answer, now: datetime) -> Sequence[Limit]:
        """`x-ratelimit-*`; `reset` is in seconds since 1970. Empty if any of them is missing."""
        limit, remaining, reset = (
            number_in(answer.headers, f"x-ratelimit-{name}")
            for name in ("limit", "remaining", "reset")
        )
        resets_at = time({"at": reset}, "at")
        if limit is None or remaining is None or resets_at is None or resets_at < now:
            return ()
        return (Limit(call.pool, limit, remaining, resets_at, window_of(resets_at - now)),)


def _outcome(status: int, error: Mapping[str, Any]) -> AnswerOutcome:
    """Vercel answers an unknown token with 403, and `invalidToken` in the error."""
    code = text(error, "code") or ""
    if status == 403 and (code in _TOKEN_CODES or any(map(error.get, _TOKEN_CODES))):
        return AnswerOutcome.CREDENTIAL
    if status != 403 and code in _LIMIT_CODES:
        return AnswerOutcome.LIMITED
    return outcome_of_status(status, _OWN_STATUSES)


def _wait(answer: Answer, error: Mapping[str, Any], now: datetime) -> float | None:
    """Seconds to wait: `Retry-After`, else until the limit resets, by the body or a header."""
    seconds = number_in(answer.headers, "retry-after")
    if seconds is not None:
        return seconds
    reset = whole(child(error, "limit"), "reset") or number_in(answer.headers, "x-ratelimit-reset")
    resets_at = time({"at": reset}, "at")
    if resets_at is None:
        return None
    return max((resets_at - now.astimezone(UTC)).total_seconds(), 0.0)
