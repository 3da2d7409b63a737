"""What pushes and GitHub's API say of the commits before a commit, whatever comes first."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from lightfast_pipelines.inbox.requeue import requeue_days
from lightfast_pipelines.providers.api_contract import LinkedResource
from lightfast_pipelines.providers.github.api import commits as api_commits
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.deliveries import Delivery
from lightfast_pipelines.store.digest import digest_lines
from tests.capture.deliveries import NOW, capture_all, delivery, receive, rows, workspace_with
from tests.providers.github import payloads as github

FIRST, SECOND, MERGE, BRANCH = (
    github.commit(message, at=f"2024-05-0{day}T10:00:00Z")
    for day, message in enumerate(("First", "Second", "Merge", "Beside"), 1)
)
PLACE = LinkedResource("github", "1", "acme/shop", {"default_branch": "main"})


def from_the_api(commit: dict[str, Any], *parents: str) -> Delivery:
    """The record that the walk of the commits makes of GitHub's answer."""
    person = {**commit["author"]}
    item = {
        "sha": commit["id"],
        "commit": {"message": commit["message"], "author": person, "committer": person},
        "html_url": commit["url"],
        "parents": [{"sha": parent} for parent in parents],
    }
    [record] = api_commits.records(PLACE, item)
    return delivery(record.event_type, dict(record.payload), record.delivery_id, source="backfill")


def _parents(conn: Connection, commit: dict[str, Any]) -> list[tuple[str, int, str | None]]:
    return rows(
        conn,
        """
        SELECT kind, position, parent FROM lightfast.commit_parents
        WHERE "commit" = %s ORDER BY kind, position
        """,
        commit["id"],
    )


def test_a_push_says_what_comes_before_its_last_commit_alone(conn: Connection) -> None:
    workspace_with(conn)
    pushed = github.push([BRANCH, SECOND, MERGE], before=FIRST["id"])
    receive(conn, [delivery("push", pushed)])
    capture_all(conn)
    assert _parents(conn, MERGE) == [
        ("push", 0, FIRST["id"]),
        ("push", 1, BRANCH["id"]),
        ("push", 2, SECOND["id"]),
    ]
    # Which of the others is whose parent, a push does not say.
    assert _parents(conn, SECOND) == []


@pytest.mark.parametrize(
    "push",
    [
        github.push([SECOND], before=FIRST["id"], forced=True),
        github.push([SECOND], before=github.NOBODY),
        github.push([SECOND], before=FIRST["id"], size=9),
        github.push([FIRST, SECOND], before=MERGE["id"], after=FIRST["id"]),
    ],
    ids=["forced", "a new branch", "cut", "another head"],
)
def test_a_push_that_does_not_say_all_that_came_says_nothing(
    conn: Connection, push: dict[str, Any]
) -> None:
    workspace_with(conn)
    receive(conn, [delivery("push", push)])
    capture_all(conn)
    assert rows(conn, "SELECT count(*) FROM lightfast.commit_parents") == [(0,)]


def test_the_api_says_a_commits_parents_and_that_the_first_has_none(conn: Connection) -> None:
    workspace_with(conn)
    receive(conn, [from_the_api(FIRST), from_the_api(MERGE, SECOND["id"], BRANCH["id"])])
    capture_all(conn)
    assert _parents(conn, FIRST) == [("parent", 0, None)]
    assert _parents(conn, MERGE) == [("parent", 0, SECOND["id"]), ("parent", 1, BRANCH["id"])]


def test_pushes_and_the_api_say_the_same_in_any_order(
    new_database: Callable[[], Database],
) -> None:
    said = [
        delivery("push", github.push([SECOND], before=FIRST["id"])),
        delivery("push", github.push([BRANCH, MERGE], before=SECOND["id"])),
        delivery("push", github.push([MERGE], before=BRANCH["id"], pushed_at=1_714_650_000)),
        from_the_api(MERGE, SECOND["id"], BRANCH["id"]),
    ]
    found = set()
    for number, order in enumerate(permutations(said)):
        if number % 5:
            continue
        with new_database().connect() as conn:
            workspace_with(conn)
            for each in order:
                receive(conn, [each])
                capture_all(conn)
            found.add(tuple(digest_lines(conn)))
            assert [kind for kind, _, _ in _parents(conn, MERGE)].count("parent") == 2
    assert len(found) == 1


def test_what_no_payload_states_any_more_is_gone(
    conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lightfast_pipelines.providers.github.webhooks import commits

    workspace_with(conn)
    later = NOW + timedelta(days=1)
    pushed = github.push([SECOND], before=FIRST["id"])
    receive(conn, [delivery("push", pushed, received_at=later)])
    capture_all(conn)
    assert _parents(conn, SECOND) == [("push", 0, FIRST["id"])]
    monkeypatch.setattr(commits, "pushed_before", lambda _push: ())
    requeue_days(conn, [later.date()])
    conn.commit()
    capture_all(conn)
    assert _parents(conn, SECOND) == []
