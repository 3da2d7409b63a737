"""A credential comes from a prompt or the environment, never from an argument, and is shown nowhere."""

from __future__ import annotations

import pytest

from lightfast_pipelines import settings as settings_module
from lightfast_pipelines.store.installations import find_installation
from lightfast_pipelines.store.sealed import Keys
from lightfast_pipelines.store.tokens import Token, load_credential, refuse
from tests.cli.conftest import Lightfast

KEY = "07" * 32
TOKEN = "secret-token-of-linear"
LINK = ("--workspace", "shop", "--provider", "linear", "--resource", "team_1", "--unchecked")
ORG = ("--provider", "linear", "--id", "org_1")


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch, lightfast: Lightfast) -> None:
    monkeypatch.setenv("ENCRYPTION_KEY", KEY)
    monkeypatch.setenv("LOGNAME", "mira")
    monkeypatch.setenv("LINEAR_TOKEN", TOKEN)
    settings_module.settings.cache_clear()
    lightfast("workspace", "add", "shop")


def stored(lightfast: Lightfast, external_id: str, provider: str = "linear") -> Token | None:
    with lightfast.database.connect() as conn:
        one = find_installation(conn, provider, external_id)
        return load_credential(conn, Keys.parse(KEY), one.id)


def test_a_link_takes_a_credential_from_a_prompt(lightfast: Lightfast) -> None:
    done = lightfast("integration", "add", *LINK, "--ask-credential", stdin=f"{TOKEN}\n".encode())
    assert ", with a credential (" in done.stdout
    token = stored(lightfast, "manual:default")
    assert token is not None
    assert token.access_token == TOKEN
    shown = [
        lightfast("integration", "list").stdout,
        lightfast("installation", "list").stdout,
        lightfast("activity", "--json").stdout,
        done.stdout + done.stderr,
    ]
    assert TOKEN not in "".join(shown)
    [item] = lightfast.json("integration", "list")
    assert (item["credential"], item["sync_status"]) == (token.kind, "idle")
    given, linked = lightfast.json("activity", "--workspace", "shop")
    assert (given["action"], given["actor"]) == ("credential.given", "operator:mira")
    assert (linked["action"], linked["actor"]) == ("integration.linked", "operator:mira")


def test_a_link_takes_a_renewable_credential_from_the_environment(
    lightfast: Lightfast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINEAR_REFRESH", "the-refresh")
    lightfast("installation", "add", *ORG)
    given = lightfast.json(
        *("integration", "add", *LINK, "--installation", "org_1"),
        *("--credential-env", "LINEAR_TOKEN", "--credential-kind", "oauth"),
        *("--refresh-env", "LINEAR_REFRESH", "--expires-at", "2026-07-01T10:00:00Z"),
    )
    assert (given["credential"], given["created"]) == ("oauth", True)
    token = stored(lightfast, "org_1")
    assert token is not None
    assert (token.kind, token.refresh_token) == ("oauth", "the-refresh")
    assert str(token.expires_at) == "2026-07-01 10:00:00+00:00"


def test_an_app_needs_an_installation_and_no_secret(lightfast: Lightfast) -> None:
    link = ("--workspace", "shop", "--provider", "github", "--resource", "1")
    app = ("--credential-kind", "github_app")
    refused = lightfast("integration", "add", *link, *app, exits=2)
    assert "needs --installation" in refused.stderr
    lightfast("installation", "add", "--provider", "github", "--id", "77")
    lightfast("integration", "add", *link, *app, "--installation", "77")
    token = stored(lightfast, "77", "github")
    assert token is not None
    assert (token.kind, token.access_token) == ("github_app", None)
    both = ("--installation", "77", "--credential-env", "LINEAR_TOKEN")
    assert "takes no token" in lightfast("integration", "add", *link, *app, *both, exits=2).stderr


def test_a_refused_credential_is_replaced(lightfast: Lightfast) -> None:
    lightfast("installation", "add", *ORG)
    lightfast("integration", "add", *LINK, "--installation", "org_1")
    env = ("--credential-env", "LINEAR_TOKEN")
    lightfast("installation", "credential", *ORG, *env)
    with lightfast.database.connect() as conn:
        refuse(conn, find_installation(conn, "linear", "org_1").id, "it was revoked")
        conn.commit()
    listed = lightfast("integration", "list").stdout
    assert "it was revoked" in listed
    assert "refused" in listed
    assert lightfast.json("installation", "credential", *ORG, *env)["credential"] is not None
    [item] = lightfast.json("integration", "list")
    assert (item["status_reason"], item["sync_status"]) == (None, "idle")
    lightfast("installation", "credential", *ORG, "--remove")
    assert stored(lightfast, "org_1") is None
    assert "has none" in lightfast("installation", "credential", *ORG, "--remove", exits=1).stderr
    actions = [one["action"] for one in lightfast.json("activity", "--action", "credential")]
    assert actions == ["credential.removed", "credential.given", "credential.given"]


@pytest.mark.parametrize(
    ("words", "exits", "message"),
    [
        (("--credential-env", "NO_SUCH"), 1, "NO_SUCH is not set"),
        (("--credential-env", TOKEN), 1, "the variable of --credential-env is not set"),
        (("--credential-env", "BLANK"), 1, "BLANK is empty"),
        (("--credential-env", "TWO_LINES"), 1, "TWO_LINES is not a token"),
        (("--credential-env", "LINEAR_TOKEN", "--ask-credential"), 2, "say one of"),
        (("--credential-env", "LINEAR_TOKEN", "--credential-kind", "x"), 2, "known: "),
        (("--credential-kind", "oauth"), 2, "oauth is a token"),
        (("--refresh-env", "LINEAR_TOKEN"), 2, "belong to a credential"),
        (("--credential-env", "LINEAR_TOKEN", "--expires-at", "soon"), 2, "is not a time"),
    ],
)
def test_an_unusable_credential_is_refused_and_links_nothing(
    lightfast: Lightfast,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    exits: int,
    message: str,
) -> None:
    monkeypatch.delenv("NO_SUCH", raising=False)
    monkeypatch.setenv("BLANK", " \n")
    monkeypatch.setenv("TWO_LINES", f"{TOKEN}\n{TOKEN}")
    failed = lightfast("integration", "add", *LINK, *words, exits=exits)
    assert message in " ".join(failed.stderr.replace("│", " ").split())
    assert TOKEN not in failed.stderr + failed.stdout
    assert lightfast.json("integration", "list") == []


def test_without_a_key_nothing_is_stored_and_the_reason_is_printed(
    lightfast: Lightfast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ENCRYPTION_KEY")
    settings_module.settings.cache_clear()
    failed = lightfast("integration", "add", *LINK, "--credential-env", "LINEAR_TOKEN", exits=1)
    assert "ENCRYPTION_KEY is not set" in failed.stderr
    assert lightfast.json("integration", "list") == []
