"""Sentry's REST API: where it is, how a token is sent and renewed, what its answers and limits mean.

What is asked for stands with the walkers. After docs.sentry.io/api: authentication, rate limits, and
the page on public integrations for renewal.
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
from lightfast_pipelines.providers.sentry.api.errors import ErrorWalker
from lightfast_pipelines.providers.sentry.api.incidents import (
    MetricAlertWalker,
    too_many_activities,
)
from lightfast_pipelines.providers.sentry.api.issues import SentryIssueWalker
from lightfast_pipelines.providers.sentry.api.nothing import NOTHING
from lightfast_pipelines.providers.sentry.api.where import (
    UUID,
    asking,
    organization_of,
    project_params,
)
from lightfast_pipelines.settings import Settings

_BASE_URL = "https://sentry.io"
_LONGEST_MESSAGE = 200
_PREFIX = "x-sentry-rate-limit-"
# An answer that Sentry cannot make as large as that.
_OWN_STATUSES = {413: AnswerOutcome.HEAVY}


class SentryApi(ProviderApi):
    """The history of sentry.io, its regions, and Sentry on one's own servers."""

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
        """By the status; `detail` says why."""
        path = call.path.partition("?")[0]
        told = _told(path, answer)
        status = answer.status
        if 200 <= status < 300:
            if path.endswith("/incidents/") and too_many_activities(answer):
                return Verdict(
                    AnswerOutcome.HEAVY, f"{told}: as many activities as Sentry tells at once"
                )
            if isinstance(answer.data, dict | list):
                return Verdict(AnswerOutcome.OK)
            if status == 204:
                return Verdict(AnswerOutcome.NOTHING, told)
            return Verdict(AnswerOutcome.MALFORMED, f"{told}, which is neither object nor list")
        if says_nothing(NOTHING, call, status, _detail(answer.data)) and not call.of_one:
            return Verdict(AnswerOutcome.NOTHING, told)
        if status == 400 and "timeout" in _detail(answer.data).lower():
            return Verdict(AnswerOutcome.HEAVY, told)
        outcome = outcome_of_status(status, _OWN_STATUSES)
        if outcome is AnswerOutcome.CREDENTIAL:
            told = f"{told}: Sentry does not take the token (any more)"
        waits = outcome in (AnswerOutcome.LIMITED, AnswerOutcome.UNAVAILABLE)
        wait = _wait(answer, now) if waits else None
        return Verdict(outcome, told, wait, location=answer.headers.get("location"))

    def itself(self, place: LinkedResource, missing: Call) -> Call | None:
        """Its issues, which every organization has: to read them needs no other scope than the walks."""
        if "/issues/" in missing.path:
            return None
        organization = organization_of(place)
        if organization is None:
            raise ValueError("the organization is not known")
        pairs = (*project_params(place).items(), ("limit", "1"), ("collapse", "stats"))
        return asking(f"/api/0/organizations/{organization}/issues/", "issues", *pairs)

    def limits(self, call: Call, answer: Answer, now: datetime) -> Sequence[Limit]:
        """`X-Sentry-Rate-Limit-*`: of this kind of request alone, most often for a second; `Reset` is
        in seconds since 1970. How many may be asked at once has no reset, and one walk asks one at a time."""
        limit, remaining, reset = (
            number_in(answer.headers, _PREFIX + name) for name in ("limit", "remaining", "reset")
        )
        resets_at = time({"at": reset}, "at")
        if limit is None or remaining is None or resets_at is None or limit <= 0:
            return ()
        resets_at = max(resets_at, now)
        return (Limit(call.pool, limit, remaining, resets_at, window_of(resets_at - now)),)

    def app_keys(self, settings: Settings) -> AppKeys:
        # It verifies webhooks too, where two may be live while rotating: the first is the new one.
        secrets = settings.webhook_secrets(("SENTRY_CLIENT_SECRET",))
        return AppKeys(settings.sentry_client_id, secrets[0][1].decode() if secrets else None)

    def refresh(
        self,
        credential: Credential,
        keys: AppKeys,
        place_id: str,
        now: datetime,  # the answer says how long it lives
    ) -> Call | None:
        """A public integration's token lives for eight hours; an internal one's has no end: None."""
        if credential.kind != "oauth" or not credential.refresh_token:
            return None
        if not keys.client_id or not keys.client_secret:
            raise ValueError(
                "set SENTRY_CLIENT_ID and SENTRY_CLIENT_SECRET to renew Sentry's tokens"
            )
        if not UUID.fullmatch(place_id):
            raise ValueError(
                f"{place_id[:60]!r} is no installation of Sentry's: connect the installation by its uuid"
            )
        return Call(
            f"/api/0/sentry-app-installations/{place_id}/authorizations/",
            method="POST",
            json={
                "grant_type": "refresh_token",
                "refresh_token": credential.refresh_token,
                "client_id": keys.client_id,
                "client_secret": keys.client_secret,
            },
            pool="authorizations",
        )

    def refreshed(
        self,
        credential: Credential,  # nothing of it goes on
        answer: Answer,
        now: datetime,
    ) -> Renewed:
        """Each renewal makes a new refresh token; the old one is no longer taken."""
        data = answer.data if isinstance(answer.data, dict) else {}
        token = text(data, "token")
        if token is None:
            raise ValueError("Sentry's answer to the renewal holds no `token`")
        return Renewed(token, text(data, "refreshToken"), time(data, "expiresAt"))


def _detail(data: Any) -> str:
    """`detail` is text, or an object with a message."""
    found = data if isinstance(data, dict) else {}
    nested = child(found, "detail")
    return text(found, "detail") or text(nested, "message") or text(nested, "code") or ""


def _told(path: str, answer: Answer) -> str:
    detail = _detail(answer.data)[:_LONGEST_MESSAGE]
    told = f"Sentry answered {answer.status} to {path}"
    return f"{told} ({detail})" if detail else told


def _wait(answer: Answer, now: datetime) -> float | None:
    """Seconds to wait: `Retry-After`, else until the limit's reset; a second where too many at once."""
    told = number_in(answer.headers, "retry-after")
    if told is not None:
        return told
    at = time({"at": number_in(answer.headers, _PREFIX + "reset")}, "at")
    if at is not None:
        return max((at - now.astimezone(UTC)).total_seconds(), 0.0)
    return 1.0 if "concurrent" in _detail(answer.data) else None
