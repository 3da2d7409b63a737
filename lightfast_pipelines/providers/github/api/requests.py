"""Requests to GitHub's API: addresses and tokens, what answers mean, rate limits.

The modules named after the items walk its lists. Format: docs.github.com, "REST API: Rate limits",
"Troubleshooting", "GraphQL: Rate limits".
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from lightfast_pipelines.domain.keys import bare_number
from lightfast_pipelines.providers.api_contract import (
    HOUR,
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
from lightfast_pipelines.providers.fields import (
    child,
    children,
    name_of,
    number_in,
    text,
    time,
    whole,
)
from lightfast_pipelines.providers.github.api import (
    comments,
    commits,
    deployments,
    discussions,
    events,
    issues,
    pulls,
    releases,
    reviews,
    workflow_runs,
)
from lightfast_pipelines.providers.github.api.empty_answers import CAN_BE_OFF, NOTHING
from lightfast_pipelines.providers.github.api.place import address
from lightfast_pipelines.providers.github.webhooks.repository import resource_meta
from lightfast_pipelines.providers.nothing import says_nothing
from lightfast_pipelines.settings import Settings

_PUBLIC = "https://api.github.com"
_REST = "/api/v3"
_ACCEPT = {
    "Accept": "application/vnd.github+json",
    "X-GitHub-Api-Version": "2022-11-28",
    "User-Agent": "lightfast-pipelines",
}
_HEAVY = (
    "something went wrong",
    "timed out",
    "timeout",
    "couldn't respond",
    "resource limits",
    "timedout",
)
_FINE = Verdict(AnswerOutcome.OK)
# GitHub refuses a JWT that is valid for more than ten minutes, or that was issued in the future.
_JWT_SECONDS, _JWT_BEFORE = 540, 60
# Pools that are refilled each minute; the others are refilled each hour.
_MINUTE = timedelta(minutes=1)
_BY_THE_MINUTE = frozenset({"search", "code_search", "dependency_snapshots"})


class GitHubApi(ProviderApi):
    """`ProviderApi` for github.com and GitHub Enterprise Server."""

    provider = "github"
    credential_kinds: Sequence[str] = ("personal", "github_app")
    minted_kinds: Sequence[str] = ("github_app",)
    # Items come before what refers to them; issue events say who changed pull requests and issues.
    walkers: Sequence[Walker] = (
        pulls.WALKER,
        issues.WALKER,
        events.WALKER,
        commits.WALKER,
        reviews.WALKER,
        comments.REVIEW_COMMENTS,
        comments.ISSUE_COMMENTS,
        releases.WALKER,
        discussions.WALKER,
        deployments.WALKER,
        workflow_runs.WALKER,
    )

    def base_url(self, configured: Mapping[str, str]) -> str:
        """For an Enterprise Server https://HOST/api/v3, even if only part of that is configured."""
        url = (configured.get("GITHUB_API_URL") or _PUBLIC).rstrip("/")
        parts = urlsplit(url)
        if parts.hostname in ("github.com", "www.github.com"):
            return _PUBLIC
        if parts.path in ("/api", "/api/graphql"):
            return f"{parts.scheme}://{parts.netloc}{_REST}"
        return url

    def address(self, base_url: str, path: str) -> str:
        """An Enterprise Server serves REST at /api/v3 and GraphQL at /api/graphql."""
        if path == "graphql" and base_url.endswith(_REST):
            return f"{base_url.removesuffix('/v3')}/{path}"
        return f"{base_url}/{path.lstrip('/')}"

    def authorize(self, credential: Credential) -> Mapping[str, str]:
        return {**_ACCEPT, "Authorization": f"Bearer {credential.access_token}"}

    def identify(self, place: LinkedResource) -> Call:
        """The repository itself: its current name, its default branch, whether it still exists."""
        return Call(address(place))

    def existence_check(self, place: LinkedResource, missing: Call) -> Call | None:
        return self.identify(place) if CAN_BE_OFF.search(missing.path) else None

    def identified(self, answer: Answer) -> ResourceIdentity:
        if not isinstance(answer.data, dict):
            raise TypeError("a repository was expected")
        return ResourceIdentity(name_of(answer.data, "full_name"), resource_meta(answer.data))

    def verdict(  # noqa: PLR0911 - one for each meaning
        self, call: Call, answer: Answer, now: datetime
    ) -> Verdict:
        message = _message(answer.data)
        limited = _limited(answer, message, now)
        if limited is not None:
            return limited
        if call.pool != "graphql" and says_nothing(NOTHING, call, answer.status, message):
            return Verdict(AnswerOutcome.NOTHING, f"GitHub has nothing at {call.path}: {message}")
        match answer.status:
            case 200 | 201 | 202 | 204 if call.pool == "graphql":
                return _of_graphql(call, answer, now)
            case 200 if "per_page" in call.params and not _is_page(answer.data):
                kind = type(answer.data).__name__
                return Verdict(AnswerOutcome.MALFORMED, f"{call.path} answered {kind}, not a list")
            case 204 if call.method == "GET":
                return Verdict(AnswerOutcome.NOTHING, f"GitHub has nothing at {call.path}")
            case 200 | 201 | 202 | 204:
                return Verdict(AnswerOutcome.OK)
            case 401:
                return Verdict(
                    AnswerOutcome.CREDENTIAL,
                    f"GitHub refuses the token: {message or 'unauthorized'}",
                )
            case 403:
                return Verdict(AnswerOutcome.FORBIDDEN, _forbidden(call, answer, message))
            case 404 | 410 | 451:
                why = {404: "not there, or not to be seen with this token", 410: "gone"}
                reason = why.get(answer.status, "not to be had for legal reasons")
                return Verdict(AnswerOutcome.MISSING, f"{call.path} is {reason}")
            case 502 | 504 if call.pool == "graphql" or call.params.get("per_page", "1") != "1":
                return Verdict(
                    AnswerOutcome.HEAVY, f"GitHub could not make the page ({answer.status})"
                )
            case status:
                outcome = outcome_of_status(status)
                reason = f"GitHub answered {status} for {call.path}"
                if outcome is AnswerOutcome.INVALID:
                    reason = f"GitHub refuses {call.path} ({status}): {message or 'no reason'}"
                return Verdict(outcome, reason, location=answer.headers.get("location"))

    def limits(
        self,
        call: Call,
        answer: Answer,
        now: datetime,  # its times are moments, not seconds from now
    ) -> Sequence[Limit]:
        """From the headers, in seconds since 1970; GraphQL's points from the body if it has them."""
        headers = answer.headers
        points = _points(answer.data) if call.pool == "graphql" else None
        if points is not None:
            return (points,)
        limit, remaining, reset = (
            number_in(headers, f"x-ratelimit-{name}") for name in ("limit", "remaining", "reset")
        )
        resets_at = time({"at": reset}, "at")
        if limit is None or remaining is None or resets_at is None:
            return ()
        # The App's own limit is not an installation's budget, although GitHub gives it the same name.
        pool = "app" if call.pool == "app" else headers.get("x-ratelimit-resource") or call.pool
        window = _MINUTE if pool in _BY_THE_MINUTE else HOUR
        return (Limit(pool, limit, remaining, resets_at, window),)

    def app_keys(self, settings: Settings) -> AppKeys:
        key = settings.github_app_private_key
        return AppKeys(
            client_id=settings.github_app_id, private_key=key.get_secret_value() if key else None
        )

    def refresh(
        self, credential: Credential, keys: AppKeys, place_id: str, now: datetime
    ) -> Call | None:
        """An App's installation gets a new token with the App's JWT; a personal token cannot be renewed."""
        if credential.kind != "github_app":
            return None
        number = bare_number(place_id)
        if not number.isdigit():
            raise ValueError(
                f"{place_id!r} is no number of an App's installation: add it with `lightfast installation "
                "add --provider github --id NUMBER`, of another host than github.com with `--id NUMBER@HOST`"
            )
        headers = {**_ACCEPT, "Authorization": f"Bearer {app_proof(keys, now)}"}
        return Call(f"app/installations/{number}/access_tokens", "POST", headers=headers)

    def refreshed(self, credential: Credential, answer: Answer, now: datetime) -> Renewed:
        token = text(answer.data, "token") if isinstance(answer.data, dict) else None
        ends = time(answer.data, "expires_at") if isinstance(answer.data, dict) else None
        if token is None or ends is None:
            raise ValueError("GitHub's answer has no token or no end of it")
        return Renewed(token, expires_at=ends)


def app_proof(keys: AppKeys, now: datetime) -> str:
    """The JWT that identifies a GitHub App. Raises ValueError that names the setting to set."""
    import jwt

    if not keys.client_id:
        raise ValueError("GITHUB_APP_ID is not set")
    issued = int(now.timestamp())
    claims = {"iss": keys.client_id, "iat": issued - _JWT_BEFORE, "exp": issued + _JWT_SECONDS}
    try:
        return jwt.encode(claims, _pem(keys.private_key), algorithm="RS256")
    except (ValueError, TypeError, jwt.PyJWTError):
        # The library's own message may quote the key.
        raise ValueError("GITHUB_APP_PRIVATE_KEY is not an RSA key in PEM") from None


def _pem(key: str | None) -> str:
    """The key as PEM: it may come quoted, with `\\n` for line ends, or as base64 of PEM."""
    pem = (key or "").strip().strip("'\"").replace("\\n", "\n")
    if not pem:
        raise ValueError("GITHUB_APP_PRIVATE_KEY is not set")
    if "-----BEGIN" not in pem:
        try:
            pem = base64.b64decode(pem, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise ValueError("no PEM") from None
    return pem


def _points(data: Any) -> Limit | None:
    points = child(child(data, "data"), "rateLimit") if isinstance(data, dict) else {}
    limit, remaining = whole(points, "limit"), whole(points, "remaining")
    resets_at = time(points, "resetAt")
    if limit is None or remaining is None or resets_at is None:
        return None
    return Limit("graphql", limit, remaining, resets_at)


def _is_page(data: Any) -> bool:
    """Whether the answer is a list; the data is None if the client could not parse the body."""
    return (
        data is None or isinstance(data, list) or (isinstance(data, dict) and "total_count" in data)
    )


def _message(data: Any) -> str:
    """GitHub's own message, cut; it may quote the request, never the token."""
    if not isinstance(data, dict):
        return ""
    parts = [text(data, "message") or ""]
    parts += [
        text(error, "message") or text(error, "code") or "" for error in children(data, "errors")
    ]
    return "; ".join(part for part in parts if part)[:300]


def _forbidden(call: Call, answer: Answer, message: str) -> str:
    """The reason of a refusal, with the permission that GitHub says is missing."""
    reason = f"GitHub does not let the token read {call.path}: {message or 'forbidden'}"
    wanted = answer.headers.get("x-accepted-github-permissions", "")[:200]
    return f"{reason}; give it the permission {wanted}" if wanted else reason


def _limited(answer: Answer, message: str, now: datetime) -> Verdict | None:
    """The primary limit says when it is refilled, a secondary limit how many seconds to wait."""
    if answer.status not in (403, 429):
        return None
    headers = answer.headers
    if "retry-after" in headers:
        return Verdict(
            AnswerOutcome.LIMITED, message or "slow down", number_in(headers, "retry-after")
        )
    if headers.get("x-ratelimit-remaining") == "0" and "x-ratelimit-reset" in headers:
        return Verdict(
            AnswerOutcome.LIMITED, message or "rate limit exceeded", _until_full(answer, now)
        )
    if answer.status == 429 or "secondary rate limit" in message.lower():
        return Verdict(AnswerOutcome.LIMITED, message or "slow down")
    return None


def _until_full(answer: Answer, now: datetime) -> float | None:
    reset = number_in(answer.headers, "x-ratelimit-reset")
    return None if reset is None else max(1.0, reset - now.timestamp())


def _has_data(data: Mapping[str, Any]) -> bool:
    """Whether the answer holds any requested data besides the repository's id."""
    repository = child(data, "repository")
    values = [value for name, value in repository.items() if name != "databaseId"]
    values += [value for name, value in data.items() if name not in ("rateLimit", "repository")]
    return any(value is not None for value in values)


def _of_graphql(  # noqa: PLR0911 - one for each meaning
    call: Call, answer: Answer, now: datetime
) -> Verdict:
    """The verdict on a GraphQL answer; its status is 200 even for errors."""
    data = answer.data
    if data is None:
        return Verdict(AnswerOutcome.OK)  # not JSON: the client reports it
    if not isinstance(data, dict) or not ("data" in data or "errors" in data):
        return Verdict(AnswerOutcome.MALFORMED, "GraphQL answered neither data nor errors")
    errors, given = children(data, "errors"), child(data, "data")
    if not errors:
        # A list is null if the feature is switched off.
        is_null = bool(child(given, "repository")) and not _has_data(given) and not call.of_one
        return Verdict(AnswerOutcome.NOTHING, "GitHub has no such list") if is_null else _FINE
    kinds = {text(error, "type") or "" for error in errors}
    message = _message(data)
    if kinds & {"RATE_LIMITED", "RATE_LIMIT"}:
        return Verdict(AnswerOutcome.LIMITED, message, _until_full(answer, now))
    if "secondary rate limit" in message.lower():
        return Verdict(AnswerOutcome.LIMITED, message)
    if any(words in message.lower() for words in _HEAVY):
        return Verdict(AnswerOutcome.HEAVY, message)
    if _has_data(given):
        # A field of some node is missing; the rest of the page is complete.
        return _FINE
    if says_nothing(NOTHING, call, answer.status, message):
        return Verdict(AnswerOutcome.NOTHING, f"GitHub has nothing to list: {message}")
    if "NOT_FOUND" in kinds:
        return Verdict(AnswerOutcome.MISSING, message)
    if kinds & {"FORBIDDEN", "INSUFFICIENT_SCOPES"}:
        return Verdict(AnswerOutcome.FORBIDDEN, message)
    return Verdict(AnswerOutcome.INVALID, message or "GraphQL refuses the query")
