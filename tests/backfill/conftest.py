"""A linked repository, and clients for the plain API."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

import httpx
import pytest

from lightfast_pipelines.backfill import run as backfills
from lightfast_pipelines.backfill.request import BackfillListener, BackfillRequest, BackfillResult
from lightfast_pipelines.provider_api.budget import RateBudget
from lightfast_pipelines.provider_api.client import ApiClient, Credentials
from lightfast_pipelines.providers.api_contract import Credential, ProviderApi
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.linked_resources import add_workspace, link_resource
from lightfast_pipelines.store.sources import Source, find_sources
from tests.backfill.plain import FIRST, PlainProviderApi

UNTIL = datetime(2026, 6, 1, tzinfo=UTC)


class OneToken(Credentials):
    """A token that cannot be renewed; notes whether it was refused."""

    def __init__(self, token: str = "live-token") -> None:
        self.token, self.refusals = token, list[str]()

    def current(self) -> Credential:
        return Credential("token", self.token)

    def renewed(self, refused: Credential) -> Credential | None:
        return None

    def refuse(self, reason: str) -> None:
        self.refusals.append(reason)


def let_time_pass(conn: Connection, seconds: float) -> None:
    """Shifts every stored time that a budget waits for, as if that many seconds had passed."""
    conn.execute(
        """
        UPDATE lightfast.api_budgets SET
          resets_at = resets_at - %(passed)s, blocked_until = blocked_until - %(passed)s,
          updated_at = updated_at - %(passed)s
        """,
        {"passed": timedelta(seconds=seconds)},
    )


class PlainApis:
    """Opens the API at `url` for any source; waiting for a rate limit takes no time.

    `slept` is called with each wait.
    """

    def __init__(
        self,
        database: Database,
        url: str,
        provider_api: ProviderApi | None = None,
        *,
        token: str = "live-token",
        timeout: float = 5.0,
        reserve: int = 50,
        slept: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._database, self._url, self._timeout = database, url, timeout
        self._reserve, self._slept = reserve, slept
        self.provider_api: ProviderApi = provider_api or PlainProviderApi()
        self.credentials = OneToken(token)

    @contextmanager
    def open(self, source: Source, check: Callable[[], None] = lambda: None) -> Iterator[ApiClient]:
        with (
            self._database.connect(autocommit=True) as conn,
            httpx.Client(timeout=self._timeout) as http,
        ):

            def sleep(seconds: float) -> None:
                let_time_pass(conn, seconds)
                self._slept(seconds)

            budget = RateBudget(
                conn, source.installation_id, reserve=self._reserve, sleep=sleep, check=check
            )
            yield ApiClient(
                self.provider_api, self._url, http, self.credentials, budget, sleep=lambda _: None
            )


@pytest.fixture
def source(conn: Connection) -> Source:
    """The only linked repository, with a credential."""
    workspace = add_workspace(conn, "shop")
    link_resource(conn, workspace, "github", "1", name="acme/shop")
    conn.execute(
        """
        INSERT INTO lightfast.tokens (installation_id, kind, key_id)
        SELECT id, 'token', 'none' FROM lightfast.installations
        """
    )
    conn.commit()
    return find_sources(conn)[0]


@pytest.fixture
def read(database: Database, monkeypatch: pytest.MonkeyPatch) -> Callable[..., BackfillResult]:
    """Reads the history of a source through these APIs."""

    def run(
        source: Source,
        apis: PlainApis,
        *,
        since: datetime = FIRST,
        until: datetime = UNTIL,
        listener: BackfillListener | None = None,
    ) -> BackfillResult:
        monkeypatch.setattr(backfills, "discover_apis", lambda: {"github": apis.provider_api})
        request = BackfillRequest([source], since, until, requested_by="operator:test")
        return backfills.run_backfill(
            database,
            apis,
            request,
            first_day=date(2008, 1, 1),
            listener=listener or BackfillListener(),
        )

    return run
