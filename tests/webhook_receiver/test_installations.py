"""Deliveries verified by an installation's own secret: who may send, and how far they reach."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import psycopg
import pytest

from lightfast_pipelines.capture.queue.batches import capture
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.installations import (
    Installation,
    InstallationError,
    add_installation,
    remove_secrets,
    set_secret,
    the_installation,
)
from lightfast_pipelines.store.linked_resources import add_workspace, link_resource
from lightfast_pipelines.store.logins import Role
from lightfast_pipelines.store.rotation import rotate
from lightfast_pipelines.store.sealed import Keys
from tests.providers.github import payloads as github
from tests.webhook_receiver.serving import SECRET, ready_receiver, receiver, signed, until
from webhook_receiver import installations

KEYS = Keys.parse("07" * 32)


@pytest.fixture(autouse=True)
def nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installations, "CACHED_SECONDS", 0.0)


@pytest.fixture
def client(database: Database) -> Iterator[httpx.Client]:
    with ready_receiver(database.url("receiver"), keys=KEYS) as found:
        yield found


def install(
    conn: Connection, external_id: str, *secrets: str, org_id: str = "default"
) -> Installation:
    made, _ = add_installation(conn, "github", external_id, org_id=org_id)
    for secret in secrets:
        set_secret(conn, KEYS, made, secret.encode())
    conn.commit()
    return made


def send(
    client: httpx.Client, installation: str, secret: str, payload: Any = None, event: str = "ping"
) -> httpx.Response:
    body = github.encoded(payload or github.ping())
    headers = signed(body, str(uuid.uuid4()), secret) | {"x-github-event": event}
    return client.post(f"/webhooks/github{installation}", content=body, headers=headers)


def test_only_the_installations_own_secrets_verify(client: httpx.Client, conn: Connection) -> None:
    one = install(conn, "one", "first of one")
    install(conn, "two", "first of two")
    assert send(client, "/one", "first of one").status_code == 200
    assert send(client, "/two", "first of one").status_code == 401
    assert send(client, "/one", SECRET).status_code == 401
    assert send(client, "", "first of one").status_code == 401
    assert send(client, "", SECRET).status_code == 200
    stored = conn.execute("SELECT verified_by FROM lightfast.raw_payloads ORDER BY id").fetchall()
    assert stored == [(f"installation:{one.id}",), ("env:NAME#1",)]


def test_a_delivery_is_new_although_another_installations_secret_verified_the_same_one(
    client: httpx.Client, conn: Connection
) -> None:
    for name in ("one", "two"):
        installation = install(conn, name, f"of {name}", org_id=name)
        workspace = add_workspace(conn, name, name)
        if name == "one":
            link_resource(conn, workspace, "github", "1", installation_id=installation.id)
    conn.commit()
    body = github.encoded(github.pull_request(repo_id=1))
    new = []
    for name in ("two", "two", "one", "one"):
        headers = signed(body, "the-same-id", f"of {name}") | {"x-github-event": "pull_request"}
        answer = client.post(f"/webhooks/github/{name}", content=body, headers=headers)
        new.append(not answer.json()["duplicate"])
    assert new == [True, False, True, False]
    report = capture(conn, days=None, max_rows=9, batch_rows=9, now=datetime.now(UTC))
    assert report.outcomes == {"delivered": 1, "parked": 1}


def test_two_secrets_verify_during_a_rotation_and_an_older_one_does_not(
    client: httpx.Client, conn: Connection
) -> None:
    one = install(conn, "one", "oldest", "older", "new")

    def accepted() -> list[bool]:
        return [send(client, "/one", s).status_code == 200 for s in ("oldest", "older", "new")]

    assert accepted() == [False, True, True]
    remove_secrets(conn, one, keep=1)
    conn.commit()
    assert accepted() == [False, False, True]
    remove_secrets(conn, one, keep=0)
    conn.commit()
    assert send(client, "/one", "new").status_code == 404


def test_an_unknown_installation_is_404_whatever_is_sent(
    client: httpx.Client, conn: Connection
) -> None:
    install(conn, "without-secret")
    answers = [
        send(client, path, "x") for path in ("/none", "/without-secret", "/", "/a/b", "/%2e%2e")
    ]
    assert {(a.status_code, a.text) for a in answers} == {(404, '{"error":"no such installation"}')}


def test_a_secret_of_another_provider_or_row_verifies_nothing(
    client: httpx.Client, conn: Connection
) -> None:
    one, two = install(conn, "one", "of one"), install(conn, "two", "of two")
    assert client.post("/webhooks/vercel/one", content=b"{}").status_code == 404
    conn.execute(
        """
        UPDATE lightfast.installation_secrets SET (sealed, key_id) = (
          SELECT sealed, key_id FROM lightfast.installation_secrets WHERE installation_id = %s
        ) WHERE installation_id = %s
        """,
        (one.id, two.id),
    )
    conn.commit()
    assert send(client, "/two", "of one").status_code == 503
    assert send(client, "/two", "of two").status_code == 503


@pytest.mark.parametrize("keys", [None, Keys.parse("08" * 32)], ids=["no key", "another key"])
def test_with_a_wrong_key_senders_get_503_and_the_receiver_is_not_ready(
    database: Database, conn: Connection, caplog: pytest.LogCaptureFixture, keys: Keys | None
) -> None:
    install(conn, "one", "of one")
    install(conn, "two", "of two")
    with receiver(database.url("receiver"), keys=keys) as client:
        until(lambda: send(client, "", SECRET).status_code == 200, "no database")
        for path, secret in [("/one", "of one"), ("/two", "of two"), ("/one", "forged")]:
            answer = send(client, path, secret)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert send(client, "/none", "x").status_code == 404
        ready = client.get("/readyz")
        assert ready.status_code == 503
        assert "ENCRYPTION_KEY" in ready.json()["reason"]
    told = [r for r in caplog.records if r.getMessage() == "secrets cannot be opened"]
    assert len(told) == 1  # though the secrets were read for each request
    assert stored_verifiers(conn) == {"env:NAME#1"}


def test_a_key_that_opens_some_secrets_stops_only_the_others(
    database: Database, conn: Connection
) -> None:
    one, two = install(conn, "one", "of one"), install(conn, "two")
    set_secret(conn, Keys.parse("08" * 32), two, b"of two")
    conn.commit()
    with ready_receiver(database.url("receiver"), keys=KEYS) as client:
        assert send(client, "/one", "of one").status_code == 200
        assert send(client, "/one", "forged").status_code == 401
        assert send(client, "/two", "of two").status_code == 503
    assert stored_verifiers(conn) == {f"installation:{one.id}"}


def test_of_two_secrets_the_readable_one_verifies_and_the_other_causes_no_401(
    database: Database, conn: Connection
) -> None:
    """While rotating: what neither opened secret verifies may be signed with the sealed one."""
    one = install(conn, "one", "older")
    set_secret(conn, Keys.parse("08" * 32), one, b"newer")
    conn.commit()
    with ready_receiver(database.url("receiver"), keys=KEYS) as client:
        assert send(client, "/one", "older").status_code == 200
        assert send(client, "/one", "newer").status_code == 503


def stored_verifiers(conn: Connection) -> set[str]:
    return {row[0] for row in conn.execute("SELECT verified_by FROM lightfast.raw_payloads")}


def test_a_new_secret_is_used_once_the_cache_is_old(
    client: httpx.Client, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert send(client, "/one", "of one").status_code == 404
    monkeypatch.setattr(installations, "CACHED_SECONDS", 3600.0)
    assert send(client, "/one", "of one").status_code == 404
    install(conn, "one", "of one")
    assert send(client, "/one", "of one").status_code == 404
    monkeypatch.setattr(installations, "CACHED_SECONDS", 0.0)
    assert send(client, "/one", "of one").status_code == 200


def test_a_missing_table_does_not_stop_the_apps_own_deliveries(
    client: httpx.Client, database: Database
) -> None:
    with database.connect("migrator", autocommit=True) as conn:
        conn.execute("DROP TABLE lightfast.installation_secrets")
    assert send(client, "/one", "of one").status_code == 503
    assert send(client, "", SECRET).status_code == 200


def test_its_deliveries_change_only_its_own_resources(
    client: httpx.Client, conn: Connection
) -> None:
    one = install(conn, "one", "of one")
    workspace = add_workspace(conn, "shop")
    link_resource(conn, workspace, "github", "1", name="acme/shop", installation_id=one.id)
    link_resource(conn, workspace, "github", "2", name="acme/other")
    other = install(conn, "7", org_id="default")
    conn.commit()
    for repository in (1, 2):
        pull = github.pull_request(number=repository, repo_id=repository)
        assert send(client, "/one", "of one", pull, "pull_request").status_code == 200
        renamed = {
            "action": "renamed",
            "changes": {"repository": {"name": {"from": "shop"}}},
            "repository": github.repository("acme/stolen", repository),
            "sender": github.user(),
        }
        assert send(client, "/one", "of one", renamed, "repository").status_code == 200
    gone = {
        "action": "deleted",
        "installation": {"id": 7, "account": github.user()},
        "sender": github.user(),
    }
    assert send(client, "/one", "of one", gone, "installation").status_code == 200
    capture(conn, days=None, max_rows=100, batch_rows=100, now=datetime.now(UTC))
    found = conn.execute(
        "SELECT resource_key, status, reason FROM lightfast.outcomes WHERE status IN ('delivered', 'parked') ORDER BY 1"
    ).fetchall()
    assert found == [
        ("github:repository:1", "delivered", None),
        ("github:repository:2", "parked", "github:repository:2 is not linked to a workspace"),
    ]
    names = conn.execute(
        "SELECT provider_resource_id, resource_name FROM lightfast.resources ORDER BY 1"
    ).fetchall()
    assert names == [("1", "acme/stolen"), ("2", "acme/other")]
    assert the_installation(conn, "github", "7", "default").status == "active"
    assert other.status == "active"


def test_an_installation_of_another_organisation_cannot_be_added(conn: Connection) -> None:
    install(conn, "one", org_id="acme")
    with pytest.raises(InstallationError, match="another organisation"):
        install(conn, "one", org_id="globex")


def test_after_resealing_the_older_key_is_not_needed(conn: Connection) -> None:
    one = install(conn, "one", "of one")
    new = "08" * 32
    assert rotate(conn, Keys.parse(f"{new},{'07' * 32}")).sealed == 1
    assert rotate(conn, Keys.parse(new)).sealed == 0
    assert the_installation(conn, "github", "one", "default").key_ids == [Keys.parse(new).first_id]
    assert "does not hold" in rotate(conn, KEYS).problems[0]
    assert one.secrets == 0


def test_the_receiver_reads_secrets_and_changes_none_and_the_analyst_sees_none(
    database: Database,
) -> None:
    refused: list[tuple[Role, str]] = [
        ("receiver", "DELETE FROM lightfast.installation_secrets"),
        ("receiver", "SELECT org_id FROM lightfast.installations"),
        ("analyst", "SELECT sealed FROM lightfast.installation_secrets"),
    ]
    for role, query in refused:
        with (
            database.connect(role, autocommit=True) as conn,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            conn.execute(query)
