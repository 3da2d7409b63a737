"""When a change happened if the entity's `updatedAt` does not move with it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.providers.linear.payloads import CREATED_AT, envelope, issue, issue_data, project
from tests.providers.linear.readings import read, statement_of, statements_of

WEEK = timedelta(days=7)
CREATED = datetime(2024, 5, 1, 10, 0, 0, 250_000, tzinfo=UTC)


def text(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def health(value: str | None, before: str | None, weeks: int, **more: Any) -> dict[str, Any]:
    """As Linear sends it: the project's `updatedAt` is that of its making."""
    found = project(
        "update", updated_from={"health": before, **more.pop("was", {})}, health=value, **more
    )
    found["data"]["updatedAt"] = CREATED_AT
    found["createdAt"] = text(CREATED + weeks * WEEK + timedelta(milliseconds=50))
    return found


def test_each_change_of_a_projects_health_has_its_own_time_and_identity() -> None:
    told = [
        statement_of(health("onTrack", None, 1, healthUpdatedAt=text(CREATED + WEEK))),
        statement_of(
            health(
                "atRisk",
                "onTrack",
                2,
                healthUpdatedAt=text(CREATED + 2 * WEEK),
                was={"healthUpdatedAt": text(CREATED + WEEK)},
            )
        ),
        # An edited report changes the health too, and leaves `healthUpdatedAt` as it was.
        statement_of(health("offTrack", "atRisk", 3, healthUpdatedAt=text(CREATED + 2 * WEEK))),
        statement_of(health(None, "offTrack", 4, healthUpdatedAt=None)),
    ]
    assert [statement.occurred_at for statement in told[:2]] == [CREATED + WEEK, CREATED + 2 * WEEK]
    assert [statement.occurred_at for statement in told[2:]] == [
        CREATED + weeks * WEEK + timedelta(milliseconds=50) for weeks in (3, 4)
    ]
    assert len({statement.source_id for statement in told}) == 4
    assert [statement.states[0].at for statement in told[:3]] == [
        statement.occurred_at for statement in told[:3]
    ]


@pytest.mark.parametrize(
    ("changed", "was"),
    [
        ({"stateId": "state-started"}, {"stateId": "state-unstarted"}),
        ({"labelIds": ["label-1"]}, {"labelIds": []}),
        ({"archivedAt": None}, {"archivedAt": CREATED_AT}),
    ],
)
def test_a_change_that_leaves_updated_at_as_it_was_is_dated_by_its_event(
    changed: dict[str, Any], was: dict[str, Any]
) -> None:
    data = {**issue_data(), **changed}
    first, again = (
        envelope("Issue", "update", data, at=text(CREATED + n * WEEK), updated_from=was)
        for n in (1, 2)
    )
    assert statement_of(first).occurred_at == CREATED + WEEK
    assert statement_of(again).occurred_at == CREATED + 2 * WEEK


def test_updated_at_dates_a_change_that_moved_it_whenever_the_event_was_sent() -> None:
    """One whose envelope is late, and one whose envelope has the time of the making."""
    for at in (text(CREATED + 2 * WEEK), CREATED_AT):
        data = {**issue_data(), "title": "Add a basket", "updatedAt": text(CREATED + WEEK)}
        was = {"title": "Add a cart", "updatedAt": CREATED_AT}
        told = statement_of(envelope("Issue", "update", data, at=at, updated_from=was))
        assert told.occurred_at == CREATED + WEEK


def test_deleting_an_issue_archived_long_ago_is_dated_by_the_deletion() -> None:
    removed = issue("remove", archivedAt=text(CREATED + WEEK))
    removed["createdAt"] = text(CREATED + 5 * WEEK)
    assert statement_of(removed).occurred_at == CREATED + 5 * WEEK
    data = {**issue_data(), "trashed": True, "archivedAt": text(CREATED + WEEK)}
    at = text(CREATED + 5 * WEEK)
    trashed = envelope("Issue", "update", data, at=at, updated_from={"trashed": None})
    assert statement_of(trashed).source_type == "issue.deleted"
    assert statement_of(trashed).occurred_at == CREATED + 5 * WEEK


def test_a_changed_sort_order_is_not_a_change_of_the_issue() -> None:
    data = {**issue_data(), "sortOrder": 2.5, "snoozedUntilAt": None}
    assert not hasattr(
        read(envelope("Issue", "update", data, updated_from={"sortOrder": 1.5})), "statements"
    )
    both = {"sortOrder": 1.5, "priority": 1, "updatedAt": CREATED_AT}
    data |= {"updatedAt": text(CREATED + WEEK)}
    told = statements_of(envelope("Issue", "update", data, updated_from=both))
    assert [statement.source_type for statement in told] == ["issue.priority-changed"]


def test_two_changes_within_a_second_are_two_facts_although_updated_at_moved_once() -> None:
    moved = {**issue_data(), "priority": 1, "updatedAt": text(CREATED + WEEK)}
    was = {"priority": 0, "updatedAt": CREATED_AT}
    first = envelope("Issue", "update", moved, at=text(CREATED + WEEK), updated_from=was)
    soon = CREATED + WEEK + timedelta(milliseconds=300)
    back = {**moved, "priority": 0}
    again = envelope("Issue", "update", back, at=text(soon), updated_from={"priority": 1})
    assert statement_of(first).occurred_at == CREATED + WEEK
    assert statement_of(again).occurred_at == soon
    assert statement_of(first).source_id != statement_of(again).source_id


def test_restoring_is_the_same_as_an_action_or_as_a_change() -> None:
    at = text(CREATED + WEEK)
    data = {**issue_data(), "updatedAt": at}
    action = envelope("Issue", "restore", data, at=at)
    was = {"trashed": True, "updatedAt": CREATED_AT}
    change = envelope("Issue", "update", data, at=at, updated_from=was)
    for found in (statement_of(action), statement_of(change)):
        assert found.source_type == "issue.restored"
        assert ("existence", "exists") in [
            (state.state_type, state.value) for state in found.states
        ]
    assert statement_of(action).source_id == statement_of(change).source_id
