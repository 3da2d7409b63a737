"""Which payloads have a repository's documents looked at: captured pushes leave a row, and ask nobody."""

from __future__ import annotations

from typing import Any

import pytest

from lightfast_pipelines.providers.api_contract import LinkedResource
from lightfast_pipelines.providers.github.api import commits
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.document_queue import (
    QueuedLook,
    looks_due,
    put_off,
    queue_integration,
    take_off,
)
from lightfast_pipelines.store.linked_resources import (
    find_integration,
    remove_integration,
    set_active,
    set_sync_config,
)
from tests.capture.deliveries import capture_all, delivery, one, receive, rows, workspace_with
from tests.providers.github import payloads as github


def queued(conn: Connection) -> list[tuple[str, int]]:
    return rows(
        conn,
        """
        SELECT w.slug, q.asked FROM lightfast.document_queue q
        JOIN lightfast.workspaces w ON w.id = q.workspace_id ORDER BY 1
        """,
    )


def hear(conn: Connection, event: str, payload: dict[str, Any], name: str = "") -> None:
    receive(conn, [delivery(event, payload, name or None)])
    capture_all(conn)


@pytest.fixture
def credential(conn: Connection) -> None:
    workspace_with(conn, "shop", 1)
    conn.execute(
        "INSERT INTO lightfast.tokens (installation_id, kind, key_id) "
        "SELECT id, 'token', 'none' FROM lightfast.installations"
    )
    conn.commit()


def test_a_push_onto_the_default_branch_queues_every_workspace_that_links_the_repository(
    conn: Connection,
) -> None:
    workspace_with(conn, "first", 1)
    workspace_with(conn, "second", 1)
    workspace_with(conn, "third", 2)
    hear(conn, "push", github.push())
    assert queued(conn) == [("first", 1), ("second", 1)]
    hear(conn, "push", github.push([github.commit(message="another")]))
    assert queued(conn) == [("first", 2), ("second", 2)]


@pytest.mark.parametrize(
    ("event", "payload", "is_queued"),
    [
        ("push", github.push(ref="refs/heads/topic"), False),
        ("push", github.push(ref="refs/tags/v1"), False),
        ("push", github.push([], after=github.NOBODY), True),
        ("push", github.push([], after=github.sha("rewound"), forced=True), True),
        (
            "push",
            {**github.push(ref="refs/heads/topic"), "repository": {"id": 1, "name": "shop"}},
            True,
        ),
        ("issues", github.issue("opened", 5), False),
        (
            "repository",
            {
                "action": "edited",
                "changes": {"default_branch": {"from": "master"}},
                "repository": github.repository(),
                "sender": github.user(),
            },
            True,
        ),
        (
            "repository",
            {
                "action": "edited",
                "changes": {"description": {"from": "old"}},
                "repository": github.repository(),
                "sender": github.user(),
            },
            False,
        ),
    ],
    ids=[
        "topic",
        "tag",
        "deleted",
        "forced",
        "no default branch",
        "issue",
        "other default branch",
        "description",
    ],
)
def test_only_what_moves_the_files_of_the_default_branch_counts(
    conn: Connection, event: str, payload: dict[str, Any], is_queued: bool
) -> None:
    workspace_with(conn, "shop", 1)
    hear(conn, event, payload)
    assert queued(conn) == ([("shop", 1)] if is_queued else [])


def test_events_that_are_not_wanted_do_not_keep_documents_from_being_looked_at(
    conn: Connection,
) -> None:
    workspace = workspace_with(conn, "shop", 1)
    integration = find_integration(conn, workspace, "github", "1")
    set_sync_config(conn, integration, {"events": ["issues"], "paths": ["src/*"]})
    conn.commit()
    hear(conn, "push", github.push())
    assert queued(conn) == [("shop", 1)]


def test_a_pause_queues_nothing_and_its_end_queues_what_was_missed(conn: Connection) -> None:
    workspace = workspace_with(conn, "shop", 1)
    integration = find_integration(conn, workspace, "github", "1")
    set_active(conn, integration, active=False, reason="paused by an operator")
    conn.commit()
    hear(conn, "push", github.push())
    assert queued(conn) == []
    set_active(conn, integration, active=True, reason=None)
    conn.commit()
    capture_all(conn)
    assert queued(conn) == [("shop", 1)]


def test_the_end_of_a_pause_queues_a_repository_whose_pushes_retention_has_dropped(
    conn: Connection,
) -> None:
    workspace = workspace_with(conn, "shop", 1)
    conn.execute("UPDATE lightfast.integrations SET config_status = 'ok'")
    integration = find_integration(conn, workspace, "github", "1")
    set_active(conn, integration, active=False, reason="paused by an operator")
    assert queued(conn) == []
    set_active(conn, integration, active=True, reason=None)
    assert queued(conn) == [("shop", 1)]


def test_a_row_is_due_once_there_is_a_credential_and_its_time_has_come(
    conn: Connection, credential: None
) -> None:
    hear(conn, "push", github.push())
    [look] = looks_due(conn)
    put_off(conn, look, "GitHub answered 502", 600)
    assert looks_due(conn) == []
    queue_integration(conn, look.integration_id, "a request")
    [again] = looks_due(conn)
    assert (again.attempts, again.asked) == (0, 2)
    conn.execute("UPDATE lightfast.tokens SET status = 'refused'")
    assert looks_due(conn) == []


def test_a_push_during_a_look_keeps_the_row(conn: Connection, credential: None) -> None:
    hear(conn, "push", github.push())
    [look] = looks_due(conn)
    conn.rollback()
    hear(conn, "push", github.push([github.commit(message="meanwhile")]))
    take_off(conn, look)
    assert queued(conn) == [("shop", 2)]
    take_off(conn, QueuedLook(look.integration_id, look.reason, 2, 0))
    assert queued(conn) == []


def hear_pushed(conn: Connection, *commits: str) -> None:
    pushes = [github.push([github.commit(message=each)], after=each) for each in commits]
    receive(conn, [delivery("push", push) for push in pushes])
    capture_all(conn)


def looked(conn: Connection, head: str | None) -> list[tuple[list[str], bool]]:
    """What is left of the queue, and whether it is due, after a look that saw this head."""
    conn.execute("UPDATE lightfast.document_queue SET not_before = now()")
    [look] = looks_due(conn)
    take_off(conn, look, head)
    conn.commit()
    return rows(conn, "SELECT awaited, not_before <= now() FROM lightfast.document_queue")


def test_a_look_that_saw_an_older_head_than_was_pushed_is_repeated(
    conn: Connection, credential: None
) -> None:
    """GitHub's API may be some seconds behind its deliveries, and the next push may be a year away."""
    new, newer = github.sha("new"), github.sha("newer")
    hear_pushed(conn, new)
    assert looked(conn, github.sha("older")) == [([new], False)]
    assert looked(conn, None) == [([new], False)]
    hear_pushed(conn, newer)
    assert looked(conn, new) == [([newer], False)]
    assert looked(conn, newer) == []


def test_a_pushed_commit_that_is_never_the_head_is_waited_for_five_minutes(
    conn: Connection, credential: None
) -> None:
    """As after another push whose delivery was lost, or came first."""
    old, head = github.sha("old"), github.sha("head")
    hear_pushed(conn, head, old)
    assert looked(conn, head) == [([old], False)]
    conn.execute("UPDATE lightfast.document_queue SET queued_at = now() - interval '301 seconds'")
    assert looked(conn, head) == []


def test_commits_of_many_pushes_are_bounded(conn: Connection, credential: None) -> None:
    hear_pushed(conn, *(github.sha(f"one {n}") for n in range(8)))
    hear_pushed(conn, *(github.sha(f"two {n}") for n in range(8)))
    hear_pushed(conn, github.sha("two 0"))
    assert one(conn, "SELECT cardinality(awaited) FROM lightfast.document_queue") == 10


def test_an_integration_that_is_removed_loses_its_documents_and_its_row(conn: Connection) -> None:
    workspace = workspace_with(conn, "shop", 1)
    hear(conn, "push", github.push())
    conn.execute(
        """
        INSERT INTO lightfast.documents
          (workspace_id, integration_id, repository, path, title, commit_sha, blob_sha, changed_at, size,
           model, rule_version)
        SELECT workspace_id, id, 'acme/shop', 'README.md', 'Shop', 'c', 'b', now(), 1, 'm', 1
        FROM lightfast.integrations
        """
    )
    remove_integration(conn, find_integration(conn, workspace, "github", "1"))
    conn.commit()
    assert queued(conn) == []
    assert one(conn, "SELECT count(*) FROM lightfast.documents") == 0


def test_a_commit_that_is_read_from_the_history_counts_as_a_push(conn: Connection) -> None:
    workspace = workspace_with(conn, "shop", 1)
    place = LinkedResource("github", "1", "acme/shop", {"default_branch": "main"})
    who = {"name": "Ada", "email": "ada@acme.test", "date": "2024-05-02T10:00:00Z"}
    item: dict[str, Any] = {
        "sha": "c" * 40,
        "html_url": "https://github.com/acme/shop/commit/c",
        "commit": {"message": "Say it", "author": who, "committer": who},
        "author": None,
        "committer": None,
        "parents": [],
    }
    [record] = commits.records(place, item)
    read = delivery(record.event_type, record.payload, "read", org_id="default", source="backfill")
    receive(conn, [read])
    capture_all(conn)
    assert queued(conn) == [(workspace.slug, 1)]
