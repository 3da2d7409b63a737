"""Keys are rotated while credentials are read and renewed, and no request fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta

import httpx
import pytest

from lightfast_pipelines import settings as settings_module
from lightfast_pipelines.provider_api.credentials import StoredCredentials
from lightfast_pipelines.providers.api_contract import Credential
from lightfast_pipelines.settings import Settings
from lightfast_pipelines.store.installations import (
    add_installation,
    find_installation,
    set_secret,
)
from lightfast_pipelines.store.sealed import Keys
from lightfast_pipelines.store.tokens import load_credential, set_credential
from tests.cli.conftest import Lightfast
from tests.provider_api.renewing import RenewingProviderApi, TokenServer, now
from tests.servers.serving import App, Served, serve

OLD, NEW = "07" * 32, "08" * 32


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch, lightfast: Lightfast) -> Iterator[pytest.MonkeyPatch]:
    monkeypatch.setenv("LINEAR_CLIENT_ID", "client")
    set_keys(monkeypatch, OLD)
    yield monkeypatch
    settings_module.settings.cache_clear()


def set_keys(monkeypatch: pytest.MonkeyPatch, *live: str) -> None:
    monkeypatch.setenv("ENCRYPTION_KEY", ",".join(live))
    settings_module.settings.cache_clear()


def fill(lightfast: Lightfast, count: int, *, token: str = "secret-access-0") -> list[int]:
    """Installations with a credential and a webhook secret each, sealed with the old key."""
    with lightfast.database.connect() as conn:
        ids = []
        for number in range(count):
            made, _ = add_installation(conn, "linear", f"org-{number}", org_id="default")
            ends = now() + timedelta(hours=1)
            given = Credential("oauth", token, f"secret-refresh-{number}", ends)
            set_credential(conn, Keys.parse(OLD), made.id, given)
            set_secret(conn, Keys.parse(OLD), made, b"webhook secret")
            ids.append(made.id)
        conn.commit()
    return ids


@contextmanager
def serve_all(apps: Sequence[App]) -> Iterator[list[Served]]:
    with ExitStack() as stack:
        yield [stack.enter_context(serve(app)) for app in apps]


def test_keys_are_rotated_and_the_old_one_can_be_removed(
    lightfast: Lightfast, keys: pytest.MonkeyPatch
) -> None:
    fill(lightfast, 3)
    set_keys(keys, NEW, OLD)
    old, new = Keys.parse(OLD).first_id, Keys.parse(NEW).first_id
    assert lightfast.json("keys", "status") == [
        {"key_id": old, "credentials": 3, "secrets": 3, "state": "live"}
    ]
    assert lightfast.json("keys", "rotate") == {"sealed": 6, "left": 0, "problems": []}
    set_keys(keys, NEW)
    assert lightfast.json("keys", "status") == [
        {"key_id": new, "credentials": 3, "secrets": 3, "state": "first"}
    ]
    with lightfast.database.connect() as conn:
        installation = find_installation(conn, "linear", "org-0")
        token = load_credential(conn, Keys.parse(NEW), installation.id)
    assert token is not None
    assert token.access_token == "secret-access-0"
    assert "0 sealed under the first key; older keys can go" in lightfast("keys", "rotate").stdout
    assert lightfast.json("installation", "reseal")["sealed"] == 0
    entries = lightfast.json("activity", "--action", "keys.rotated")
    assert [entry["detail"]["sealed"] for entry in entries] == [0, 0, 6]


def test_a_missing_key_is_reported_and_nothing_is_lost(
    lightfast: Lightfast, keys: pytest.MonkeyPatch
) -> None:
    fill(lightfast, 1)
    set_keys(keys, NEW)
    assert "missing from ENCRYPTION_KEY" in lightfast("keys", "status").stdout
    failed = lightfast("keys", "rotate", exits=1)
    assert "2 cannot be opened" in failed.stderr
    assert "put the key that sealed them at the end of ENCRYPTION_KEY" in failed.stderr
    assert "2 are still sealed with another key" in failed.stdout
    set_keys(keys, NEW, OLD)
    assert lightfast.json("keys", "rotate")["sealed"] == 2


def test_rotating_keys_under_load_fails_no_request(
    lightfast: Lightfast, keys: pytest.MonkeyPatch
) -> None:
    """Threads read and renew as fast as they can while keys are rotated back and forth."""
    servers = [TokenServer(name=f"of-{n}", refresh=f"secret-refresh-{n}") for n in range(4)]
    installations = fill(lightfast, 40)
    set_keys(keys, OLD, NEW)
    configured = Settings()
    failed: list[str] = []
    asked = [0] * len(servers)
    ended = threading.Event()

    def ask(number: int, api: Served) -> None:
        with httpx.Client() as http:
            held = StoredCredentials(
                *(
                    lightfast.database,
                    configured,
                    RenewingProviderApi(),
                    installations[number],
                    api.url,
                ),
                http,
            )
            while not ended.is_set():
                try:
                    new = held.renewed(held.current())
                    assert new is not None
                    assert (new.access_token or "").startswith(f"of-{number}-access-")
                    asked[number] += 1
                except Exception as error:
                    failed.append(f"{type(error).__name__}: {error}")

    def read() -> None:
        with lightfast.database.connect(autocommit=True) as conn:
            both = Keys.parse(f"{OLD},{NEW}")
            while not ended.is_set():
                for installation_id in installations:
                    try:
                        assert load_credential(conn, both, installation_id) is not None
                    except Exception as error:
                        failed.append(f"{type(error).__name__}: {error}")

    turned = 0
    with serve_all(servers) as apis:
        threads = [threading.Thread(target=ask, args=pair) for pair in enumerate(apis)]
        threads.append(threading.Thread(target=read))
        for thread in threads:
            thread.start()
        try:
            until = time.monotonic() + 30
            # Renewals seal with the first key of their own process, the old one.
            while turned < 6 or (min(asked) < 5 and time.monotonic() < until):
                live = (OLD, NEW) if turned % 2 else (NEW, OLD)
                set_keys(keys, *live)
                assert lightfast.json("keys", "rotate")["problems"] == []
                turned += 1
        finally:
            ended.set()
            for thread in threads:
                thread.join(30)
    assert failed == []
    assert min(asked) >= 5
    # Every renewal used the refresh token of the one before: none was lost to a rotation.
    assert all(server.given == len(set(server.spent)) for server in servers)
