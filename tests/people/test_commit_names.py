"""What a Vercel account is called: like the one person whose commits it deploys, else like itself."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from lightfast_pipelines.people.actors import decide_actors
from lightfast_pipelines.store.database import Connection
from tests.capture.rows import Memory

NOW = datetime(2024, 6, 1, tzinfo=UTC)


@pytest.fixture
def memory(conn: Connection) -> Memory:
    return Memory(conn)


def _commits_as(memory: Memory, name: str, email: str) -> int:
    return memory.identity("git", f"{name} <{email}>", source_name=name, source_email=email)


def _deploys(memory: Memory, account: int, *authors: tuple[str, int]) -> None:
    """The account deploys a commit of each author; the last one's name is what it was last called."""
    for number, (name, author) in enumerate(authors):
        deployment = memory.observation(
            f"vercel:deployment:{account}{number}", "Deployed", author=author, actor=account,
            source="vercel", source_type="deployment.created", observation_type="deployment",
        )  # fmt: skip
        memory.takes_part(deployment, account, "actor")
        memory.conn.execute(
            "UPDATE lightfast.identity_mentions SET name = %s WHERE observation_id = %s",
            (name, deployment),
        )
        memory.conn.execute(
            "UPDATE lightfast.actor_identities SET source_name = %s WHERE id = %s", (name, account)
        )


def _called(memory: Memory, account: int) -> str:
    decide_actors(memory.conn, memory.org_id, now=NOW)
    row = memory.conn.execute(
        """
        SELECT a.display_name, a.identity_count FROM lightfast.actors a
        JOIN lightfast.actor_identities i ON i.actor_id = a.id WHERE i.id = %s
        """,
        (account,),
    ).fetchone()
    assert row is not None
    # A name that commits claim never joins accounts of two providers.
    assert row[1] == 1
    return str(row[0])


def test_it_has_the_best_name_of_the_only_author_however_that_is_spelled(memory: Memory) -> None:
    account = memory.identity("vercel", "u1")
    ann = _commits_as(memory, "Ann Lee", "ann@acme.dev")
    also_ann = _commits_as(memory, "ann", "ann@acme.dev")
    _deploys(memory, account, ("Ann Lee", ann), ("ann", also_ann))
    assert _called(memory, account) == "Ann Lee"


def test_it_has_its_own_name_if_several_people_wrote_the_commits(memory: Memory) -> None:
    account = memory.identity("vercel", "u1")
    ann = _commits_as(memory, "Ann Lee", "ann@acme.dev")
    ben = _commits_as(memory, "Ben Oz", "ben@acme.dev")
    _deploys(memory, account, ("Ann Lee", ann), ("Ben Oz", ben))
    assert _called(memory, account) == "u1"
    # Nor does the name of whoever was last make it doubtful whether it is Ben.
    doubtful = memory.conn.execute("SELECT count(*) FROM lightfast.doubtful_identities").fetchone()
    assert doubtful == (0,)
