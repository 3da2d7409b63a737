"""The transitions of an issue, their times and order, and what resolved it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import Account, Parked, Statement
from lightfast_pipelines.domain.states import StateFact
from lightfast_pipelines.providers.sentry import keys as sentry_keys
from tests.believed import fold_current
from tests.providers.sentry import payloads
from tests.providers.sentry.payloads import NOW
from tests.providers.sentry.readings import edges, mentioned, read, statement_of

KEY = sentry_keys.issue(42, 4711)
SHA = "0123456789abcdef0123456789abcdef01234567"


def status_over_time(found: list[Statement]) -> list[str]:
    facts = [
        StateFact(state.value, state.at, state.rank, each.source_id, state.at, state.reason)
        for each in found
        for state in each.states
        if state.state_type == "status"
    ]
    return [interval.value for interval in fold_current(facts)]


def test_a_created_issue_states_the_error_its_location_and_its_first_sight() -> None:
    statement = statement_of("issue", payloads.issue())
    assert statement.source_id == f"{KEY}|created"
    assert statement.source_type == "issue.created"
    assert statement.title == "[Issue Created] TypeError: price is undefined"
    assert statement.occurred_at == datetime(2024, 5, 1, 10, 0, 0, 250000, UTC)
    for line in (
        "Location: app:///src/cart/total.ts",
        "Function: total",
        "Level: error",
        "Occurrences: 3",
        "Users affected: 2",
    ):
        assert line in statement.content.splitlines()
    assert statement.metadata["shortId"] == "SHOP-1A"
    assert statement.metadata["count"] == 3
    assert statement.metadata["projectSlug"] == "shop"
    assert statement.metadata["organizationSlug"] == "acme"
    assert statement.metadata["installationId"] == payloads.UUID
    assert (KEY, "belongs_to", sentry_keys.project(42)) in edges(statement)
    assert mentioned(statement, "file") == ["file:src/cart/total.ts"]
    (state,) = statement.states
    assert (state.state_type, state.value, state.reason) == ("status", "unresolved", "created")


def test_an_issue_can_be_found_by_its_short_id_and_by_its_number() -> None:
    subject = statement_of("issue", payloads.issue()).subject
    assert set(subject.aliases) == {
        "sentry:ref:issue:4711",
        "sentry:ref:SHOP-1A",
        "sentry:ref:sentry.io/issue:4711",
        "sentry:ref:sentry.io/acme/SHOP-1A",
    }
    assert subject.url == "https://acme.sentry.io/issues/4711/"


@pytest.mark.parametrize(
    ("action", "state", "weight"),
    [
        ("created", "unresolved", 55),
        ("resolved", "resolved", 50),
        ("unresolved", "unresolved", 45),
        ("ignored", "ignored", 25),
        ("archived", "archived", 25),
    ],
)
def test_each_transition_sets_the_status(action: str, state: str, weight: int) -> None:
    statement = statement_of("issue", payloads.issue(action))
    assert statement.source_type == f"issue.{action}"
    assert [(state.state_type, state.value) for state in statement.states] == [("status", state)]
    assert statement.base_significance == weight


def test_an_unknown_action_is_parked_with_the_reason() -> None:
    assert read("issue", payloads.issue("exploded")) == Parked(
        "action exploded of issue is not known yet"
    )


def test_assigning_to_another_person_is_another_observation() -> None:
    ada = {"type": "user", "id": "7", "name": "Ada", "email": "ada@acme.test"}
    statement = statement_of("issue", payloads.issue("assigned", assignedTo=ada))
    assert [(state.state_type, state.value) for state in statement.states] == [
        ("assignee", "user:sentry:7")
    ]
    assert statement.accounts[0].role == "assignee"
    assert statement.accounts[0].account.email == "ada@acme.test"
    assert mentioned(statement, "assignee") == ["user:sentry:7"]
    team = statement_of(
        "issue", payloads.issue("assigned", assignedTo={"type": "team", "id": 3, "name": "web"})
    )
    assert team.states[0].value == "sentry:team:3"
    assert team.accounts == ()
    nobody = statement_of("issue", payloads.issue("assigned"))
    assert nobody.states[0].value == "nobody"
    assert len({statement.source_id, team.source_id, nobody.source_id}) == 3


def history(sent: bool) -> list[Statement]:
    """Created, resolved by hand, regressed, resolved; sent seconds after one another at the end."""
    seen = ["2024-05-01T10:30:00Z", "2024-05-02T08:00:00Z", "2024-05-02T08:05:00Z"]
    steps: list[tuple[str, dict[str, Any]]] = [
        ("created", {}),
        ("resolved", {"last_seen": seen[0]}),
        ("unresolved", {"last_seen": seen[1], "substatus": "regressed"}),
        ("resolved", {"last_seen": seen[2]}),
    ]
    return [
        statement_of("issue", payloads.issue(action, **more), NOW if sent else None)
        for action, more in steps
    ]


@pytest.mark.parametrize("sent", [False, True])
def test_resolved_regressed_and_resolved_again_are_three_intervals_in_any_order(sent: bool) -> None:
    told = history(sent)
    assert len({statement.source_id for statement in told}) == 4
    for order in permutations(told):
        assert status_over_time(list(order)) == ["unresolved", "resolved", "unresolved", "resolved"]


def test_decisions_between_which_nothing_was_seen_differ_by_when_they_were_sent() -> None:
    hours = [NOW, NOW + timedelta(hours=1), NOW + timedelta(hours=2)]
    told = [
        statement_of("issue", payloads.issue(action, substatus="ongoing"), sent)
        for action, sent in zip(("resolved", "unresolved", "resolved"), hours, strict=True)
    ]
    assert [statement.occurred_at for statement in told] == hours
    assert len({statement.source_id for statement in told}) == 3
    assert status_over_time(told) == ["resolved", "unresolved", "resolved"]


def test_a_regression_in_the_same_second_comes_before_the_resolution() -> None:
    same = [statement_of("issue", payloads.issue(action)) for action in ("resolved", "unresolved")]
    assert status_over_time(same) == ["unresolved", "resolved"]


def test_only_a_regression_starts_a_new_series_of_errors_with_its_own_error() -> None:
    regressed = statement_of("issue", payloads.issue("unresolved", substatus="regressed"), NOW)
    assert regressed.occurred_at == NOW
    assert regressed.occurrence is not None
    assert regressed.occurrence.restart
    assert regressed.occurrence.series == KEY
    assert regressed.occurrence.since == datetime(2024, 5, 1, 10, 30, tzinfo=UTC)
    for substatus in ("ongoing", "escalating"):
        by_hand = statement_of("issue", payloads.issue("unresolved", substatus=substatus))
        assert by_hand.occurrence is None
    assert statement_of("issue", payloads.issue("resolved")).occurrence is None


def test_a_commit_its_pull_request_and_a_release_resolve_the_issue() -> None:
    details = {
        "inCommit": {
            "id": SHA,
            "message": "Guard the total\n\nFixes SHOP-1A",
            "repository": {"id": "1", "name": "acme/shop"},
            "pullRequest": {"id": "12", "repository": {"name": "acme/shop"}},
        },
        "inRelease": "shop@1.4.3",
        "actor": {"type": "user", "id": "7", "name": "Ada", "email": "ada@acme.test"},
    }
    statement = statement_of(
        "issue", payloads.issue("resolved", statusDetails=details, actor=payloads.person())
    )
    assert {
        (keys.github_commit(SHA), "resolves", KEY),
        ("github:ref:acme/shop#12", "resolves", KEY),
        ("sentry:release:acme:shop@1.4.3", "resolves", KEY),
    } <= edges(statement)
    assert ("commit", SHA, "resolved_by") in {
        (reference.type, reference.id, reference.label) for reference in statement.references
    }
    assert statement.actor is not None
    assert statement.actor.email == "ada@acme.test"


@pytest.mark.parametrize(
    "details",
    [
        {},
        {"inNextRelease": True},
        {"inRelease": "latest"},
        {"inCommit": {"id": "not a commit"}},
        {"inCommit": None, "inRelease": None},
        None,
    ],
)
def test_a_resolution_that_names_nothing_makes_no_edge(details: object) -> None:
    statement = statement_of("issue", payloads.issue("resolved", statusDetails=details))
    assert {edge[1] for edge in edges(statement)} == {"belongs_to"}


def test_a_commit_may_be_text_and_only_a_resolution_makes_an_edge() -> None:
    details = {"inCommit": SHA, "inNextRelease": {"version": "shop@2.0.0"}}
    resolved = edges(statement_of("issue", payloads.issue("resolved", statusDetails=details)))
    assert (keys.github_commit(SHA), "resolves", KEY) in resolved
    assert ("sentry:release:acme:shop@2.0.0", "resolves", KEY) in resolved
    archived = edges(statement_of("issue", payloads.issue("archived", statusDetails=details)))
    assert {one[1] for one in archived} == {"belongs_to"}


def test_the_first_release_caused_the_issue_and_contains_the_commit_in_its_version() -> None:
    statement = statement_of("issue", payloads.issue(firstRelease={"version": f"shop@{SHA}"}))
    release = f"sentry:release:acme:shop@{SHA}"
    assert {
        (KEY, "caused_by", release),
        (release, "contains", keys.github_commit(SHA)),
    } <= edges(statement)


def test_a_release_of_an_unknown_organization_has_an_alias_by_installation() -> None:
    statement = statement_of(
        "issue", payloads.issue(organization=None, firstRelease={"version": "1.0"})
    )
    alias = sentry_keys.release_by_installation(payloads.UUID, "1.0")
    assert (KEY, "caused_by", alias) in edges(statement)
    named = statement_of("issue", payloads.issue(firstRelease={"version": "1.0"}))
    (release,) = [mention.thing for mention in named.mentions if mention.role == "release"]
    assert release.aliases == (alias,)


@pytest.mark.parametrize("count", ["3", 3], ids=["text", "number"])
def test_ids_and_counts_may_be_numbers_or_text(count: object) -> None:
    project = {"id": 42, "slug": "shop"}
    statement = statement_of(
        "issue", payloads.issue(issue_id="4711", count=count, project=project, id=4711)
    )
    assert statement.subject.key == KEY
    assert statement.metadata["count"] == 3


def test_an_issue_without_an_actor_or_type_is_still_read() -> None:
    payload = payloads.issue(metadata={"title": "Priority: HIGH"}, title="Priority: HIGH")
    del payload["actor"]
    statement = statement_of("issue", payload)
    assert statement.actor is None
    assert statement.title == "[Issue Created] Priority: HIGH"


def test_sentry_itself_is_an_application_and_a_user_a_person() -> None:
    automatic = statement_of("issue", payloads.issue())
    assert automatic.actor == Account("sentry", "sentry", name="Sentry", kind="bot")
    by_hand = statement_of("issue", payloads.issue("resolved", actor=payloads.person()))
    assert by_hand.actor == Account("sentry", "7", name="Ada", kind="person")


@pytest.mark.parametrize("missing", ["id", "project"])
def test_an_issue_without_id_or_project_is_parked(missing: str) -> None:
    payload = payloads.issue()
    del payload["data"]["issue"][missing]
    assert isinstance(read("issue", payload), Parked)


@pytest.mark.parametrize(
    ("version", "commit"),
    [
        (SHA, f"github:commit:{SHA}"),
        (f"shop@{SHA}", f"github:commit:{SHA}"),
        ("shop@1.4.2+9f8e7d6", "github:ref:sha:9f8e7d6"),
        (f"shop@1.4.2+{SHA}", f"github:commit:{SHA}"),
        (f"shop-{SHA}", f"github:commit:{SHA}"),
        (f"web-{SHA}-arm64", f"github:commit:{SHA}"),
        (f"shop-{SHA}0f", None),
        ("shop@1.4.2+build.7.9f8e7d6", "github:ref:sha:9f8e7d6"),
        ("v1.4.2-5-g9f8e7d6", "github:ref:sha:9f8e7d6"),
        ("shop@1.4.2", None),
        ("shop@1.4.2+20240501", None),
        ("shop@1.4.2+abc", None),
    ],
)
def test_a_release_contains_the_commit_that_its_version_names(
    version: str, commit: str | None
) -> None:
    statement = statement_of("issue", payloads.issue(firstRelease={"version": version}))
    contained = [edge.object.key for edge in statement.edges if edge.type == "contains"]
    assert contained == ([commit] if commit else [])


@pytest.mark.parametrize(
    ("address", "alias"),
    [
        ("https://linear.app/beta/issue/ENG-7/cart", "linear:ref:beta/ENG-7"),
        ("https://github.com/acme/shop/issues/7", "github:ref:acme/shop#7"),
        ("https://ghe.acme.dev/plat/shop/issues/7", "github:ref:ghe.acme.dev/plat/shop#7"),
    ],
)
def test_an_issue_of_another_tracker_is_named_with_its_organization_or_host(
    address: str, alias: str
) -> None:
    statement = statement_of("issue", payloads.issue("linked", externalIssue={"location": address}))
    assert (alias, "references", statement.subject.key) in edges(statement)
