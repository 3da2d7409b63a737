"""Pull requests, reviews and issues as analysts see them, where their events are incomplete or contradict."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from lightfast_pipelines.people.organisations import decide_people
from lightfast_pipelines.store.database import Connection
from tests.capture.deliveries import NOW, capture_all, delivery, receive, rows, workspace_with
from tests.capture.provider_deliveries import linked, provider_delivery
from tests.capture.test_places import moved
from tests.providers.github import payloads as github
from tests.providers.github.more_payloads import deployment_status, review
from tests.providers.linear import payloads as linear

Json = dict[str, Any]
CREATED = datetime(2024, 5, 1, 10, tzinfo=UTC)
LATER = "2024-05-03T12:00:00Z"
LATEST = "2024-05-04T12:00:00Z"


def _tell(conn: Connection, *events: tuple[str, Json]) -> None:
    """The events arrive, in the order in which they are named, and it is decided who is who."""
    receive(conn, [delivery(event, payload) for event, payload in events])
    capture_all(conn)
    decide_people(conn, now=NOW)
    conn.commit()


@pytest.fixture
def shop(conn: Connection) -> Connection:
    workspace_with(conn, "shop", 1, 2)
    return conn


def test_a_merge_alone_tells_when_by_whom_and_from_where(shop: Connection) -> None:
    merged = github.pull_request("closed", merged=True, sender="grace", labels=("cart",))
    _tell(shop, ("pull_request", merged))
    [row] = rows(
        shop,
        """
        SELECT number, title, status, is_open, author, created_at, merged_at, merged_by, closed_at,
               branch, merge_commit, labels, repository
        FROM lightfast.pull_requests
        """,
    )
    at = datetime(2024, 5, 2, 12, tzinfo=UTC)
    merge = merged["pull_request"]["merge_commit_sha"]
    assert row == (
        *(1, "Add a cart", "merged", False, "ada", CREATED, at, "grace", at),
        *("feature/cart", merge, ["cart"], "acme/shop"),
    )


def test_one_that_is_closed_without_a_merge_was_merged_by_nobody(shop: Connection) -> None:
    _tell(
        shop,
        ("pull_request", github.pull_request("opened", draft=True)),
        ("pull_request", github.pull_request("opened", 2, draft=True)),
        ("pull_request", github.pull_request("closed", 2)),
    )
    assert rows(
        shop,
        """
        SELECT number, status, is_open, merged_at, merged_by, closed_at IS NULL
        FROM lightfast.pull_requests ORDER BY number
        """,
    ) == [(1, "draft", True, None, None, True), (2, "closed", False, None, None, False)]


def test_a_reopened_one_is_open_in_whatever_order_that_is_told(shop: Connection) -> None:
    opened = ("pull_request", github.pull_request("opened"))
    closed = ("pull_request", github.pull_request("closed"))
    reopened = ("pull_request", github.pull_request("reopened", at=LATER))
    _tell(shop, reopened)
    _tell(shop, closed)
    _tell(shop, opened)
    assert rows(shop, "SELECT status, created_at, closed_at FROM lightfast.pull_requests") == [
        ("open", CREATED, None)
    ]


def test_labels_are_those_of_the_last_full_list_and_the_changes_since(shop: Connection) -> None:
    def labeled(action: str, name: str, at: str) -> tuple[str, Json]:
        payload = github.pull_request(action, at=at)
        return "pull_request", {**payload, "label": {"id": 1, "name": name}}

    _tell(
        shop,
        labeled("labeled", "urgent", LATER),
        labeled("unlabeled", "cart", LATER),
        labeled("unlabeled", "urgent", "2024-04-30T12:00:00Z"),
        # A full list of the same moment knows better.
        labeled("unlabeled", "old", github.OPENED_AT),
        labeled("labeled", "late", LATER),
        labeled("unlabeled", "late", LATEST),
        ("pull_request", github.pull_request("opened", labels=("cart", "old"))),
    )
    assert rows(shop, "SELECT labels FROM lightfast.pull_requests") == [(["old", "urgent"],)]


def test_a_dismissed_review_is_one_row_that_says_so(shop: Connection) -> None:
    dismissed = review("dismissed", action="dismissed")
    dismissed["pull_request"]["updated_at"] = LATER
    _tell(
        shop,
        ("pull_request", github.pull_request("opened")),
        ("pull_request_review", review("approved")),
        ("pull_request_review", dismissed),
    )
    assert rows(
        shop,
        "SELECT number, pull_request_title, reviewer, verdict, text FROM lightfast.reviews",
    ) == [(1, "Add a cart", "lin", "dismissed", "Well done.")]
    assert rows(shop, "SELECT reviewers, first_review_at FROM lightfast.pull_requests") == [
        (["lin"], datetime(2024, 5, 2, 12, tzinfo=UTC))
    ]


def test_the_authors_own_review_counts_neither_as_first_nor_as_reviewer(shop: Connection) -> None:
    own = review("commented")
    own["review"]["user"] = own["sender"] = github.user("ada")
    _tell(
        shop,
        ("pull_request", github.pull_request("opened")),
        ("pull_request_review", own),
    )
    assert rows(shop, "SELECT reviewers, first_review_at FROM lightfast.pull_requests") == [
        ([], None)
    ]
    assert rows(shop, "SELECT reviewer FROM lightfast.reviews") == [("ada",)]


def test_an_issue_that_moved_to_another_repository_is_there_alone(shop: Connection) -> None:
    old, new = ("acme/shop", 1, 5), ("acme/docs", 2, 9)
    _tell(
        shop,
        ("issues", github.issue()),
        ("issues", moved("issue", "transferred", old, new, LATER)),
        ("issues", moved("issue", "opened", old, new, LATER)),
    )
    assert rows(
        shop, "SELECT identifier, repository, status, created_at FROM lightfast.issues"
    ) == [("#9", "acme/docs", "open", CREATED)]


def test_a_closed_issue_that_moved_is_counted_once(shop: Connection) -> None:
    old, new = ("acme/shop", 1, 5), ("acme/docs", 2, 9)
    arrived = moved("issue", "opened", old, new, LATER)
    arrived["issue"]["state"] = "closed"
    _tell(
        shop,
        ("issues", github.issue()),
        ("issues", github.issue("closed")),
        ("issues", moved("issue", "transferred", old, new, LATER)),
        ("issues", arrived),
    )
    assert rows(shop, "SELECT identifier, repository FROM lightfast.issues") == [
        ("#9", "acme/docs")
    ]


def test_a_deleted_issue_is_in_no_view(shop: Connection) -> None:
    _tell(
        shop,
        ("issues", github.issue("opened", 5)),
        ("issues", github.issue("opened", 6)),
        ("issues", github.issue("deleted", 5, at=LATER)),
    )
    for view in ("issues", "changes", "current_states", "state_intervals"):
        found = rows(shop, f"SELECT DISTINCT key FROM lightfast.{view}")
        assert found == [("github:issue:1#6",)], view


def test_a_pull_request_lists_no_deleted_issue(shop: Connection) -> None:
    _tell(
        shop,
        ("pull_request", github.pull_request("opened", body="Fixes #5, fixes #6")),
        ("issues", github.issue("opened", 5)),
        ("issues", github.issue("opened", 6)),
        ("issues", github.issue("deleted", 5, at=LATER)),
    )
    assert rows(shop, "SELECT issues FROM lightfast.pull_requests") == [(["github:issue:1#6"],)]


def test_assignees_are_those_of_the_state_else_those_of_the_opening(shop: Connection) -> None:
    taken = github.issue("unassigned", 6, assignees=("lin",), at=LATER)
    _tell(
        shop,
        ("issues", github.issue("opened", 5, assignees=("ada", "lin"))),
        ("issues", github.issue("opened", 6, assignees=("ada", "lin"))),
        ("issues", {**taken, "assignee": github.user("ada")}),
    )
    assert rows(shop, "SELECT identifier, assignees FROM lightfast.issues ORDER BY 1") == [
        ("#5", ["ada", "lin"]),
        ("#6", ["lin"]),
    ]


def test_a_linear_issue_is_known_by_an_update_alone_and_follows_its_team(
    conn: Connection,
) -> None:
    linked(conn, "shop", ("linear", "team-1"))
    started = linear.issue_update({"stateId": "state-1"}, at=LATER, state="started")
    receive(conn, [provider_delivery("linear", "Issue", started)])
    capture_all(conn)
    decide_people(conn, now=NOW)
    conn.commit()
    [row] = rows(
        conn,
        """
        SELECT provider, identifier, title, status, is_open, priority, team, created_at, started_at, closed_at
        FROM lightfast.issues
        """,
    )
    created = datetime.fromisoformat(started["data"]["createdAt"])
    assert row[:7] == (
        *("linear", started["data"]["identifier"], "Add a cart", "started", True, None),
        started["data"]["team"]["name"],
    )
    assert row[7:] == (created, datetime.fromisoformat(LATER), None)


def test_two_workspaces_with_one_repository_have_each_their_own_rows(conn: Connection) -> None:
    workspace_with(conn, "shop", 1)
    workspace_with(conn, "all", 1)
    _tell(
        conn,
        ("pull_request", github.pull_request("opened", body="Fixes #5")),
        ("issues", github.issue("opened", 5)),
    )
    for view, column in (("pull_requests", "issues"), ("issues", "pull_requests")):
        assert rows(
            conn, f"SELECT workspace, cardinality({column}) FROM lightfast.{view} ORDER BY 1"
        ) == [("all", 1), ("shop", 1)]
    assert rows(
        conn,
        """
        SELECT workspace, name, open_pull_requests, open_issues
        FROM lightfast.repositories ORDER BY 1
        """,
    ) == [("all", "acme/shop", 1, 1), ("shop", "acme/shop", 1, 1)]


def test_files_of_a_pull_request_are_those_of_its_commits_and_its_merge(shop: Connection) -> None:
    head = github.commit(added=("cart.py",), modified=("shop.py",), commit_sha="a" * 40)
    squashed = github.commit(
        "Add a cart (#1)", added=("cart.py",), modified=("docs.md",), commit_sha="b" * 40
    )
    _tell(
        shop,
        ("push", github.push([head], after="a" * 40)),
        ("push", github.push([squashed], after="b" * 40)),
        (
            "pull_request",
            github.pull_request("closed", merged=True, head_sha="a" * 40, merge_sha="b" * 40),
        ),
    )
    assert rows(shop, "SELECT files, commit_count, merge_commit FROM lightfast.pull_requests") == [
        (["cart.py", "docs.md", "shop.py"], 1, "b" * 40)
    ]
    assert rows(
        shop,
        """
        SELECT path, change, commit, pull_request FROM lightfast.file_changes
        WHERE starts_with(path, 'cart') ORDER BY 3
        """,
    ) == [
        ("cart.py", "added", "a" * 40, "github:pr:1#1"),
        ("cart.py", "added", "b" * 40, "github:pr:1#1"),
    ]


def _deployed(number: int, commit: str, at: str, environment: str = "production") -> Json:
    payload = deployment_status(status_id=number, at=at, environment=environment)
    payload["deployment"] |= {"id": number, "sha": commit, "created_at": at}
    return payload


def test_a_merge_is_deployed_when_production_serves_it_or_a_later_commit(shop: Connection) -> None:
    before, merge, later, last = ("a" * 40, "b" * 40, "c" * 40, "d" * 40)
    pushed = [
        github.commit("Before", commit_sha=before, at="2024-05-01T09:00:00Z"),
        github.commit("Add a cart (#1)", commit_sha=merge, at=github.CHANGED_AT),
        github.commit("Later", commit_sha=later, at="2024-05-02T18:00:00Z"),
    ]
    elsewhere = github.push(
        [github.commit("Elsewhere", commit_sha=last, at=LATER)], repo="acme/docs", repo_id=2
    )
    _tell(
        shop,
        ("push", github.push(pushed, after=later)),
        ("push", elsewhere),
        ("pull_request", github.pull_request("closed", merged=True, merge_sha=merge)),
        ("pull_request", github.pull_request("closed", 2)),
    )

    def deployed_at() -> list[datetime | None]:
        found = rows(shop, "SELECT deployed_at FROM lightfast.pull_requests ORDER BY number")
        return [at for (at,) in found]

    # Production goes back to an older commit, a preview shows the merge, another repository is deployed.
    _tell(
        shop,
        ("deployment_status", _deployed(41, before, "2024-05-03T13:00:00Z")),
        ("deployment_status", _deployed(42, merge, "2024-05-03T14:00:00Z", "preview")),
        ("deployment_status", _deployed(43, last, "2024-05-03T15:00:00Z")),
    )
    assert deployed_at() == [None, None]
    _tell(shop, ("deployment_status", _deployed(44, later, "2024-05-03T16:00:00Z")))
    assert deployed_at() == [datetime(2024, 5, 3, 16, tzinfo=UTC), None]
    _tell(shop, ("deployment_status", _deployed(45, merge, "2024-05-03T15:30:00Z")))
    assert deployed_at() == [datetime(2024, 5, 3, 15, 30, tzinfo=UTC), None]


def test_what_other_projects_deploy_between_does_not_hide_a_deployment(shop: Connection) -> None:
    merge = "b" * 40
    commits = [github.commit("Add a cart (#1)", commit_sha=merge, at=github.CHANGED_AT)]
    _tell(
        shop,
        ("push", github.push(commits, after=merge)),
        ("pull_request", github.pull_request("closed", merged=True, merge_sha=merge)),
        ("deployment_status", _deployed(41, merge, "2024-05-09T12:00:00Z")),
    )
    shop.execute(
        """
        INSERT INTO lightfast.temporal_states (workspace_id, entity_type, entity_id, state_type,
          state_value, valid_from, valid_to, is_current, recorded_at)
        SELECT s.workspace_id, 'project', 'vercel:project:docs', s.state_type, 'vercel:deployment:' || n,
               s.valid_from - n * interval '1 minute', s.valid_from - (n - 1) * interval '1 minute',
               n = 1, s.recorded_at
        FROM lightfast.temporal_states s, generate_series(1, 300) n
        WHERE s.state_type = 'live_deployment:production'
        """
    )
    shop.commit()
    found = rows(shop, "SELECT deployed_at FROM lightfast.pull_requests")
    assert found == [(datetime(2024, 5, 9, 12, tzinfo=UTC),)]
