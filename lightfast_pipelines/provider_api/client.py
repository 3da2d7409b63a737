"""Sends requests to a provider's API for one installation: with its credential, within its budget, with
retries.

The provider says what an answer means (`providers/api_contract.py`); `budget.py` keeps the rate limits,
`credentials.py` the credential, `transport.py` sends.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urljoin, urlsplit

import httpx
import msgspec
import tenacity

from lightfast_pipelines.provider_api.budget import RateBudget
from lightfast_pipelines.provider_api.transport import send, url_of, without_query
from lightfast_pipelines.providers.api_contract import (
    Answer,
    AnswerOutcome,
    Call,
    Credential,
    ProviderApi,
    Verdict,
)

_log = logging.getLogger(__name__)

ATTEMPTS = 5
"""How often a request is attempted that fails in a transient way (5xx, time-outs, cut-off answers)."""

_REDIRECTS = 3
_REMEMBERED_SECONDS = 300.0
_LIMITED_IN_A_ROW = 20
# For a provider that says "slow down" but not for how long. GitHub's advice is a minute.
_DEFAULT_WAIT_SECONDS = 60.0


class CallFailedError(Exception):
    """A request that will not succeed. The message is for an operator and holds no secret.

    `status` is the answer's, if there was one.
    """

    def __init__(
        self,
        outcome: AnswerOutcome,
        message: str,
        retry_after: float | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(message)
        self.outcome = outcome
        self.message = message
        self.retry_after = retry_after
        self.status = status


class _TransientError(Exception):
    """A failure that may be over in a moment."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.message)
        self.verdict = verdict


class Credentials:
    """Hands out the installation's credential; `credentials.StoredCredentials` implements it."""

    def current(self) -> Credential:
        """A credential that is valid now. Raises CallFailedError."""
        raise NotImplementedError

    def renewed(self, refused: Credential) -> Credential | None:
        """Another credential after this one was refused; None if there is none."""
        raise NotImplementedError

    def refuse(self, reason: str) -> None:
        """Marks the credential as refused by the provider, for an operator to see."""
        raise NotImplementedError


@dataclass(slots=True)
class Spent:
    """The requests so far, and how long they took."""

    requests: int = 0
    cost: float = 0.0
    waited_seconds: float = 0.0
    answer_seconds: float = 0.0


class ApiClient:
    """A client for one installation. Not thread-safe."""

    def __init__(
        self,
        provider_api: ProviderApi,
        base_url: str,
        http: httpx.Client,
        credentials: Credentials,
        budget: RateBudget,
        *,
        sleep: Callable[[float], None],
    ) -> None:
        self.provider_api, self.budget, self.spent = provider_api, budget, Spent()
        self.answered_at: datetime | None = None
        """The provider's own time of the latest answer."""
        self._base_url = base_url
        self._http, self._credentials, self._sleep = http, credentials, sleep
        self._moved: dict[str, str] = {}
        self._remembered: dict[bytes, tuple[float, datetime | None, Answer]] = {}

    def remember(self, call: Call, answer: Answer) -> None:
        """Uses this answer once, within a few minutes, instead of sending the same request again."""
        self._remembered[_key(call)] = (time.monotonic(), self.answered_at, answer)

    def ask(self, call: Call) -> Answer:
        """A usable answer: also a 304, one that says there is nothing to list, and one that says that
        the single entity requested (`of_one`) is gone.

        Waits for the budget, obeys Retry-After, and retries what may succeed later. Raises
        CallFailedError.
        """
        remembered = self._remembered.pop(_key(call), None) if self._remembered else None
        if remembered is not None and time.monotonic() - remembered[0] < _REMEMBERED_SECONDS:
            self.answered_at = remembered[1]
            return remembered[2]
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            wait=tenacity.wait_exponential_jitter(multiplier=0.5, max=20),
            retry=tenacity.retry_if_exception_type(_TransientError),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            return retrying(self._ask_once, call)
        except _TransientError as error:
            message = f"{error.verdict.message} (asked {ATTEMPTS} times)"
            raise CallFailedError(error.verdict.outcome, message) from None

    def _ask_once(self, call: Call) -> Answer:
        """Repeats the request until waiting, redirects and renewal would not change the answer."""
        credential = self._credentials.current()
        is_renewed = False
        limited = redirects = 0
        while True:
            self.spent.waited_seconds += self.budget.take(call.pool, call.cost)
            answer, verdict = self._send(call, credential)
            match verdict.outcome:
                case AnswerOutcome.OK | AnswerOutcome.UNCHANGED:
                    return answer
                case AnswerOutcome.NOTHING:
                    return replace(answer, nothing=verdict.message)
                case AnswerOutcome.MISSING if call.of_one:
                    return answer
                case AnswerOutcome.LIMITED if limited < _LIMITED_IN_A_ROW:
                    limited += 1
                    wait = verdict.retry_after
                    self.budget.block(call.pool, _DEFAULT_WAIT_SECONDS if wait is None else wait)
                    _log.info(
                        "%s: waiting as asked: %s", self.provider_api.provider, verdict.message
                    )
                case AnswerOutcome.MOVED if redirects < _REDIRECTS and verdict.location:
                    redirects += 1
                    call = self._follow(call, verdict)
                case AnswerOutcome.CREDENTIAL:
                    other = None if is_renewed else self._credentials.renewed(credential)
                    if other is None:
                        self._credentials.refuse(verdict.message)
                        raise CallFailedError(verdict.outcome, verdict.message)
                    credential, is_renewed = other, True
                case AnswerOutcome.UNAVAILABLE | AnswerOutcome.MALFORMED:
                    raise _TransientError(verdict)
                case _:
                    raise CallFailedError(
                        verdict.outcome, verdict.message, verdict.retry_after, answer.status
                    )

    def _send(self, call: Call, credential: Credential) -> tuple[Answer, Verdict]:
        headers = {**self.provider_api.authorize(credential), **call.headers}
        if call.etag is not None:
            headers["If-None-Match"] = call.etag
        self.spent.requests += 1
        self.spent.cost += call.cost
        exchange = send(self._http, call, self._url(call), headers)
        answer, failure = exchange.answer, exchange.failure
        if failure is not None and answer.status == 0:
            return answer, failure
        self.spent.answer_seconds += exchange.seconds
        now = self.answered_at = _answered_at(answer.headers)
        limits = self.provider_api.limits(call, answer, now)
        self.budget.learn(limits, pool=call.pool, cost=call.cost, answered_at=now)
        verdict = self.provider_api.verdict(call, answer, now)
        if failure is not None and verdict.outcome in (AnswerOutcome.OK, AnswerOutcome.NOTHING):
            return answer, failure
        return answer, verdict

    def _url(self, call: Call) -> str:
        url = url_of(self.provider_api, self._base_url, call)
        for old, new in self._moved.items():
            if url.startswith(old):
                return new + url[len(old) :]
        return url

    def _follow(self, call: Call, verdict: Verdict) -> Call:
        """The call at its new address, which is used from now on.

        Only at the same host, as the credential is sent along. Raises CallFailedError.
        """
        old, new = (
            urlsplit(self._url(call)),
            urlsplit(urljoin(self._base_url.rstrip("/") + "/", verdict.location or "")),
        )
        if (old.scheme, old.netloc) != (new.scheme, new.netloc):
            raise CallFailedError(
                AnswerOutcome.MOVED,
                f"{without_query(old.geturl())} moved to another host, {new.netloc}: not followed, as the "
                "credential would go there",
            )
        left, right = old.path.split("/"), new.path.split("/")
        while left and right and left[-1] == right[-1]:
            left.pop()
            right.pop()
        origin = f"{old.scheme}://{old.netloc}"
        # A single entity that moved (an issue to another repository) says nothing about others.
        if not call.of_one:
            self._moved[origin + "/".join(left) + "/"] = origin + "/".join(right) + "/"
        _log.info("%s: %s moved to %s", self.provider_api.provider, old.path, new.path)
        # A query in the new address replaces the call's.
        query = {} if new.query else dict(call.params)
        return replace(call, path=new.geturl(), params=query)


def _key(call: Call) -> bytes:
    parts = [call.method, call.path, sorted(call.params.items()), call.json, call.etag]
    return msgspec.json.encode(parts)


def _answered_at(headers: Mapping[str, str]) -> datetime:
    """The provider's time, to which its reset times refer; our own if it gives none."""
    try:
        return parsedate_to_datetime(headers["date"]).astimezone(UTC)
    except (KeyError, ValueError, OverflowError):
        return datetime.now(UTC)
