"""Sentry's REST API: its address, how to send a token, what answers and rate limits mean.

The walkers say what to ask for. Format: docs.sentry.io/api, authentication and rate limits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from lightfast_pipelines.providers.api_contract import (
    Answer,
    AnswerOutcome,
    AppKeys,
    Call,
    Credential,
    Limit,
    LinkedResource,
    ProviderApi,
    Renewed,
    Verdict,
    Walker,
    outcome_of_status,
    window_of,
)
from lightfast_pipelines.providers.fields import child, number_in, text, time
from lightfast_pipelines.providers.nothing import says_nothing
from lightfast_pipelines.providers.sentry.api import renewal
from lightfast_pipelines.providers.sentry.api.empty_answers import NOTHING
from lightfast_pipelines.providers.sentry.api.errors import ErrorWalker
from lightfast_pipelines.providers.sentry.api.incidents import (
    MetricAlertWalker,
    too_many_activities,
)
from lightfast_pipelines.providers.sentry.api.issues import SentryIssueWalker
from lightfast_pipelines.providers.sentry.api.organization import issues_call, organization_of
from lightfast_pipelines.settings import Settings

_BASE_URL = "https://sentry.io"
_LONGEST_MESSAGE = 200
_PREFIX = "x-sentry-rate-limit-"
_OWN_STATUSES = {413: AnswerOutcome.HEAVY}  # the answer would be too large


class SentryApi(ProviderApi):
    """The history of sentry.io, its regions, and self-hosted Sentry."""

    provider = "sentry"
    walkers: Sequence[Walker] = (SentryIssueWalker(), ErrorWalker(), MetricAlertWalker())
    credential_kinds: Sequence[str] = ("token", "oauth")

    def base_url(self, configured: Mapping[str, str]) -> str:
        return (configured.get("SENTRY_API_URL") or _BASE_URL).rstrip("/").removesuffix("/api/0")

    def authorize(self, credential: Credential) -> Mapping[str, str]:
        """Raises ValueError for a credential without a token."""
        if not credential.access_token:
            raise ValueError("Sentry's credential holds no token: set one for the installation")
        return {"Authorization": f"Bearer {credential.access_token}"}

    def verdict(self, call: Call, answer: Answer, now: datetime) -> Verdict:
        """By the status; `detail` gives the reason."""
        path, status, detail = call.path.partition("?")[0], answer.status, _detail(answer.data)
        message = f"Sentry answered {status} to {path}"
        if detail:
            message = f"{message} ({detail[:_LONGEST_MESSAGE]})"
        if 200 <= status < 300:
            if path.endswith("/incidents/") and too_many_activities(answer):
                why = "as many activities as Sentry returns at once"
                return Verdict(AnswerOutcome.HEAVY, f"{message}: {why}")
            if isinstance(answer.data, dict | list):
                return Verdict(AnswerOutcome.OK)
            if status == 204:
                return Verdict(AnswerOutcome.NOTHING, message)
            return Verdict(AnswerOutcome.MALFORMED, f"{message}, which is neither object nor list")
        if says_nothing(NOTHING, call, status, detail) and not call.of_one:
            return Verdict(AnswerOutcome.NOTHING, message)
        if status == 400 and "timeout" in detail.lower():
            return Verdict(AnswerOutcome.HEAVY, message)
        outcome = outcome_of_status(status, _OWN_STATUSES)
        if outcome is AnswerOutcome.CREDENTIAL:
            message = f"{message}: Sentry does not take the token (any more)"
        waits = outcome in (AnswerOutcome.LIMITED, AnswerOutcome.UNAVAILABLE)
        wait = _wait(answer, now) if waits else None
        return Verdict(outcome, message, wait, location=answer.headers.get("location"))

    def existence_check(self, place: LinkedResource, missing: Call) -> Call | None:
        """Its issues, which every organization has and which need no scope beyond that of the walks."""
        if "/issues/" in missing.path:
            return None
        organization = organization_of(place)
        if organization is None:
            raise ValueError("the organization is not known")
        return issues_call(place, organization, ("limit", "1"))

    def limits(self, call: Call, answer: Answer, now: datetime) -> Sequence[Limit]:
        """`X-Sentry-Rate-Limit-*` counts this kind of request alone, most often for a second; `Reset`
        is in seconds since 1970. The limit of concurrent requests does not matter: a walk sends one at
        a time."""
        limit, remaining, reset = (
            number_in(answer.headers, _PREFIX + name) for name in ("limit", "remaining", "reset")
        )
        resets_at = time({"at": reset}, "at")
        if limit is None or remaining is None or resets_at is None or limit <= 0:
            return ()
        resets_at = max(resets_at, now)
        return (Limit(call.pool, limit, remaining, resets_at, window_of(resets_at - now)),)

    def app_keys(self, settings: Settings) -> AppKeys:
        # The secret verifies webhooks too, where two may be live during rotation: the first is the new one.
        secrets = settings.webhook_secrets(("SENTRY_CLIENT_SECRET",))
        return AppKeys(settings.sentry_client_id, secrets[0][1].decode() if secrets else None)

    def refresh(
        self, credential: Credential, keys: AppKeys, place_id: str, now: datetime
    ) -> Call | None:
        return renewal.request(credential, keys, place_id)

    def refreshed(self, credential: Credential, answer: Answer, now: datetime) -> Renewed:
        return renewal.renewed(answer)


def _detail(data: Any) -> str:
    """`detail` is text, or an object with a message."""
    body = data if isinstance(data, dict) else {}
    nested = child(body, "detail")
    return text(body, "detail") or text(nested, "message") or text(nested, "code") or ""


def _wait(answer: Answer, now: datetime) -> float | None:
    """Seconds to wait: `Retry-After`, else until the limit resets; one second after too many at once."""
    seconds = number_in(answer.headers, "retry-after")
    if seconds is not None:
        return seconds
    resets_at = time({"at": number_in(answer.headers, _PREFIX + "reset")}, "at")
    if resets_at is not None:
        return max((resets_at - now.astimezone(UTC)).total_seconds(), 0.0)
    return 1.0 if "concurrent" in _detail(answer.data) else None
