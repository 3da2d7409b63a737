"""Statements of issues, releases and discussions, and changes of the connection itself."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from lightfast_pipelines.domain.events import (
    ENDING_REASON,
    Filtered,
    Lifecycle,
    LifecycleEvent,
    Parked,
    Route,
)
from lightfast_pipelines.providers.github import PROVIDER
from tests.providers.github.payloads import (
    CHANGED_AT,
    OPENED_AT,
    discussion,
    issue,
    ping,
    pull_request,
    release,
    repository,
    sha,
)
from tests.providers.github.readings import edges, mentioned, read, statement

OPENED = datetime(2024, 5, 1, 10, tzinfo=UTC)
CHANGED = datetime(2024, 5, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("payload", "source_type", "tag", "state", "reason"),
    [
        (issue("opened"), "opened", "Issue Opened", "open", None),
        (issue("closed"), "closed", "Issue Closed", "closed", "completed"),
        (
            issue("closed", state_reason="not_planned"),
            "closed",
            "Issue Closed",
            "closed",
            "not_planned",
        ),
        (issue("reopened"), "reopened", "Issue Reopened", "open", None),
        (issue("deleted"), "deleted", "Issue Deleted", "closed", "deleted"),
        (issue("transferred"), "transferred", "Issue Transferred", "closed", "transferred"),
    ],
)
def test_each_action_of_an_issue_moves_its_state(
    payload: dict[str, Any], source_type: str, tag: str, state: str, reason: str | None
) -> None:
    result = statement("issues", payload)
    at = OPENED if source_type == "opened" else CHANGED
    assert result.source_type == f"issue.{source_type}"
    # It is deleted once, whoever reports it and when.
    moment = "" if source_type == "deleted" else f"|{at:%Y-%m-%dT%H:%M:%SZ}"
    assert result.source_id == f"github:issue:1#5|{source_type}{moment}"
    assert result.title == f"[{tag}] The cart is empty"
    ends = [("deleted", at)] if source_type == "deleted" else []
    assert [(each.value, each.at) for each in result.states] == [(state, at), *ends]
    assert result.states[0].metadata.get("reason") == reason
    assert result.link_text is None


def test_a_closed_issue_that_was_edited_later_keeps_its_closing_time() -> None:
    result = statement("issues", issue("closed", updated_at="2024-06-01T00:00:00Z"))
    assert (result.occurred_at, result.states[0].at) == (CHANGED, CHANGED)


def test_a_transferred_issue_names_its_new_repository() -> None:
    payload = issue("transferred")
    payload["changes"] = {
        "new_issue": {"number": 40, "title": "The cart is empty"},
        "new_repository": repository("acme/web", 2),
    }
    assert edges(statement("issues", payload)) == {
        ("github:issue:1#5", "moved_to", "github:issue:2#40")
    }


def test_an_issue_event_of_a_pull_request_is_left_to_its_own_events() -> None:
    payload = issue("closed", pull_request={"url": "https://api.github.com/repos/a/b/pulls/5"})
    assert isinstance(read("issues", payload), Filtered)


def test_a_published_release_is_its_repositorys_latest() -> None:
    result = statement("release", release(target=sha("r")))
    key = "github:release:1:v1.0.0"
    assert result.source_id == f"{key}|published|{CHANGED_AT}"
    assert result.title == "[Release Published] One"
    assert [(state.thing.key, state.state_type, state.value) for state in result.states] == [
        (key, "status", "published"),
        ("github:repository:1", "latest_release", key),
    ]
    assert (key, "contains", f"github:commit:{sha('r')}") in edges(result)
    assert "github:tag:1:v1.0.0" in mentioned(result, "reference")


def test_a_prerelease_is_published_without_being_the_latest() -> None:
    result = statement("release", release(prerelease=True))
    assert [state.state_type for state in result.states] == ["status"]


def test_a_prerelease_that_is_released_later_becomes_the_latest() -> None:
    result = statement("release", release("released", updated_at="2024-06-01T10:00:00Z"))
    assert (result.source_type, result.occurred_at.isoformat()) == (
        "release.released",
        "2024-06-01T10:00:00+00:00",
    )
    assert [(state.state_type, state.value) for state in result.states] == [
        ("status", "published"),
        ("latest_release", "github:release:1:v1.0.0"),
    ]


@pytest.mark.parametrize("action", ["deleted", "unpublished"])
def test_a_withdrawn_release_is_no_longer_the_latest(action: str) -> None:
    result = statement("release", release(action))
    ended = next(state for state in result.states if state.state_type == "latest_release")
    assert (ended.value, ended.reason) == ("github:release:1:v1.0.0", ENDING_REASON)


def test_a_release_is_published_once_however_many_events_say_so() -> None:
    for action in ("released", "prereleased", "edited"):
        assert isinstance(read("release", release(action)), Filtered)
    assert isinstance(read("release", release("created")), Filtered)
    draft = statement("release", release("created", draft=True, published_at=None))
    assert (draft.source_type, draft.states[0].value) == ("release.created", "draft")


def test_a_deletion_has_the_latest_time_in_its_payload() -> None:
    payload = release("deleted")
    payload["repository"]["updated_at"] = "2024-07-01T00:00:00Z"
    result = statement("release", payload)
    assert result.occurred_at == datetime(2024, 7, 1, tzinfo=UTC)
    assert result.states[0].value == "deleted"


def test_an_answer_is_an_observation_apart_from_its_discussion() -> None:
    created = statement("discussion", discussion("created"))
    answered = statement("discussion", discussion("answered"))
    assert created.source_id == f"github:discussion:1#8|created|{OPENED_AT}"
    assert answered.source_id == f"github:discussion:1#8|answered|{CHANGED_AT}"
    assert [each.value for each in (*created.states, *answered.states)] == ["open", "answered"]
    assert "Answer: Euros it is." in answered.content
    assert answered.metadata["category"] == "Q&A"


def test_an_answered_discussion_that_was_edited_later_keeps_the_time_of_its_answer() -> None:
    result = statement("discussion", discussion("answered", updated_at="2024-06-01T00:00:00Z"))
    assert result.occurred_at == CHANGED


def test_discussions_close_reopen_and_lose_their_answer() -> None:
    found = [
        (statement("discussion", discussion(action)).states[0].value)
        for action in ("closed", "reopened", "unanswered")
    ]
    assert found == ["closed", "open", "open"]


def test_times_with_offsets_and_milliseconds_make_the_same_id_as_utc() -> None:
    odd = discussion("answered", answer_chosen_at="2024-05-02T08:00:00.000-04:00")
    assert statement("discussion", odd).source_id.endswith(CHANGED_AT)


def lifecycle(event: str, payload: dict[str, Any]) -> tuple[LifecycleEvent, ...]:
    reading = read(event, payload)
    assert isinstance(reading, Lifecycle)
    return reading.events


def installation(action: str, **more: Any) -> dict[str, Any]:
    return {
        "action": action,
        "installation": {
            "id": 7,
            "account": {"login": "acme", "id": 3},
            "created_at": 1_714_557_600,
            "updated_at": "2024-05-01T06:00:00.000-04:00",
            **more,
        },
    }


@pytest.mark.parametrize(
    ("payload", "change", "at"),
    [
        (installation("created"), "active", OPENED),
        (installation("suspend", suspended_at=CHANGED_AT), "suspended", CHANGED),
        (installation("unsuspend"), "active", OPENED),
        (installation("deleted"), "removed", None),
    ],
)
def test_an_installation_comes_and_goes(
    payload: dict[str, Any], change: str, at: datetime | None
) -> None:
    (event,) = lifecycle("installation", payload)
    assert (event.subject_kind, event.subject_id) == ("installation", "7")
    assert (event.change, event.occurred_at) == (change, at)
    assert event.value["account_login"] == "acme"


def test_repositories_join_and_leave_an_installation() -> None:
    payload = {
        "action": "removed",
        "installation": {"id": 7},
        "repositories_added": [],
        "repositories_removed": [{"id": 1, "full_name": "acme/shop"}, {"name": "no id"}],
    }
    (event,) = lifecycle("installation_repositories", payload)
    assert (event.subject_kind, event.subject_id, event.change) == ("resource", "1", "removed")
    assert event.value == {"name": "acme/shop", "installation": "7"}


@pytest.mark.parametrize(
    ("action", "change"),
    [
        ("renamed", "renamed"),
        ("transferred", "transferred"),
        ("archived", "archived"),
        ("unarchived", "unarchived"),
        ("deleted", "removed"),
    ],
)
def test_a_repository_itself_changes(action: str, change: str) -> None:
    payload = {"action": action, "repository": repository("acme/store", 1)}
    (event,) = lifecycle("repository", payload)
    assert (event.subject_kind, event.subject_id, event.change) == ("resource", "1", change)
    assert event.value == {"name": "acme/store", "account_login": "acme"}
    assert event.occurred_at == OPENED


def test_an_event_that_changes_no_connection_is_filtered() -> None:
    for action in ("created", "edited", "privatized", "publicized"):
        reading = read("repository", {"action": action, "repository": repository()})
        assert isinstance(reading, Filtered)
    assert isinstance(read("ping", ping()), Filtered)


def test_a_payload_is_routed_by_repository_then_installation_then_organisation() -> None:
    route = PROVIDER.route("pull_request", pull_request())
    assert route is not None
    assert (route.resource_key, route.resource_id) == ("github:repository:1", "1")
    assert (route.resource_name, route.installation_id) == ("acme/shop", "7")
    assert route.resource_meta["default_branch"] == "main"
    assert PROVIDER.route("installation", installation("created")) == Route(
        "github:installation:7", "installation:7", "acme", "7"
    )
    assert PROVIDER.route("member", {"organization": {"id": 3, "login": "acme"}}) == Route(
        "github:organization:3", "organization:3", "acme"
    )
    assert PROVIDER.route("security_advisory", {"action": "published"}) is None


def test_events_are_wanted_under_githubs_own_names() -> None:
    assert PROVIDER.sync_event("issues", issue()) in PROVIDER.default_events


def test_unknown_actions_are_parked() -> None:
    for event, payload in (
        ("issues", issue("frozen")),
        ("release", release("frozen")),
        ("discussion", discussion("frozen")),
        ("installation", installation("frozen")),
        ("installation_repositories", installation("frozen")),
        ("repository", {"action": "frozen", "repository": repository()}),
    ):
        reading = read(event, payload)
        assert isinstance(reading, Parked), event
        assert "frozen" in reading.reason
