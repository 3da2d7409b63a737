"""Actors as rows: written once, only where they changed, and none left behind."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from lightfast_pipelines.people.actors import decide_actors
from lightfast_pipelines.store.database import Connection, Database
from tests.capture.deliveries import capture_all, delivery, receive, rows, workspace_with
from tests.capture.rows import Memory
from tests.providers.github import payloads as github

NOW = datetime(2024, 6, 1, tzinfo=UTC)
LATER = datetime(2024, 6, 2, tzinfo=UTC)


def _commits_as(memory: Memory, name: str, email: str) -> int:
    return memory.identity("git", f"{name} <{email}>", source_name=name, source_email=email)


def test_a_merge_rewrites_only_the_identities_it_touches(conn: Connection) -> None:
    memory = Memory(conn)
    ben = _commits_as(memory, "Ben Oz", "ben@x.io")
    ann = _commits_as(memory, "Zoe Ann", "7+ann@users.noreply.github.com")
    first = decide_actors(conn, "default", now=NOW)
    assert (first.identities, first.actors, set(first.changed)) == (2, 2, {ben, ann})
    account = memory.identity("github", "7", source_username="ann", kind="person")
    second = decide_actors(conn, "default", now=LATER)
    assert (second.actors, second.joined) == (2, 2)
    # `git:Zoe ...` is the smaller key, so her actor keeps its id.
    assert second.changed == (account,)
    rows = conn.execute(
        """
        SELECT i.id, a.display_name, a.kind, a.identity_count, i.mapping_method, i.mapped_at
        FROM lightfast.actor_identities i JOIN lightfast.actors a ON a.id = i.actor_id ORDER BY i.id
        """
    ).fetchall()
    assert rows == [
        (ben, "Ben Oz", "unknown", 1, "alone", NOW),
        (ann, "Zoe Ann", "person", 2, "account_id", LATER),
        (account, "Zoe Ann", "person", 2, "account_id", LATER),
    ]
    assert decide_actors(conn, "default", now=LATER).changed == ()


def test_an_actor_without_identities_is_removed_and_organisations_stay_apart(
    conn: Connection,
) -> None:
    ours, theirs = Memory(conn), Memory(conn, slug="other", org_id="rival")
    for memory in (ours, theirs):
        _commits_as(memory, "Ann", "ann@x.io")
        decide_actors(conn, memory.org_id, now=NOW)
    conn.execute("DELETE FROM lightfast.actor_identities WHERE org_id = 'default'")
    assert decide_actors(conn, "default", now=NOW).actors == 0
    rows = conn.execute("SELECT org_id FROM lightfast.actors").fetchall()
    assert rows == [("rival",)]


def test_an_account_once_called_a_bot_stays_one_in_any_order(
    new_database: Callable[[], Database],
) -> None:
    deliveries = [
        delivery("issues", _opened_by("Bot", 1)),
        delivery("issues", _opened_by("User", 2)),
        delivery("issues", _opened_by(None, 3)),
    ]
    for order in (deliveries, deliveries[::-1]):
        with new_database().connect() as conn:
            workspace_with(conn)
            for each in order:
                receive(conn, [each])
                capture_all(conn)
            kinds = rows(conn, "SELECT kind FROM lightfast.actor_identities WHERE source_id = '55'")
            assert kinds == [("bot",)]


def _opened_by(said: str | None, number: int) -> dict[str, Any]:
    """An issue whose author is account 55, of the given type."""
    payload = github.issue("opened", number=number)
    somebody = {"id": 55, "login": "Helper", "type": said}
    payload["issue"]["user"] = payload["sender"] = somebody
    return payload
