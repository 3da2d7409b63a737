"""A name or a number belongs to a place and to a time: whatever is told in whichever order, a reference
leads to what was meant where and when it was written."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from lightfast_pipelines.people.actors import decide_actors
from lightfast_pipelines.store.database import Connection, Database
from tests.capture.deliveries import NOW, capture_all, delivery, receive, rows, workspace_with
from tests.providers.github import more_payloads as more
from tests.providers.github import payloads as github

Json = dict[str, Any]
Story = Sequence[tuple[str, Json]]
ORDERS: dict[str, Callable[[Story], Story]] = {
    "in order": lambda story: story,
    "in reverse": lambda story: story[::-1],
    "middle first": lambda story: [*story[len(story) // 2 :], *story[: len(story) // 2]],
}
EDGES = """
    SELECT s.key, r.type, o.key FROM lightfast.relationships r
    JOIN lightfast.entities s ON s.id = r.subject_id
    JOIN lightfast.entities o ON o.id = r.object_id
    WHERE r.type IN ('fixes', 'references', 'merges_as', 'moved_to') ORDER BY 1, 2, 3
"""


@pytest.fixture(params=ORDERS, ids=list(ORDERS))
def tell(
    request: pytest.FixtureRequest, conn: Connection
) -> Callable[[Story], Callable[[str], list[tuple[Any, ...]]]]:
    """Captures a story delivery by delivery, in the order of the test's parameter."""

    def telling(story: Story, *repositories: int | str) -> Callable[[str], list[tuple[Any, ...]]]:
        workspace_with(conn, "shop", *repositories)  # type: ignore[arg-type]
        for event, payload in ORDERS[request.param](story):
            receive(conn, [delivery(event, payload)])
            capture_all(conn)
        return lambda query: rows(conn, query)

    return telling


def at_host(payload: Json, host: str = "ghe.acme.dev") -> Json:
    """The payload as a server of one's own sends it."""
    moved_payload: Json = json.loads(
        json.dumps(payload).replace("https://github.com/", f"https://{host}/")
    )
    return moved_payload


def renamed(repo_id: int, old: str, new: str, at: str) -> tuple[str, Json]:
    payload = {
        "action": "renamed",
        "changes": {"repository": {"name": {"from": old.partition("/")[2]}}},
        "repository": github.repository(new, repo_id, updated_at=at),
        "sender": github.user(),
    }
    return ("repository", payload)


def text(number: int, body: str, at: str, repo: str = "acme/infra", repo_id: int = 9) -> Any:
    payload = github.pull_request(
        number=number, repo=repo, repo_id=repo_id, body=body, created_at=at
    )
    payload["repository"]["updated_at"] = at
    return ("pull_request", payload)


def made(number: int, repo: str, repo_id: int, at: str) -> Any:
    payload = github.issue(number=number, repo=repo, repo_id=repo_id, created_at=at)
    payload["repository"]["updated_at"] = at
    return ("issues", payload)


def test_a_name_means_who_held_it_when_the_text_was_written(tell: Any) -> None:
    read = tell(
        [
            made(3, "acme/web", 4, "2024-01-05T10:00:00Z"),
            text(1, "See acme/web#3", "2024-01-09T10:00:00Z"),
            renamed(4, "acme/web", "acme/web-legacy", "2024-02-01T10:00:00Z"),
            text(2, "Fixes acme/web#3", "2024-02-09T10:00:00Z"),
            made(3, "acme/web", 5, "2024-03-01T10:00:00Z"),
            (
                "pull_request",
                github.pull_request("closed", 1, "acme/infra", 9, body="See acme/web#3",
                                    created_at="2024-01-09T10:00:00Z", merged=True),
            ),
            text(3, "Fixes acme/web#3, see https://github.com/acme/web-legacy/issues/3",
                 "2024-03-09T10:00:00Z"),
        ],
        4, 5, 9,
    )  # fmt: skip
    assert [edge for edge in read(EDGES) if edge[1] != "merges_as"] == [
        ("github:pr:9#1", "references", "github:issue:4#3"),  # its text is older than its merge
        ("github:pr:9#2", "fixes", "github:issue:4#3"),  # nobody else had the name yet
        ("github:pr:9#3", "fixes", "github:issue:5#3"),
        ("github:pr:9#3", "references", "github:issue:4#3"),
    ]


def test_a_number_in_a_repositorys_own_text_is_its_own_whoever_takes_the_name(tell: Any) -> None:
    read = tell(
        [
            text(7, "Fixes #3, see acme/web#6", "2024-01-06T10:00:00Z", "acme/web", 4),
            made(3, "acme/web", 4, "2024-01-05T10:00:00Z"),
            renamed(4, "acme/web", "acme/web-legacy", "2024-02-01T10:00:00Z"),
            made(3, "acme/web", 5, "2024-03-01T10:00:00Z"),
            made(6, "acme/web", 5, "2024-03-01T11:00:00Z"),
            text(8, "Fixes #3", "2024-03-02T10:00:00Z", "acme/web", 5),
        ],
        4, 5,
    )  # fmt: skip
    assert read(EDGES) == [
        ("github:pr:4#7", "fixes", "github:issue:4#3"),
        ("github:pr:4#7", "references", "github:ref:4#6"),
        ("github:pr:5#8", "fixes", "github:issue:5#3"),
    ]


def test_a_renamed_owners_repositories_answer_to_both_names(tell: Any) -> None:
    rename = {
        "action": "renamed",
        "changes": {"login": {"from": "acme"}},
        "organization": {"id": 70, "login": "acmeinc"},
        "sender": github.user(),
    }
    read = tell(
        [
            made(60, "acme/shop", 1, "2024-05-01T10:00:00Z"),
            ("organization", rename),
            text(1, "See acme/shop#60", "2024-05-09T10:00:00Z", "other/infra"),
            text(2, "See acmeinc/shop#60", "2024-05-09T10:00:00Z", "other/infra"),
        ],
        1, 9,
    )  # fmt: skip
    assert read(EDGES) == [
        (f"github:pr:9#{number}", "references", "github:issue:1#60") for number in (1, 2)
    ]
    # No event of the repository came, and none of it since.
    names = "SELECT resource_name FROM lightfast.resources WHERE provider_resource_id = '1'"
    assert read(names) == [("acmeinc/shop",)]


def moved(
    kind: str, action: str, old: tuple[str, int, int], new: tuple[str, int, int], at: str
) -> Json:
    """Of a thing (repository, its id, number) that goes from the one to the other."""
    build = github.issue if kind == "issue" else github.discussion
    own, other, side = (old, new, "new") if action == "transferred" else (new, old, "old")
    payload = build(action, own[2], own[0], own[1], at=at)
    there = build("opened", other[2], other[0], other[1], at=at)
    payload["changes"] = {
        f"{side}_{kind}": there[kind],
        f"{side}_repository": there["repository"],
    }
    payload[kind]["updated_at"] = at
    return payload


SHOP5, DOCS9, SHOP6 = ("acme/shop", 1, 5), ("acme/docs", 2, 9), ("acme/shop", 1, 6)


def test_an_issue_that_is_moved_away_and_back_is_one_issue(tell: Any) -> None:
    noon, night = "2024-05-02T12:00:00Z", "2024-05-02T20:00:00Z"
    read = tell(
        [
            ("issues", github.issue()),
            text(1, "See acme/shop#5", "2024-05-01T11:00:00Z"),
            ("issues", moved("issue", "opened", SHOP5, DOCS9, noon)),
            ("issues", moved("issue", "transferred", SHOP5, DOCS9, noon)),
            ("issues", moved("issue", "transferred", DOCS9, SHOP6, night)),
            text(2, "Fixes acme/docs#9", "2024-05-03T11:00:00Z"),
            ("issues", moved("issue", "opened", DOCS9, SHOP6, night)),
        ],
        1, 2, 9,
    )  # fmt: skip
    assert read(EDGES) == [
        ("github:issue:1#5", "moved_to", "github:issue:2#9"),
        ("github:issue:2#9", "moved_to", "github:issue:1#6"),
        ("github:pr:9#1", "references", "github:issue:1#6"),
        ("github:pr:9#2", "fixes", "github:issue:1#6"),
    ]
    current = """
        SELECT entity_id, state_value, change_reason FROM lightfast.temporal_states
        WHERE entity_type = 'issue' AND is_current ORDER BY 1
    """
    assert read(current) == [
        ("github:issue:1#5", "closed", "transferred"),
        ("github:issue:1#6", "open", "opened"),
        ("github:issue:2#9", "closed", "transferred"),
    ]
    opened = "SELECT subject_key FROM lightfast.remembered WHERE source_type = 'issue.opened'"
    assert read(opened) == [("github:issue:1#6",)]


def test_an_issue_that_is_moved_out_of_sight_keeps_its_opening(tell: Any) -> None:
    read = tell(
        [
            ("issues", github.issue()),
            ("issues", moved("issue", "transferred", SHOP5, DOCS9, "2024-05-02T12:00:00Z")),
        ],
        1,
    )
    opened = "SELECT subject_key FROM lightfast.remembered WHERE source_type = 'issue.opened'"
    assert read(opened) == [("github:issue:1#5",)]


def test_a_discussion_that_is_moved_leads_on(tell: Any) -> None:
    there = ("acme/docs", 2, 4)
    read = tell(
        [
            ("discussion", github.discussion()),
            (
                "discussion",
                moved("discussion", "transferred", ("acme/shop", 1, 8), there, github.CHANGED_AT),
            ),
            text(1, "See acme/shop#8", "2024-05-01T11:00:00Z"),
        ],
        1, 9,
    )  # fmt: skip
    assert ("github:pr:9#1", "references", "github:discussion:2#4") in read(EDGES)


FORK: Json = {"repo": "mira/core", "repo_id": 8}
UPSTREAM: Json = {"repo": "acme/core", "repo_id": 7}


def pushed(place: Json, message: str, at: str, pushed_at: int, login: str, **commit: Any) -> Any:
    payload = github.push(
        [github.commit(message, at=at, commit_sha=github.sha(message), **commit)],
        pushed_at=pushed_at,
        sender=login,
        **place,
    )
    payload["pusher"] = {"name": login}
    payload["repository"]["fork"] = place is FORK
    return ("push", payload)


def test_a_commit_that_a_fork_takes_over_keeps_its_numbers_where_it_came_from(tell: Any) -> None:
    taken = ("Parse dates (#12)\n\nFixes #11", "2024-05-02T10:00:00Z")
    flow: Json = {"committer": github.web_flow(taken[1]), "username": "ann"}
    own = ("Draw a logo\n\nFixes #11", "2024-05-03T10:00:00Z")
    later = 1_714_816_800
    read = tell(
        [
            *(made(11, place["repo"], place["repo_id"], github.OPENED_AT)
              for place in (UPSTREAM, FORK)),
            *(("pull_request", github.pull_request(number=12, body="", **place))
              for place in (UPSTREAM, FORK)),
            pushed(UPSTREAM, *taken, 1_714_644_000, "ann", **flow),
            pushed(FORK, *taken, later, "mira", **flow),
            pushed(FORK, *own, later, "mira", username="mira"),
        ],
        7, 8,
    )  # fmt: skip
    sync, logo = (f"github:commit:{github.sha(one[0])}" for one in (taken, own))
    assert read(EDGES) == sorted(
        [
            (sync, "fixes", "github:issue:7#11"),
            ("github:pr:7#12", "merges_as", sync),
            (logo, "fixes", "github:issue:8#11"),
        ]
    )
    where = f"""
        SELECT metadata->>'repoFullName' FROM lightfast.observations WHERE subject_key = '{sync}'
    """
    assert read(where) == [("acme/core",)]


def test_numbers_in_a_commit_that_only_a_fork_states_refer_to_nothing_in_the_fork(
    tell: Any,
) -> None:
    read = tell(
        [
            made(11, "mira/core", 8, github.OPENED_AT),
            pushed(FORK, "Parse dates (#12)\n\nFixes #11", github.OPENED_AT, 1_714_816_800,
                   "mira", username="ann"),
            # Her own, which upstream's button squashed days before she brought the fork up to date.
            pushed(FORK, "Parse times (#13)\n\nFixes #11", github.OPENED_AT, 1_714_816_800,
                   "mira", username="mira", committer=github.web_flow(github.OPENED_AT)),
        ],
        8,
    )  # fmt: skip
    assert read(EDGES) == []


def test_the_same_number_at_two_hosts_is_two_entities(
    tell: Any, conn: Connection, database: Database
) -> None:
    body = "See #5 and https://github.com/acme/shop/issues/5 and acme/shop#5"
    run = more.workflow_run()
    comment = more.issue_comment(body="Seen twice", id=71)
    account = github.user("mira", 5)
    fix = github.commit("Mend\n\nFixes #5", username="zed")
    story = [
        ("issues", github.issue(sender=github.user("zed", 5), user=github.user("zed", 5))),
        ("issues", at_host(github.issue(sender=account, user=account))),
        ("issue_comment", comment),
        ("issue_comment", at_host(comment)),
        ("workflow_run", run),
        ("workflow_run", at_host(run)),
        ("push", at_host(github.push([fix]))),
    ]
    pull = at_host(github.pull_request(number=6, body="@"))
    pull["pull_request"]["body"] = body
    read = tell([*story, ("pull_request", pull)], 1, "1@ghe.acme.dev")
    assert [edge for edge in read(EDGES) if "run" not in edge[0]] == [
        (f"github:commit:{fix['id']}", "fixes", "github:issue:1@ghe.acme.dev#5"),
        ("github:pr:1@ghe.acme.dev#6", "references", "github:issue:1#5"),
        ("github:pr:1@ghe.acme.dev#6", "references", "github:issue:1@ghe.acme.dev#5"),
    ]  # fmt: skip
    counted = """
        SELECT source_type, count(*) FROM lightfast.observations
        WHERE source_type NOT IN ('commit.pushed', 'pull-request.opened') GROUP BY 1 ORDER BY 1
    """
    twice = ("comment.created", "issue.opened", "workflow-run.completed")
    assert read(counted) == [(kind, 2) for kind in twice]
    decide_actors(conn, "default", now=NOW)
    conn.commit()
    # A login at the one host says nothing of an account at the other.
    people = """
        SELECT source, source_id, count(*) OVER (PARTITION BY actor_id)
        FROM lightfast.actor_identities
        WHERE source_username IN ('mira', 'zed', 'zed@ghe.acme.dev') ORDER BY 1, 2
    """
    assert read(people) == [
        ("git", "Ada <ada@acme.test>", 1),
        ("github", "5", 1),
        ("github", "5@ghe.acme.dev", 1),
    ]


def test_an_address_of_a_server_leads_there_from_github_com_and_of_others_nowhere(
    tell: Any, conn: Connection
) -> None:
    body = "Fixes https://ghe.acme.dev/acme/shop/issues/5, https://codeberg.org/acme/shop/issues/5"
    story = [
        ("issues", at_host(github.issue())),
        ("pull_request", github.pull_request(number=6, body=body)),
    ]
    read = tell(story, 1, "1@ghe.acme.dev")
    assert read(EDGES) == [("github:pr:1#6", "fixes", "github:issue:1@ghe.acme.dev#5")]
    shown = "SELECT key FROM lightfast.entities WHERE key LIKE '%%codeberg%%'"
    assert read(shown) == []
