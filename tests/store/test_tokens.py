"""A credential opens for its own installation and column only, and a refusal of it is seen."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest

from lightfast_pipelines.providers.api_contract import Credential
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.installations import add_installation, find_installation
from lightfast_pipelines.store.linked_resources import (
    add_workspace,
    link_resource,
    list_integrations,
)
from lightfast_pipelines.store.rotation import count_by_key, rotate, to_rotate
from lightfast_pipelines.store.sealed import Keys, SealedError
from lightfast_pipelines.store.tokens import (
    accept,
    load_credential,
    refuse,
    remove_credential,
    set_credential,
    store_renewed,
)

OLD, NEW = "07" * 32, "08" * 32
KEYS = Keys.parse(OLD)
ENDS = datetime(2026, 7, 1, tzinfo=UTC)
GIVEN = Credential("oauth", "the-access", "the-refresh", ENDS, {"scope": "read"})


def install(conn: Connection, external_id: str = "one", *, status: str = "active") -> int:
    made, _ = add_installation(conn, "linear", external_id, org_id="default")
    conn.execute("UPDATE lightfast.installations SET status = %s WHERE id = %s", (status, made.id))
    return made.id


def sealed_texts(conn: Connection, installation: int) -> tuple[str, str]:
    row = conn.execute(
        "SELECT access_token, refresh_token FROM lightfast.tokens WHERE installation_id = %s",
        (installation,),
    ).fetchone()
    assert row is not None
    return row[0], row[1]


def test_a_credential_is_stored_sealed_and_opens_again(conn: Connection) -> None:
    one = install(conn)
    assert load_credential(conn, KEYS, one) is None
    set_credential(conn, KEYS, one, GIVEN)
    token = load_credential(conn, KEYS, one)
    assert token is not None
    assert (token.kind, token.access_token, token.refresh_token) == (
        "oauth",
        "the-access",
        "the-refresh",
    )
    assert (token.expires_at, token.details, token.refused) == (ENDS, {"scope": "read"}, None)
    assert "the-" not in repr(token)
    assert not any("the-" in base64.b64decode(t).decode("latin1") for t in sealed_texts(conn, one))
    set_credential(conn, KEYS, one, Credential("api_key", "another"))
    token = load_credential(conn, KEYS, one)
    assert token is not None
    assert (token.kind, token.access_token, token.refresh_token) == ("api_key", "another", None)
    assert token.expires_at is None


def test_a_sealed_token_does_not_open_in_another_row_or_column(conn: Connection) -> None:
    one, two = install(conn, "one"), install(conn, "two")
    set_credential(conn, KEYS, one, GIVEN)
    set_credential(conn, KEYS, two, GIVEN)
    access, refresh = sealed_texts(conn, one)
    for texts in ((refresh, access), sealed_texts(conn, two)):
        conn.execute(
            """
            UPDATE lightfast.tokens SET access_token = %s, refresh_token = %s
            WHERE installation_id = %s
            """,
            (*texts, one),
        )
        with pytest.raises(SealedError, match=f"access_token of installation {one}.*another row"):
            load_credential(conn, KEYS, one)


def test_a_changed_character_anywhere_fails_closed(conn: Connection) -> None:
    one = install(conn)
    set_credential(conn, KEYS, one, GIVEN)
    for column, text in zip(
        ("access_token", "refresh_token"), sealed_texts(conn, one), strict=True
    ):
        for place in range(len(text)):
            changed = text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]
            conn.execute(
                f"UPDATE lightfast.tokens SET {column} = %s WHERE installation_id = %s",
                (changed, one),
            )
            with pytest.raises(SealedError):
                load_credential(conn, KEYS, one)
        conn.execute(
            f"UPDATE lightfast.tokens SET {column} = %s WHERE installation_id = %s", (text, one)
        )
    assert load_credential(conn, KEYS, one) is not None
    conn.execute("UPDATE lightfast.tokens SET key_id = %s", (Keys.parse(NEW).first_id,))
    with pytest.raises(SealedError, match="another row"):
        load_credential(conn, Keys.parse(f"{NEW},{OLD}"), one)


def test_a_refusal_is_seen_until_another_is_given(conn: Connection) -> None:
    one = install(conn)
    link_resource(conn, add_workspace(conn, "shop"), "linear", "team", installation_id=one)
    set_credential(conn, KEYS, one, GIVEN)
    refuse(conn, one, "it was revoked")
    token = load_credential(conn, KEYS, one)
    assert token is not None
    assert token.refused == "it was revoked"
    found = find_installation(conn, "linear", "one")
    assert (found.status, found.status_reason) == ("error", "it was revoked")
    [item] = list_integrations(conn)
    assert (item.status_reason, item.sync_status, item.sync_error, item.credential) == (
        *("it was revoked", "refused", "it was revoked"),
        "oauth",
    )
    set_credential(conn, KEYS, one, GIVEN)
    found = find_installation(conn, "linear", "one")
    assert (found.status, found.status_reason) == ("active", None)
    [item] = list_integrations(conn)
    assert (item.status_reason, item.sync_status, item.sync_error) == (None, "idle", None)


@pytest.mark.parametrize("status", ["error", "revoked"])
def test_a_suspended_installation_stays_suspended_whatever_happens_to_its_credential(
    conn: Connection, status: str
) -> None:
    one = install(conn, status=status)
    set_credential(conn, KEYS, one, GIVEN)
    refuse(conn, one, "refused")
    accept(conn, one)
    assert find_installation(conn, "linear", "one").status == status
    assert remove_credential(conn, one)
    assert not remove_credential(conn, one)
    assert find_installation(conn, "linear", "one").status == status


def test_a_rotation_seals_everything_anew_and_counts_what_is_left(
    database: Database, conn: Connection
) -> None:
    for number in range(7):
        set_credential(conn, KEYS, install(conn, f"org-{number}"), GIVEN)
    empty = install(conn, "app")
    set_credential(conn, KEYS, empty, Credential("github_app", None))
    conn.commit()
    both = Keys.parse(f"{NEW},{OLD}")
    assert to_rotate(conn, both) == 8
    with database.connect() as busy:
        # Somebody writes this one just now: it is passed over first, and waited for in the end.
        store_renewed(busy, KEYS, empty, access_token="minted", refresh_token=None, expires_at=None)
        conn.execute("SET lock_timeout = '300ms'")
        conn.commit()
        with pytest.raises(Exception, match="lock timeout"):
            rotate(conn, both, batch=3)
        conn.rollback()
        assert to_rotate(conn, both) == 1
        busy.commit()
    seen: list[int] = []
    done = rotate(conn, both, on_rows=seen.append, batch=3)
    assert (done.sealed, done.problems, sum(seen)) == (1, [], 1)
    [count] = count_by_key(conn)
    assert (count.key_id, count.credentials, count.secrets) == (both.first_id, 8, 0)
    token = load_credential(conn, Keys.parse(NEW), empty)
    assert token is not None
    assert token.access_token == "minted"


def test_a_rotation_reports_what_cannot_be_opened_and_seals_the_rest(conn: Connection) -> None:
    one, two = install(conn, "one"), install(conn, "two")
    set_credential(conn, Keys.parse("09" * 32), one, GIVEN)
    set_credential(conn, KEYS, two, GIVEN)
    conn.commit()
    done = rotate(conn, Keys.parse(f"{NEW},{OLD}"))
    assert done.sealed == 1
    assert done.problems == [
        f"tokens of installation {one}: access_token of installation {one}: sealed with key "
        f"{Keys.parse('09' * 32).first_id}, which ENCRYPTION_KEY does not hold"
    ]


def test_only_the_pipeline_reads_credentials(database: Database) -> None:
    for role in ("analyst", "receiver"):
        with (
            database.connect(role) as other,
            pytest.raises(Exception, match="permission denied"),
        ):
            other.execute("SELECT access_token FROM lightfast.tokens")
