"""Linear's GraphQL API: its address, how to send a credential, what answers and rate limits mean.

The walkers say what to ask for. Format: linear.app/developers (graphql, rate-limiting).
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
    ResourceIdentity,
    Verdict,
    Walker,
    outcome_of_status,
)
from lightfast_pipelines.providers.fields import child, children, name_of, number_in, text
from lightfast_pipelines.providers.linear.api import renewal
from lightfast_pipelines.providers.linear.api.comments import COMMENTS
from lightfast_pipelines.providers.linear.api.cycles import CYCLES
from lightfast_pipelines.providers.linear.api.empty_answers import CODES, NOTHING
from lightfast_pipelines.providers.linear.api.issues import LinearIssueWalker
from lightfast_pipelines.providers.linear.api.projects import PROJECT_UPDATES, PROJECTS
from lightfast_pipelines.providers.nothing import says_nothing
from lightfast_pipelines.settings import Settings

_ADDRESS = "https://api.linear.app"
_LONGEST_MESSAGE = 300
# Of `extensions.code`.
_CODES = {
    "RATELIMITED": AnswerOutcome.LIMITED,
    "AUTHENTICATION_ERROR": AnswerOutcome.CREDENTIAL,
    "FORBIDDEN": AnswerOutcome.FORBIDDEN,
    **dict.fromkeys(CODES, AnswerOutcome.NOTHING),
    "INTERNAL_SERVER_ERROR": AnswerOutcome.UNAVAILABLE,
    "LOCK_TIMEOUT": AnswerOutcome.UNAVAILABLE,
}
_RESOURCE = """query resource($id: ID!) {
  organization { id name }
  teams(filter: { id: { eq: $id } }, includeArchived: true) { nodes { id key name } }
  projects(filter: { id: { eq: $id } }, includeArchived: true) { nodes { id name } }
}"""


class LinearApi(ProviderApi):
    """The history of a Linear team, project or organization."""

    provider = "linear"
    walkers: Sequence[Walker] = (LinearIssueWalker(), COMMENTS, PROJECTS, PROJECT_UPDATES, CYCLES)
    credential_kinds: Sequence[str] = ("api_key", "oauth")

    def base_url(self, configured: Mapping[str, str]) -> str:
        return (configured.get("LINEAR_API_URL") or _ADDRESS).rstrip("/").removesuffix("/graphql")

    def authorize(self, credential: Credential) -> Mapping[str, str]:
        """Linear takes a personal key bare; only OAuth tokens are bearer tokens."""
        token = credential.access_token
        if not token:
            raise ValueError("Linear needs an API key or an OAuth token: set the credential")
        return {"authorization": token if credential.kind == "api_key" else f"Bearer {token}"}

    def verdict(self, call: Call, answer: Answer, now: datetime) -> Verdict:
        """Linear reports most failures by `errors[].extensions.code`, with status 200 or 400."""
        if renewal.is_renewal(call):
            return renewal.verdict(answer)
        data, status = answer.data, answer.status
        errors = children(data, "errors") if isinstance(data, dict) else []
        if errors:
            reasons = "; ".join(_reason(error) for error in errors)[:_LONGEST_MESSAGE]
            outcome = _outcome_of_errors(call, status, errors)
            message = f"Linear answered {status}: {reasons}"
            return Verdict(outcome, message, _wait(outcome, answer, now))
        if status != 200:
            outcome, location = outcome_of_status(status), answer.headers.get("location")
            without = " without a reason" if outcome is AnswerOutcome.INVALID else ""
            message = f"Linear answered {status}{without}"
            return Verdict(outcome, message, _wait(outcome, answer, now), location)
        result = data.get("data") if isinstance(data, dict) else None
        if not isinstance(result, dict) or any(value is None for value in result.values()):
            return Verdict(AnswerOutcome.MALFORMED, "Linear's answer is not of GraphQL's form")
        return Verdict(AnswerOutcome.OK)

    def limits(self, call: Call, answer: Answer, now: datetime) -> Sequence[Limit]:
        """Requests and complexity. A call of any other pool counts as a request."""
        limits = _limits(answer, now)
        requests = next((limit for limit in limits if limit.pool == "requests"), None)
        if requests is not None and call.pool not in ("requests", "complexity"):
            limits.append(Limit(call.pool, requests.limit, requests.remaining, requests.resets_at))
        return limits

    def app_keys(self, settings: Settings) -> AppKeys:
        secret = settings.linear_client_secret
        return AppKeys(settings.linear_client_id, secret.get_secret_value() if secret else None)

    def refresh(
        self, credential: Credential, keys: AppKeys, place_id: str, now: datetime
    ) -> Call | None:
        return renewal.request(credential, keys)

    def refreshed(self, credential: Credential, answer: Answer, now: datetime) -> Renewed:
        return renewal.renewed(answer, now)

    def identify(self, place: LinkedResource) -> Call:
        body = {"query": _RESOURCE, "variables": {"id": place.resource_id}}
        return Call("graphql", "POST", json=body, pool="requests")

    def identified(self, answer: Answer) -> ResourceIdentity:
        """A team, a project, else the organization itself."""
        data = child(answer.data, "data")
        for team in children(child(data, "teams"), "nodes"):
            key = name_of(team, "key")
            return ResourceIdentity(name_of(team, "name"), {"team_key": key} if key else {})
        for project in children(child(data, "projects"), "nodes"):
            return ResourceIdentity(name_of(project, "name"))
        return ResourceIdentity(name_of(child(data, "organization"), "name"))


def _outcome_of_errors(
    call: Call, status: int, errors: Sequence[Mapping[str, Any]]
) -> AnswerOutcome:
    """By the first error whose meaning is known, else by the status."""
    for error in errors:
        extensions = child(error, "extensions")
        words = f"{text(error, 'message')} {text(extensions, 'userPresentableMessage')}".lower()
        if says_nothing(NOTHING, call, status, words):
            return AnswerOutcome.NOTHING
        outcome = _CODES.get((text(extensions, "code") or "").upper())
        if outcome is not None:
            return outcome
        if "too complex" in words or "complexity" in words:
            return AnswerOutcome.HEAVY
        if "not found" in words or "could not find" in words:
            return AnswerOutcome.MISSING
    return outcome_of_status(status)


def _reason(error: Mapping[str, Any]) -> str:
    extensions = child(error, "extensions")
    words = text(extensions, "userPresentableMessage") or text(error, "message") or "no reason"
    return f"{words} ({text(extensions, 'code') or 'no code'})"


def _limits(answer: Answer, now: datetime) -> list[Limit]:
    """`X-RateLimit-Requests-Reset` is in milliseconds."""
    limits = []
    for pool in ("requests", "complexity"):
        limit, remaining, reset = (
            number_in(answer.headers, f"x-ratelimit-{pool}-{name}")
            for name in ("limit", "remaining", "reset")
        )
        if limit is not None and remaining is not None and reset is not None:
            resets_at = max(now, datetime.fromtimestamp(reset / 1000, UTC))
            limits.append(Limit(pool, limit, remaining, resets_at))
    return limits


def _wait(outcome: AnswerOutcome, answer: Answer, now: datetime) -> float | None:
    """Seconds to wait: `Retry-After`, else until the limit that is used up resets."""
    seconds = number_in(answer.headers, "retry-after")
    if seconds is not None or outcome is not AnswerOutcome.LIMITED:
        return seconds
    spent = [limit.resets_at for limit in _limits(answer, now) if limit.remaining < 1]
    return max(((resets_at - now).total_seconds() for resets_at in spent), default=None)
