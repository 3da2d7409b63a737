"""`lightfast installation`: secrets come from a prompt or the environment, and are shown nowhere."""

from __future__ import annotations

import pytest

from lightfast_pipelines import settings as settings_module
from tests.cli.conftest import Lightfast

SECRET = "s3cret-of-one"


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch, lightfast: Lightfast) -> None:
    monkeypatch.setenv("ENCRYPTION_KEY", "07" * 32)
    settings_module.settings.cache_clear()


def test_an_installation_gets_a_secret_and_is_listed(
    lightfast: Lightfast, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("--provider", "github", "--id", "one")
    assert lightfast.json("installation", "add", *options)["created"]
    assert not lightfast.json("installation", "add", *options)["created"]
    asked = lightfast("installation", "secret", *options, stdin=SECRET.encode() + b"\n")
    assert "1 live secret; deliveries go to /webhooks/github/one" in asked.stdout
    assert SECRET not in asked.stdout + asked.stderr
    monkeypatch.setenv("NEW_SECRET", "another")
    assert (
        lightfast.json("installation", "secret", *options, "--env", "NEW_SECRET")["live_secrets"]
        == 2
    )
    assert lightfast.json("installation", "secret", *options, "--retire")["live_secrets"] == 1
    [listed] = lightfast.json("installation", "list")
    assert (listed["external_id"], listed["secrets"]) == ("one", 1)
    assert "another" not in lightfast("installation", "list").stdout
    assert lightfast.json("installation", "secret", *options, "--remove")["live_secrets"] == 0


def test_an_impossible_request_is_refused_in_one_line(
    lightfast: Lightfast, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("--provider", "github", "--id", "one")
    monkeypatch.delenv("NO_SUCH", raising=False)
    assert (
        "add it with" in lightfast("installation", "secret", *options, exits=1, stdin=b"x\n").stderr
    )
    lightfast("installation", "add", *options)
    assert (
        "NO_SUCH is not set"
        in lightfast("installation", "secret", *options, "--env", "NO_SUCH", exits=1).stderr
    )
    lightfast("installation", "secret", *options, "--retire", "--remove", exits=2)
    lightfast("installation", "add", "--provider", "gitlab", "--id", "x", exits=2)
    assert (
        "another organisation"
        in lightfast("installation", "add", *options, "--org", "globex", exits=1).stderr
    )
    monkeypatch.setenv("ENCRYPTION_KEY", "short")
    settings_module.settings.cache_clear()
    failed = lightfast("installation", "secret", *options, exits=1, stdin=b"x\n")
    assert "ENCRYPTION_KEY" in failed.stderr


def test_a_resource_is_linked_under_its_installation(lightfast: Lightfast) -> None:
    lightfast("workspace", "add", "shop")
    lightfast("installation", "add", "--provider", "github", "--id", "one")
    linked = ("--workspace", "shop", "--provider", "github", "--resource", "1")
    lightfast("integration", "add", *linked)
    lightfast("integration", "add", *linked, "--installation", "one")
    with lightfast.database.connect() as conn:
        found = conn.execute(
            """
            SELECT i.external_id FROM lightfast.resources r
            JOIN lightfast.installations i ON i.id = r.installation_id
            """
        ).fetchall()
    assert found == [("one",)]
    lightfast("integration", "add", *linked, "--installation", "none", exits=1)
