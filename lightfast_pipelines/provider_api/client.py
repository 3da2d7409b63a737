"""Asks a provider's API on behalf of one installation: authorized, within budget, again where it helps.

What an answer means is the provider's (`providers/api_contract.py`); what is left to ask stands in
`budget.py`, the credential in `credentials.py`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urljoin, urlsplit

import httpx
import msgspec
import tenacity

from lightfast_pipelines.provider_api.answer_body import (
    ACCEPTED_ENCODING,
    UnusableBodyError,
    read_json,
)
from lightfast_pipelines.provider_api.budget import RateBudget
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
"""How often what may pass (5xx, time-outs, cut answers) is asked before it is told as a failure."""

_REDIRECTS = 3
_REMEMBERED_SECONDS = 300.0
_LIMITED_IN_A_ROW = 20
# Where a provider says "slow down" without saying for how long: GitHub asks for a minute.
_UNTOLD_WAIT_SECONDS = 60.0


class CallFailedError(Exception):
    """A request that will not succeed; the message is for an operator and holds no secret.

    `status` is that of the answer, where there was one.
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


class _PassingError(Exception):
    """What may be otherwise in a moment."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.message)
        self.verdict = verdict


class Credentials:
    """Hands out the installation's credential; the port of `credentials.py` that a client needs."""

    def current(self) -> Credential:
        """One that is live now. Raises an error whose message is for an operator."""
        raise NotImplementedError

    def renewed(self, refused: Credential) -> Credential | None:
        """Another one after this was refused, or None where there is none: then it is marked so."""
        raise NotImplementedError

    def refuse(self, reason: str) -> None:
        """Marks the credential as refused by the provider, for an operator to see."""
        raise NotImplementedError


@dataclass(slots=True)
class Spent:
    """What was asked so far, and how long was waited for budgets."""

    requests: int = 0
    unchanged: int = 0
    cost: float = 0.0
    waited_seconds: float = 0.0
    answer_seconds: float = 0.0


class ApiClient:
    """One installation's access to its provider's API. Not for several threads at once."""

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
        self._base = base_url.rstrip("/") + "/"
        self._http, self._credentials, self._sleep = http, credentials, sleep
        self._moved: dict[str, str] = {}
        self._remembered: dict[bytes, tuple[float, datetime | None, Answer]] = {}

    def remember(self, call: Call, answer: Answer) -> None:
        """Gives this answer, once and within some minutes, instead of asking the same again."""
        self._remembered[_key(call)] = (time.monotonic(), self.answered_at, answer)

    def ask(self, call: Call, *, reserve: bool = True) -> Answer:
        """A good answer, one of 304, one that there is nothing to list, or one that the thing asked
        for (`of_one`) is gone.

        Waits for the budget, obeys Retry-After, tries again what may succeed later. With `reserve` it
        leaves what is kept for live use. Raises CallFailedError.
        """
        known = self._remembered.pop(_key(call), None) if self._remembered else None
        if known is not None and time.monotonic() - known[0] < _REMEMBERED_SECONDS:
            self.answered_at = known[1]
            return known[2]
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            wait=tenacity.wait_exponential_jitter(multiplier=0.5, max=20),
            retry=tenacity.retry_if_exception_type(_PassingError),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            return retrying(self._asked, call, reserve)
        except _PassingError as error:
            message = f"{error.verdict.message} (asked {ATTEMPTS} times)"
            raise CallFailedError(error.verdict.outcome, message) from None

    def _asked(self, call: Call, reserve: bool) -> Answer:
        credential = self._credentials.current()
        renewed = False
        limited = redirects = 0
        while True:
            self.spent.waited_seconds += self.budget.take(call.pool, call.cost, reserve=reserve)
            answer, verdict = self._sent(call, credential)
            match verdict.outcome:
                case AnswerOutcome.OK:
                    return answer
                case AnswerOutcome.UNCHANGED:
                    self.spent.unchanged += 1
                    return answer
                case AnswerOutcome.NOTHING:
                    return replace(answer, nothing=verdict.message)
                case AnswerOutcome.MISSING if call.of_one:
                    return answer
                case AnswerOutcome.LIMITED if limited < _LIMITED_IN_A_ROW:
                    limited += 1
                    wait = verdict.retry_after
                    self.budget.block(call.pool, _UNTOLD_WAIT_SECONDS if wait is None else wait)
                    _log.info(
                        "%s: waiting as told: %s", self.provider_api.provider, verdict.message
                    )
                case AnswerOutcome.MOVED if redirects < _REDIRECTS and verdict.location:
                    redirects += 1
                    call = self._follow(call, verdict)
                case AnswerOutcome.CREDENTIAL if not renewed:
                    renewed = True
                    other = self._credentials.renewed(credential)
                    if other is None:
                        self._credentials.refuse(verdict.message)
                        raise CallFailedError(verdict.outcome, verdict.message)
                    credential = other
                case AnswerOutcome.UNAVAILABLE | AnswerOutcome.MALFORMED:
                    raise _PassingError(verdict)
                case AnswerOutcome.CREDENTIAL:
                    self._credentials.refuse(verdict.message)
                    raise CallFailedError(verdict.outcome, verdict.message)
                case _:
                    raise CallFailedError(
                        verdict.outcome, verdict.message, verdict.retry_after, answer.status
                    )

    def _sent(self, call: Call, credential: Credential) -> tuple[Answer, Verdict]:
        headers = {**self.provider_api.authorize(credential), **call.headers}
        if call.etag is not None:
            headers["If-None-Match"] = call.etag
        url = self._address(call)
        self.spent.requests += 1
        self.spent.cost += call.cost
        data, unusable = None, None
        try:
            with self._http.stream(
                call.method,
                url,
                params=dict(call.params) or None,
                json=call.json,
                data=dict(call.form) if call.form is not None else None,
                headers=headers,
            ) as response:
                try:
                    data = read_json(response)
                except UnusableBodyError as error:
                    unusable = error
        except httpx.TimeoutException:
            return _nothing(url), Verdict(
                AnswerOutcome.UNAVAILABLE, f"{_shown(url)} did not answer in time"
            )
        except httpx.TransportError as error:
            message = f"{_shown(url)} cannot be reached ({type(error).__name__})"
            return _nothing(url), Verdict(AnswerOutcome.UNAVAILABLE, message)
        self.spent.answer_seconds += response.elapsed.total_seconds()
        now = self.answered_at = _answered_at(response.headers)
        lower_headers = {name.lower(): value for name, value in response.headers.items()}
        answer = Answer(response.status_code, lower_headers, data, str(response.url))
        self.budget.learn(
            self.provider_api.limits(call, answer, now),
            pool=call.pool,
            cost=call.cost,
            answered_at=now,
        )
        verdict = self.provider_api.verdict(call, answer, now)
        if unusable and verdict.outcome in (AnswerOutcome.OK, AnswerOutcome.NOTHING):
            verdict = Verdict(unusable.outcome, f"{_shown(url)} answered {unusable}")
        return answer, verdict

    def _address(self, call: Call) -> str:
        url = call.path
        if "://" not in url:
            url = self.provider_api.address(self._base.rstrip("/"), url)
        for old, new in self._moved.items():
            if url.startswith(old):
                return new + url[len(old) :]
        return url

    def _follow(self, call: Call, verdict: Verdict) -> Call:
        """Asks at the new address, and there from now on. Only at the same host: the credential goes along."""
        old, new = (
            urlsplit(self._address(call)),
            urlsplit(urljoin(self._base, verdict.location or "")),
        )
        if (old.scheme, old.netloc) != (new.scheme, new.netloc):
            raise CallFailedError(
                AnswerOutcome.MOVED,
                f"{_shown(old.geturl())} moved to another host, {new.netloc}: not followed, as the "
                "credential would go there",
            )
        left, right = old.path.split("/"), new.path.split("/")
        while left and right and left[-1] == right[-1]:
            left.pop()
            right.pop()
        origin = f"{old.scheme}://{old.netloc}"
        # A single thing that moved (an issue to another repository) says nothing of its neighbours.
        if not call.of_one:
            self._moved[origin + "/".join(left) + "/"] = origin + "/".join(right) + "/"
        _log.info("%s: %s moved to %s", self.provider_api.provider, old.path, new.path)
        # What the new address says of the query counts; else the query goes along.
        query = {} if new.query else dict(call.params)
        return replace(call, path=new.geturl(), params=query)


def _key(call: Call) -> bytes:
    parts = [call.method, call.path, sorted(call.params.items()), call.json, call.etag]
    return msgspec.json.encode(parts)


def _nothing(url: str) -> Answer:
    return Answer(0, {}, None, url)


def _answered_at(headers: Mapping[str, str]) -> datetime:
    """The provider's time, by which its times of reset count; ours where it says none."""
    try:
        return parsedate_to_datetime(headers["date"]).astimezone(UTC)
    except (KeyError, ValueError, OverflowError):
        return datetime.now(UTC)


def _shown(url: str) -> str:
    """An address without its query, which may hold ids of people."""
    parts = urlsplit(url)
    return f"{parts.netloc}{parts.path}"


@contextmanager
def an_http_client(timeout_seconds: float) -> Iterator[httpx.Client]:
    """The HTTP client of a process. It follows no redirects by itself, and takes no proxy from the
    environment, which would see where requests go, and over plain HTTP their credentials."""
    timeout = httpx.Timeout(timeout_seconds, connect=10.0)
    with httpx.Client(
        timeout=timeout,
        follow_redirects=False,
        trust_env=False,
        headers={"Accept-Encoding": ACCEPTED_ENCODING},
    ) as client:
        yield client
