"""Linear's API as such: where it is, how a credential is carried and renewed, what answers mean.

What is asked stands in the walkers. Format: linear.app/developers (graphql, rate-limiting, oauth).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
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
    ResourceIdentity,
    Verdict,
    Walker,
    outcome_of_status,
)
from lightfast_pipelines.providers.fields import child, children, name_of, number_in, text
from lightfast_pipelines.providers.linear.api.comments import COMMENTS
from lightfast_pipelines.providers.linear.api.cycles import CYCLES
from lightfast_pipelines.providers.linear.api.issues import LinearIssueWalker
from lightfast_pipelines.providers.linear.api.nothing import CODES, NOTHING
from lightfast_pipelines.providers.linear.api.projects import PROJECT_UPDATES, PROJECTS
from lightfast_pipelines.providers.nothing import says_nothing
from lightfast_pipelines.settings import Settings

_ADDRESS = "https://api.linear.app"
_RENEWAL = "oauth/token"
_LONGEST_MESSAGE = 300
_CODES = {
    "RATELIMITED": AnswerOutcome.LIMITED,
    "AUTHENTICATION_ERROR": AnswerOutcome.CREDENTIAL,
    "FORBIDDEN": AnswerOutcome.FORBIDDEN,
    **dict.fromkeys(CODES, AnswerOutcome.NOTHING),
    "INTERNAL_SERVER_ERROR": AnswerOutcome.UNAVAILABLE,
    "LOCK_TIMEOUT": AnswerOutcome.UNAVAILABLE,
}
_WHO = """query resource($id: ID!) {
  organization { id name }
  teams(filter: { id: { eq: $id } }, includeArchived: true) { nodes { id key name } }
  projects(filter: { id: { eq: $id } }, includeArchived: true) { nodes { id name } }
}"""


class LinearApi(ProviderApi):
    """The history of a Linear team or project."""

    provider = "linear"
    walkers: Sequence[Walker] = (LinearIssueWalker(), COMMENTS, PROJECTS, PROJECT_UPDATES, CYCLES)
    credential_kinds: Sequence[str] = ("api_key", "oauth")

    def base_url(self, configured: Mapping[str, str]) -> str:
        return (configured.get("LINEAR_API_URL") or _ADDRESS).rstrip("/").removesuffix("/graphql")

    def authorize(self, credential: Credential) -> Mapping[str, str]:
        """A personal key stands by itself, only OAuth's tokens are bearers."""
        token = credential.access_token
        if not token:
            raise ValueError("Linear needs an API key or an OAuth token: set the credential")
        return {"authorization": token if credential.kind == "api_key" else f"Bearer {token}"}

    def verdict(self, call: Call, answer: Answer, now: datetime) -> Verdict:
        """Linear tells most failures by `errors[].extensions.code`, within 200 or 400 alike."""
        if call.path.endswith(_RENEWAL):
            return _token_verdict(answer)
        data, status = answer.data, answer.status
        errors = children(data, "errors") if isinstance(data, dict) else []
        if errors:
            return _failure(call, answer, errors, now)
        outcome = outcome_of_status(status)
        if status != 200 and outcome is not AnswerOutcome.INVALID:
            wait = (
                _wait(answer, now)
                if outcome is AnswerOutcome.LIMITED
                else number_in(answer.headers, "retry-after")
            )
            location = answer.headers.get("location")
            return Verdict(outcome, f"Linear answered {status}", wait, location)
        if status != 200:
            return Verdict(AnswerOutcome.INVALID, f"Linear answered {status} without a reason")
        found = data.get("data") if isinstance(data, dict) else None
        if not isinstance(found, dict) or any(each is None for each in found.values()):
            return Verdict(AnswerOutcome.MALFORMED, "Linear's answer is not of GraphQL's form")
        return Verdict(AnswerOutcome.OK)

    def limits(self, call: Call, answer: Answer, now: datetime) -> Sequence[Limit]:
        """Requests and complexity. Whatever names another pool is counted as a request."""
        found = [_limit(answer, name, now) for name in ("requests", "complexity")]
        limits = [each for each in found if each is not None]
        named = {each.pool for each in limits}
        requests = next((each for each in limits if each.pool == "requests"), None)
        if requests is not None and call.pool not in named | {"complexity"}:
            other = (call.pool, requests.limit, requests.remaining, requests.resets_at)
            limits.append(Limit(*other))
        return limits

    def app_keys(self, settings: Settings) -> AppKeys:
        secret = settings.linear_client_secret
        return AppKeys(settings.linear_client_id, secret.get_secret_value() if secret else None)

    def refresh(
        self,
        credential: Credential,
        keys: AppKeys,
        place_id: str,  # the token says whose it is
        now: datetime,
    ) -> Call | None:
        """None for a personal key and for a token that came without one to renew it."""
        if credential.kind != "oauth" or not credential.refresh_token:
            return None
        settings = {"LINEAR_CLIENT_ID": keys.client_id, "LINEAR_CLIENT_SECRET": keys.client_secret}
        missing = [name for name, value in settings.items() if not value]
        if missing:
            raise ValueError(f"to renew Linear's token, set {' and '.join(missing)}")
        form = {
            "grant_type": "refresh_token",
            "refresh_token": credential.refresh_token,
            "client_id": str(keys.client_id),
            "client_secret": str(keys.client_secret),
        }
        return Call(_RENEWAL, "POST", form=form, pool="requests")

    def refreshed(self, credential: Credential, answer: Answer, now: datetime) -> Renewed:
        """Linear gives another refresh token each time; the one that was used is spent."""
        data = answer.data if isinstance(answer.data, dict) else {}
        token, lasts = text(data, "access_token"), data.get("expires_in")
        if token is None:
            raise ValueError("Linear's answer holds no access_token: connect the account again")
        ends = None
        if isinstance(lasts, int | float) and not isinstance(lasts, bool):
            ends = now + timedelta(seconds=lasts)
        return Renewed(token, text(data, "refresh_token"), ends)

    def identify(self, place: LinkedResource) -> Call:
        body = {"query": _WHO, "variables": {"id": place.resource_id}}
        return Call("graphql", "POST", json=body, pool="requests")

    def identified(self, answer: Answer) -> ResourceIdentity:
        """A team, a project, else the organization itself."""
        found = child(answer.data, "data")
        for team in children(child(found, "teams"), "nodes"):
            key = name_of(team, "key")
            return ResourceIdentity(name_of(team, "name"), {"team_key": key} if key else {})
        for project in children(child(found, "projects"), "nodes"):
            return ResourceIdentity(name_of(project, "name"))
        return ResourceIdentity(name_of(child(found, "organization"), "name"))


def _failure(
    call: Call, answer: Answer, errors: Sequence[Mapping[str, Any]], now: datetime
) -> Verdict:
    """By the first error that says what it is."""
    said = "; ".join(_said(error) for error in errors)[:_LONGEST_MESSAGE]
    told = f"Linear answered {answer.status}: {said}"
    for error in errors:
        extensions = child(error, "extensions")
        outcome = _CODES.get((text(extensions, "code") or "").upper())
        words = f"{text(error, 'message')} {text(extensions, 'userPresentableMessage')}".lower()
        if says_nothing(NOTHING, call, answer.status, words):
            return Verdict(AnswerOutcome.NOTHING, told)
        if outcome is AnswerOutcome.LIMITED:
            return Verdict(outcome, told, _wait(answer, now))
        if outcome is not None:
            return Verdict(outcome, told)
        if "too complex" in words or "complexity" in words:
            return Verdict(AnswerOutcome.HEAVY, told)
        if "not found" in words or "could not find" in words:
            return Verdict(AnswerOutcome.MISSING, told)
    status = answer.status
    if status >= 500:
        return Verdict(AnswerOutcome.UNAVAILABLE, told, number_in(answer.headers, "retry-after"))
    if status == 429:
        return Verdict(AnswerOutcome.LIMITED, told, _wait(answer, now))
    return Verdict(outcome_of_status(status), told)


def _said(error: Mapping[str, Any]) -> str:
    extensions = child(error, "extensions")
    words = text(extensions, "userPresentableMessage") or text(error, "message") or "no reason"
    return f"{words} ({text(extensions, 'code') or 'no code'})"


def _token_verdict(answer: Answer) -> Verdict:
    """A refused refresh token is final for the credential, as is a wrong client's secret."""
    if answer.status == 200:
        has_token = isinstance(answer.data, dict) and text(answer.data, "access_token")
        if has_token:
            return Verdict(AnswerOutcome.OK)
        return Verdict(
            AnswerOutcome.MALFORMED, "Linear's answer to a token's renewal holds no token"
        )
    if answer.status in (400, 401, 403):
        data = answer.data if isinstance(answer.data, dict) else {}
        why = name_of(data, "error") or str(answer.status)
        return Verdict(
            AnswerOutcome.CREDENTIAL, f"Linear does not renew the token ({why}): connect it again"
        )
    outcome = outcome_of_status(answer.status)
    told = f"Linear answered {answer.status} to a token's renewal"
    return Verdict(
        outcome, told, number_in(answer.headers, "retry-after"), answer.headers.get("location")
    )


def _limit(answer: Answer, name: str, now: datetime) -> Limit | None:
    """`X-RateLimit-Requests-Reset` is in milliseconds."""
    limit = number_in(answer.headers, f"x-ratelimit-{name}-limit")
    remaining = number_in(answer.headers, f"x-ratelimit-{name}-remaining")
    reset = number_in(answer.headers, f"x-ratelimit-{name}-reset")
    if limit is None or remaining is None or reset is None:
        return None
    resets_at = max(now, datetime.fromtimestamp(reset / 1000, UTC))
    return Limit(name, limit, remaining, resets_at)


def _wait(answer: Answer, now: datetime) -> float | None:
    """Until the limit that is used up is full again; None where the answer does not say."""
    told = number_in(answer.headers, "retry-after")
    if told is not None:
        return told
    found = [_limit(answer, name, now) for name in ("requests", "complexity")]
    spent = [each for each in found if each is not None and each.remaining < 1]
    waits = [(each.resets_at - now).total_seconds() for each in spent]
    return max(waits, default=None)
