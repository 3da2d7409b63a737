"""The linked repository and the plain API of the backfills' tests, and credentials that expire."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import httpx
import pytest

from lightfast_pipelines.provider_api.credentials import StoredCredentials
from lightfast_pipelines.providers.api_contract import Credential
from lightfast_pipelines.settings import Settings
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.installations import add_installation
from lightfast_pipelines.store.linked_resources import add_workspace, link_resource
from lightfast_pipelines.store.tokens import set_credential
from tests.backfill.conftest import read, source
from tests.provider_api.renewing import KEY, KEYS, Make, RenewingProviderApi, TokenServer, now
from tests.servers.serving import Served, serve

__all__ = ["read", "source"]


@pytest.fixture
def installation(conn: Connection) -> int:
    workspace = add_workspace(conn, "shop")
    made, _ = add_installation(conn, "linear", "org_1", org_id="default")
    link_resource(conn, workspace, "linear", "team_1", name="Shop", installation_id=made.id)
    conn.commit()
    return made.id


@pytest.fixture
def tokens() -> TokenServer:
    return TokenServer()


@pytest.fixture
def api(tokens: TokenServer) -> Iterator[Served]:
    with serve(tokens) as served:
        yield served


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("ENCRYPTION_KEY", KEY)
    monkeypatch.setenv("LINEAR_CLIENT_ID", "client")
    monkeypatch.setenv("LINEAR_CLIENT_SECRET", "secret-of-the-application")
    return Settings()


@pytest.fixture
def credentials(
    database: Database, settings: Settings, installation: int, api: Served
) -> Iterator[Make]:
    with httpx.Client(timeout=0.5) as http:
        yield lambda **more: StoredCredentials(
            database,
            more.pop("settings", settings),
            RenewingProviderApi(),
            installation,
            api.url,
            http,
            actor="dagster:run-1",
            sleep=lambda _: None,
            **more,
        )


@pytest.fixture
def give(conn: Connection, installation: int) -> Callable[..., None]:
    def set_it(
        ends_in: float | None = -60.0, *, kind: str = "oauth", renewable: bool = True
    ) -> None:
        given = Credential(
            kind,
            None if kind == "github_app" else "secret-access-0",
            "secret-refresh-0" if renewable and kind == "oauth" else None,
            None if ends_in is None else now() + timedelta(seconds=ends_in),
        )
        set_credential(conn, KEYS, installation, given)
        conn.commit()

    return set_it
