"""One process at a time renews a credential before it expires, and all of them share it."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from lightfast_pipelines.providers.api_contract import Credential, discover_apis
from lightfast_pipelines.settings import Settings
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.tokens import load_credential, set_credential
from tests.provider_api.renewing import KEYS, Make, TokenServer, deeds, now
from tests.servers.serving import Served

ROOT = Path(__file__).parents[2]


def test_a_live_token_is_handed_out_without_asking(
    credentials: Make, give: Callable[..., None], api: Served
) -> None:
    give(3_600)
    held = credentials()
    assert {held.current().access_token for _ in range(3)} == {"secret-access-0"}
    give(None)
    assert credentials().current().access_token == "secret-access-0"
    assert api.count() == 0


def test_a_token_is_renewed_before_it_ends_and_kept_sealed(
    credentials: Make,
    give: Callable[..., None],
    api: Served,
    conn: Connection,
    installation: int,
) -> None:
    give(4 * 60)
    assert credentials().current().access_token == "secret-access-1"
    stored = load_credential(conn, KEYS, installation)
    assert stored is not None
    assert (stored.access_token, stored.refresh_token) == ("secret-access-1", "secret-refresh-1")
    assert stored.expires_at is not None
    assert stored.expires_at > now() + timedelta(minutes=50)
    assert credentials().current().access_token == "secret-access-1"
    assert api.count() == 1
    assert deeds(conn) == [("credential.renewed", "dagster:run-1")]


def test_a_clock_that_is_ahead_does_not_renew_with_every_request(
    credentials: Make, give: Callable[..., None], api: Served
) -> None:
    give()
    for _ in range(3):
        ahead = credentials(clock=lambda: now() + timedelta(hours=5))
        assert ahead.current().access_token == "secret-access-1"
    assert api.count() == 1


def test_an_app_without_a_token_gets_one_that_all_processes_share(
    credentials: Make, give: Callable[..., None], api: Served
) -> None:
    give(None, kind="github_app")
    first, second = credentials(), credentials()
    assert first.current().access_token == second.current().access_token == "secret-access-1"
    assert api.count("POST /app/installations/org_1/access_tokens") == 1


def test_two_processes_that_ask_at_once_renew_once(
    database: Database,
    give: Callable[..., None],
    api: Served,
    tokens: TokenServer,
    installation: int,
    settings: Settings,
) -> None:
    give()
    tokens.slow = 0.7
    command = [sys.executable, "-m", "tests.backfill.asking", database.url("migrator")]
    asking = [
        subprocess.Popen(
            [*command, str(installation), api.url],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    try:
        for process in asking:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in asking:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        outputs = [process.communicate(timeout=60) for process in asking]
    finally:
        for process in asking:
            process.kill()
    assert [error for _, error in outputs] == ["", ""]
    expected = hashlib.sha256(b"secret-access-1").hexdigest()
    assert [out.strip() for out, _ in outputs] == [expected, expected]
    assert api.count("POST /oauth/token") == 1


def test_a_refused_token_that_seemed_live_is_renewed_once(
    credentials: Make, give: Callable[..., None], api: Served
) -> None:
    give(3_600)
    some = [credentials() for _ in range(4)]
    refused = [credentials.current() for credentials in some]
    with ThreadPoolExecutor(4) as pool:
        renewed = list(
            pool.map(lambda pair: pair[0].renewed(pair[1]), zip(some, refused, strict=True))
        )
    assert {credential.access_token for credential in renewed if credential is not None} == {
        "secret-access-1"
    }
    assert len(renewed) == 4
    assert api.count() == 1


def test_a_new_credential_waits_for_a_running_renewal_and_is_not_overwritten(
    database: Database,
    credentials: Make,
    give: Callable[..., None],
    api: Served,
    tokens: TokenServer,
    conn: Connection,
    installation: int,
) -> None:
    give()
    tokens.slow = 0.4
    renewing = threading.Thread(target=credentials().current)
    renewing.start()
    with database.connect() as other:
        while not other.execute(
            "SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = 4714"
        ).rowcount:
            other.rollback()
    set_credential(conn, KEYS, installation, Credential("api_key", "secret-given"))
    conn.commit()
    renewing.join()
    assert api.count() == 1
    assert credentials().current().access_token == "secret-given"


def test_an_applications_keys_come_from_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (
        ("SENTRY_CLIENT_ID", "app"),
        ("SENTRY_CLIENT_SECRET", "new, old"),
        ("GITHUB_APP_ID", "12"),
        ("GITHUB_APP_PRIVATE_KEY", "pem"),
    ):
        monkeypatch.setenv(name, value)
    provider_apis = discover_apis()
    sentry, github = (provider_apis[name].app_keys(Settings()) for name in ("sentry", "github"))
    assert (sentry.client_id, sentry.client_secret) == ("app", "new")
    assert (github.client_id, github.private_key) == ("12", "pem")
    assert provider_apis["vercel"].app_keys(Settings()).client_id is None
    assert "new" not in repr(sentry)
    assert "pem" not in repr(github)
