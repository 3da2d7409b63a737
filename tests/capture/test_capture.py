"""What becomes of deliveries: rows, outcomes, links, and what is never lost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from lightfast_pipelines.capture.queue.batches import capture
from lightfast_pipelines.inbox.requeue import replay
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.digest import digest_lines
from lightfast_pipelines.store.linked_resources import (
    LinkRefusedError,
    add_workspace,
    link_resource,
)
from lightfast_pipelines.store.states import states_at
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


def test_an_unlinked_delivery_is_parked_and_says_what_to_link(conn: Connection) -> None:
    receive(conn, [delivery("pull_request", github.pull_request())])
    assert capture_all(conn).outcomes == {"parked": 1}
    assert one(conn, "SELECT status, status_reason FROM lightfast.deliveries") == (
        "parked",
        "github:repository:1 is not linked to a workspace",
    )


def test_linking_later_ends_in_the_rows_of_linking_before(
    new_database: Callable[[], Database],
) -> None:
    deliveries = [
        delivery("issues", github.issue(number=5)),
        delivery("pull_request", github.pull_request(number=6, body="Fixes #5")),
        delivery("pull_request", github.pull_request("closed", 6, merged=True, body="Fixes #5")),
        delivery("push", github.push()),
    ]
    digests = []
    for link_first in (True, False):
        with new_database().connect() as conn:
            workspace = add_workspace(conn, "shop")
            if link_first:
                link_resource(conn, workspace, "github", "1")
            conn.commit()
            receive(conn, deliveries)
            capture_all(conn)
            link_resource(conn, workspace, "github", "1")
            conn.commit()
            capture_all(conn)
            assert one(conn, "SELECT count(*) FROM lightfast.outcomes WHERE status = 'parked'") == 0
            digests.append(digest_lines(conn))
    assert digests[0] == digests[1]


def test_a_second_workspace_gets_its_own_rows_and_outcomes(conn: Connection) -> None:
    workspace_with(conn, "first")
    receive(conn, [delivery("pull_request", github.pull_request())])
    capture_all(conn)
    workspace_with(conn, "second")
    capture_all(conn)
    query = """
        SELECT w.slug, o.source_id, (SELECT count(*) FROM lightfast.entities e WHERE e.workspace_id = w.id)
        FROM lightfast.workspaces w JOIN lightfast.observations o ON o.workspace_id = w.id ORDER BY 1
    """
    first, second = rows(conn, query)
    assert (first[0], second[0]) == ("first", "second")
    assert first[1:] == second[1:]
    assert one(conn, "SELECT count(DISTINCT external_id) FROM lightfast.observations") == 2
    assert rows(conn, "SELECT status FROM lightfast.outcomes") == [("delivered",), ("delivered",)]


def test_another_organisation_cannot_link_a_resource(conn: Connection) -> None:
    workspace_with(conn, "shop", org_id="acme")
    stranger = add_workspace(conn, "spy", "rival")
    with pytest.raises(LinkRefusedError, match="belongs to another organisation"):
        link_resource(conn, stranger, "github", "1")


def test_a_delivery_ingested_for_one_organisation_never_reaches_another(conn: Connection) -> None:
    workspace_with(conn, "shop", org_id="acme")
    receive(
        conn, [delivery("pull_request", github.pull_request(), org_id="rival", source="manual")]
    )
    assert capture_all(conn).outcomes == {"parked": 1}
    assert one(conn, "SELECT count(*) FROM lightfast.observations") == 0


def test_a_merge_and_a_close_are_two_facts_and_the_state_follows(conn: Connection) -> None:
    workspace_with(conn)
    receive(
        conn,
        [
            delivery("pull_request", github.pull_request(number=6)),
            delivery(
                "pull_request",
                github.pull_request("closed", 6, merged=True, merge_sha="c" * 40, sender="grace"),
            ),
            delivery("pull_request", github.pull_request("closed", 7)),
        ],
    )
    capture_all(conn)
    found = rows(conn, "SELECT source_type FROM lightfast.observations ORDER BY 1")
    assert [row[0] for row in found] == [
        "pull-request.closed",
        "pull-request.merged",
        "pull-request.opened",
    ]
    opened = datetime(2024, 5, 1, 10, tzinfo=UTC)
    states = [
        [row["value"] for row in states_at(conn, "github:pr:1#6", at, None, None)]
        for at in (opened - timedelta(1), opened, opened + timedelta(30))
    ]
    assert states == [[], ["open"], ["merged"]]
    doer, author = one(
        conn,
        """
        SELECT doer.source_username, author.source_username FROM lightfast.observations o
        JOIN lightfast.actor_identities doer ON doer.id = o.actor_identity_id
        JOIN lightfast.actor_identities author ON author.id = o.author_identity_id
        WHERE o.source_type = 'pull-request.merged'
        """,
    )
    assert (doer, author) == ("grace", "ada")


def test_an_issue_reopened_twice_is_two_reopenings(conn: Connection) -> None:
    workspace_with(conn)
    receive(
        conn,
        [
            delivery("issues", github.issue(action, 5, at=f"2024-05-0{day}T00:00:00Z"))
            for day, action in enumerate(["opened", "closed", "reopened", "closed", "reopened"], 1)
        ],
    )
    capture_all(conn)
    assert one(conn, "SELECT count(*) FROM lightfast.observations") == 5
    states = rows(conn, "SELECT state_value FROM lightfast.temporal_states ORDER BY valid_from")
    assert [row[0] for row in states] == ["open", "closed", "open", "closed", "open"]
    assert one(conn, "SELECT count(*) FROM lightfast.temporal_states WHERE is_current") == 1


def test_two_deliveries_of_one_fact_fold_into_one_observation(conn: Connection) -> None:
    workspace_with(conn)
    payload = github.pull_request()
    # A webhook of the organisation and one of the repository tell the same in other bytes.
    other = {**payload, "organization": {"id": 70, "login": "acme"}}
    receive(conn, [delivery("pull_request", payload, "a"), delivery("pull_request", other, "b")])
    capture_all(conn, batch_rows=1)
    assert one(conn, "SELECT count(*) FROM lightfast.observations") == 1
    assert one(conn, "SELECT count(*) FROM lightfast.observation_sources") == 2
    assert one(conn, "SELECT max(occurrence_count) FROM lightfast.entities") == 1
    assert one(conn, "SELECT count(*) FROM lightfast.outcomes WHERE status = 'delivered'") == 2


def test_a_stub_becomes_the_entity_when_it_arrives(conn: Connection) -> None:
    workspace_with(conn)
    receive(conn, [delivery("pull_request", github.pull_request(number=6, body="Fixes #5"))])
    capture_all(conn)
    query = """
        SELECT o.key, o.is_stub FROM lightfast.relationships r
        JOIN lightfast.entities o ON o.id = r.object_id WHERE r.type = 'fixes'
    """
    assert rows(conn, query) == [("github:ref:acme/shop#5", True)]
    receive(conn, [delivery("issues", github.issue(number=5))])
    capture_all(conn)
    assert rows(conn, query) == [("github:issue:1#5", False)]
    assert one(conn, "SELECT count(*) FROM lightfast.entities WHERE is_stub") == 0
    count = "SELECT occurrence_count FROM lightfast.entities WHERE key = 'github:issue:1#5'"
    assert one(conn, count) == 2


def test_a_reference_by_an_old_name_finds_the_entity_after_a_rename(conn: Connection) -> None:
    workspace_with(conn)
    fixing = github.pull_request(number=6, body="Fixes #5")
    receive(conn, [delivery("pull_request", fixing)])
    capture_all(conn)
    receive(conn, [delivery("issues", github.issue(number=5, repo="acme/store"))])
    capture_all(conn)
    query = """
        SELECT o.key FROM lightfast.relationships r
        JOIN lightfast.entities o ON o.id = r.object_id WHERE r.type = 'fixes'
    """
    assert rows(conn, query) == [("github:issue:1#5",)]


def test_an_ambiguous_short_sha_makes_no_edge(conn: Connection) -> None:
    workspace_with(conn)
    first, second = "abcdef1" + "0" * 33, "abcdef1" + "1" * 33
    revert = github.commit("Revert the cart\n\nThis reverts commit abcdef1.")
    receive(
        conn,
        [
            delivery("push", github.push([github.commit("one", commit_sha=first)])),
            delivery("push", github.push([revert])),
        ],
    )
    capture_all(conn)
    edges = "SELECT count(*) FROM lightfast.relationships WHERE type = 'reverts'"
    assert one(conn, edges) == 1
    receive(conn, [delivery("push", github.push([github.commit("two", commit_sha=second)]))])
    capture_all(conn)
    assert one(conn, edges) == 0


def test_a_payload_that_breaks_its_reader_is_a_dead_letter_and_the_rest_goes_on(
    conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lightfast_pipelines.providers import discover

    provider = discover()["github"]
    read = type(provider).read

    def breaks_on_issues(self: object, event: str, payload: object) -> object:
        if event == "issues":
            raise KeyError("milestone")
        return read(self, event, payload)  # type: ignore[arg-type]

    monkeypatch.setattr(type(provider), "read", breaks_on_issues)
    workspace_with(conn)
    receive(
        conn,
        [delivery("issues", github.issue()), delivery("pull_request", github.pull_request())],
    )
    assert capture_all(conn).outcomes == {"dlq": 1, "delivered": 1}
    reason, attempts = one(
        conn, "SELECT reason, attempts FROM lightfast.outcomes WHERE status = 'dlq'"
    )
    assert "KeyError" in reason
    assert attempts == 1
    monkeypatch.undo()
    assert replay(conn, ["dlq"]) == 1
    conn.commit()
    assert capture_all(conn).outcomes == {"delivered": 1}


def test_a_row_that_the_database_refuses_costs_only_its_own_payload(conn: Connection) -> None:
    workspace_with(conn)
    bad = github.push([github.commit("far away", at="0001-01-01T00:00:00+14:00")])
    receive(conn, [delivery("push", bad), delivery("issues", github.issue())])
    outcomes = capture_all(conn).outcomes
    assert sum(outcomes.values()) == 2
    assert outcomes["delivered"] >= 1
    assert one(conn, "SELECT count(*) FROM lightfast.raw_queue") == 0


def test_lifecycle_events_change_links_but_no_row_and_the_latest_by_their_clock_wins(
    conn: Connection,
) -> None:
    workspace_with(conn)
    receive(conn, [delivery("issues", github.issue())])
    capture_all(conn)
    before = digest_lines(conn)

    def repository(action: str, at: str, **more: object) -> dict[str, object]:
        return {
            "action": action,
            "repository": github.repository("acme/store", 1, updated_at=at, **more),
            "sender": github.user(),
        }

    receive(
        conn,
        [
            delivery(
                "repository",
                repository("archived", "2024-05-03T00:00:00Z", archived=True) | {"changes": {}},
            ),
            delivery(
                "repository",
                repository("renamed", "2024-05-02T00:00:00Z")
                | {"changes": {"repository": {"name": {"from": "shop"}}}},
            ),
        ],
    )
    capture_all(conn)
    assert digest_lines(conn) == before
    name, meta = one(conn, "SELECT resource_name, resource_meta FROM lightfast.resources")
    assert name == "acme/store"
    assert meta["archived"] is True
    assert rows(conn, "SELECT DISTINCT status FROM lightfast.outcomes ORDER BY 1") == [
        ("delivered",),
        ("filtered",),
    ]


def test_a_batch_stops_at_max_rows_and_says_that_more_waits(conn: Connection) -> None:
    workspace_with(conn)
    receive(conn, [delivery("issues", github.issue(number=n)) for n in range(5)])
    report = capture(conn, days=None, max_rows=3, batch_rows=2, now=NOW)
    assert (report.deliveries, report.more) == (3, True)
    assert not capture(conn, days=None, max_rows=3, batch_rows=2, now=NOW).more


def test_nul_and_lone_surrogates_are_replaced_in_rows_and_kept_in_the_bytes(
    database: Database, conn: Connection
) -> None:
    workspace_with(conn)
    body = github.encoded(github.issue(title="a?b")).replace(b"a?b", rb"a\u0000b\ud800c")
    receive(conn, [delivery("issues", body)])
    assert capture_all(conn).outcomes == {"delivered": 1}
    assert "a\ufffdb\ufffdc" in one(conn, "SELECT title FROM lightfast.observations")
    assert one(conn, "SELECT body FROM lightfast.raw_bodies") == body
    assert one(conn, "SELECT body_json FROM lightfast.delivery_bodies") is None
    with database.connect("analyst") as analyst:
        assert one(analyst, "SELECT status FROM lightfast.deliveries") == "delivered"
