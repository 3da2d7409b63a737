"""Deliveries that are captured again: after a change of settings, a pause, newer rules, or by hand."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lightfast_pipelines.inbox.requeue import requeue_days, requeue_outdated
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.digest import digest_lines
from lightfast_pipelines.store.linked_resources import (
    find_integration,
    remove_integration,
    set_active,
    set_sync_config,
)
from tests.capture.deliveries import (
    NOW,
    capture_all,
    delivery,
    one,
    receive,
    rows,
    workspace_with,
)
from tests.providers.github import payloads as github


def test_settings_filter_with_a_reason_and_widening_them_brings_the_rows(conn: Connection) -> None:
    workspace = workspace_with(conn)
    integration = find_integration(conn, workspace, "github", "1")
    set_sync_config(conn, integration, {"events": ["issues"], "branches": ["release/*"]})
    conn.commit()
    receive(
        conn,
        [
            delivery("pull_request", github.pull_request()),
            delivery("push", github.push(ref="refs/heads/release/1")),
        ],
    )
    capture_all(conn)
    reasons = rows(conn, "SELECT DISTINCT status, reason FROM lightfast.outcomes ORDER BY 2")
    assert reasons == [
        ("filtered", "event pull_request is not wanted"),
        ("filtered", "event push is not wanted"),
    ]
    set_sync_config(conn, integration, {"branches": ["release/*"]})
    conn.commit()
    assert capture_all(conn).outcomes == {"delivered": 2}
    set_sync_config(conn, integration, {"autoSync": False})
    conn.commit()
    receive(conn, [delivery("issues", github.issue())])
    capture_all(conn)
    assert one(conn, "SELECT count(*) FROM lightfast.outcomes WHERE reason = 'sync_off'") >= 1


def test_settings_about_documents_put_no_payload_back_into_the_queue(conn: Connection) -> None:
    """Else naming documents captures months of deliveries again."""
    workspace = workspace_with(conn)
    receive(conn, [delivery("pull_request", github.pull_request())])
    capture_all(conn)
    before = find_integration(conn, workspace, "github", "1")
    documents = {"documents": {"include": ["docs/**"]}}
    assert set_sync_config(conn, before, documents) == 0
    after = find_integration(conn, workspace, "github", "1")
    assert after.sync_config == documents
    assert set_sync_config(conn, after, {**documents, "events": ["issues"]}) == 1


def test_a_push_to_another_branch_is_filtered_until_the_commit_reaches_the_default(
    conn: Connection,
) -> None:
    workspace_with(conn)
    commit = github.commit("Add a cart")
    receive(conn, [delivery("push", github.push([commit], "refs/heads/feature"))])
    assert capture_all(conn).outcomes == {"filtered": 1}
    receive(conn, [delivery("push", github.push([commit]))])
    assert capture_all(conn).outcomes == {"delivered": 1}
    assert one(conn, "SELECT count(*) FROM lightfast.observations") == 1


def test_pausing_and_removing_delete_nothing(conn: Connection) -> None:
    workspace = workspace_with(conn)
    receive(conn, [delivery("pull_request", github.pull_request())])
    capture_all(conn)
    integration = find_integration(conn, workspace, "github", "1")
    set_active(conn, integration, active=False, reason="too loud")
    conn.commit()
    receive(conn, [delivery("issues", github.issue())])
    capture_all(conn)
    assert one(conn, "SELECT reason FROM lightfast.outcomes WHERE status = 'filtered'") == (
        "paused: too loud"
    )
    remove_integration(conn, integration)
    requeue_days(conn, [NOW.date()])
    conn.commit()
    capture_all(conn)
    assert one(conn, "SELECT source_type FROM lightfast.observations") == "pull-request.opened"


def test_reprocessing_removes_what_no_payload_states_any_more(
    conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lightfast_pipelines.domain.events import Filtered
    from lightfast_pipelines.providers import discover

    workspace_with(conn)
    receive(
        conn,
        [
            delivery("pull_request", github.pull_request(number=6, body="Fixes #5")),
            delivery("issues", github.issue(number=9, author="linus", sender="linus")),
        ],
    )
    capture_all(conn)
    kept = digest_lines(conn)
    extra = github.issue(number=5, author="nobody", sender="nobody")
    receive(conn, [delivery("issues", extra, received_at=NOW - timedelta(40))])
    capture_all(conn)
    assert digest_lines(conn) != kept
    provider = discover()["github"]
    monkeypatch.setattr(type(provider), "read", lambda *_: Filtered("not any more"))
    requeue_days(conn, [(NOW - timedelta(40)).date()])
    conn.commit()
    capture_all(conn, days=[(NOW - timedelta(40)).date()])
    monkeypatch.undo()
    assert digest_lines(conn) == kept


def test_higher_rules_put_older_outcomes_back_into_the_queue(
    conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lightfast_pipelines.providers import discover

    workspace_with(conn)
    receive(conn, [delivery("issues", github.issue())])
    capture_all(conn)
    assert requeue_outdated(conn) == 0
    provider = discover()["github"]
    monkeypatch.setattr(type(provider), "rule_version", provider.rule_version + 1, raising=False)
    assert requeue_outdated(conn) == 1
