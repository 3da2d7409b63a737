"""Actors as rows: written once, only where they changed, and none left behind."""

from __future__ import annotations

from datetime import UTC, datetime

from lightfast_pipelines.capture.people import decide_actors
from lightfast_pipelines.store.database import Connection
from tests.capture.rows import Memory

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


def test_an_actor_nobody_is_any_more_goes_and_organisations_stay_apart(conn: Connection) -> None:
    ours, theirs = Memory(conn), Memory(conn, slug="other", org_id="rival")
    for memory in (ours, theirs):
        _commits_as(memory, "Ann", "ann@x.io")
        decide_actors(conn, memory.org_id, now=NOW)
    conn.execute("DELETE FROM lightfast.actor_identities WHERE org_id = 'default'")
    assert decide_actors(conn, "default", now=NOW).actors == 0
    rows = conn.execute("SELECT org_id FROM lightfast.actors").fetchall()
    assert rows == [("rival",)]
