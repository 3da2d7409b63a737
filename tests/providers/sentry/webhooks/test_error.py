"""What a single error states, what is kept of it, and how a storm of errors is read."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import Parked
from lightfast_pipelines.domain.folding import StatementSource
from lightfast_pipelines.providers.sentry import keys as sentry_keys
from tests.providers.sentry import payloads
from tests.providers.sentry.readings import edges, mentioned, read, statement_of
from tests.settling import settle

KEY = sentry_keys.issue(42, 4711)
SHA = "0123456789abcdef0123456789abcdef01234567"


def test_an_error_is_an_occurrence_of_its_issue_in_its_hour_release_and_environment() -> None:
    statement = statement_of("error", payloads.error())
    assert statement.source_id == f"{KEY}|error.occurred|shop@1.4.2|production|2024-05-01T10Z"
    assert statement.occurrence is not None
    assert (statement.occurrence.series, statement.occurrence.event_id) == (KEY, "e1")
    assert statement.title == "[Error] TypeError: price is undefined"
    assert "TypeError at src/cart/total.ts:9 in total" in statement.content.splitlines()
    assert statement.metadata["eventId"] == "e1"
    assert statement.metadata["release"] == "shop@1.4.2"
    assert mentioned(statement, "file") == ["file:src/cart/total.ts"]
    assert statement.subject.url == "https://sentry.io/organizations/acme/issues/4711/"


def test_the_end_user_who_met_the_error_is_kept_nowhere() -> None:
    statement = statement_of("error", payloads.error())
    assert statement.actor is None
    assert statement.author is None
    assert statement.metadata["tags"] == {"browser": "Firefox 126"}
    everything = repr(statement)
    for private in ("customer@shop.test", "203.0.113.9"):
        assert private not in everything


@pytest.mark.parametrize(
    "tags",
    [
        [["release", "shop@2.0"], ["environment", "preview"]],
        [{"key": "release", "value": "shop@2.0"}, {"key": "environment", "value": "preview"}],
    ],
)
def test_release_and_environment_may_come_from_tags_of_either_form(tags: object) -> None:
    statement = statement_of("error", payloads.error(release=None, environment=None, tags=tags))
    assert "|shop@2.0|preview|" in statement.source_id


def test_an_error_without_release_and_environment_is_counted_too() -> None:
    statement = statement_of("error", payloads.error(release=None, environment=None, tags=[]))
    assert statement.source_id == f"{KEY}|error.occurred|||2024-05-01T10Z"
    assert not any(edge[1] == "caused_by" for edge in edges(statement))


@pytest.mark.parametrize(
    "times",
    [
        {"datetime": "2024-05-01T10:00:00.250000Z"},
        {"datetime": "2024-05-01T12:00:00.250+02:00"},
        {"datetime": None, "timestamp": 1714557600.25},
        {"datetime": None, "timestamp": "2024-05-01T10:00:00.250Z"},
        {"datetime": None, "received": 1714557600.25},
    ],
)
def test_times_are_read_in_every_form(times: dict[str, object]) -> None:
    payload = payloads.error()
    payload["data"]["error"].update(times)
    statement = statement_of("error", payload)
    assert statement.occurred_at == datetime(2024, 5, 1, 10, 0, 0, 250000, UTC)


def test_the_release_that_caused_an_issue_contains_the_commit_in_its_version() -> None:
    release = sentry_keys.release("acme", SHA)
    all_edges = edges(statement_of("error", payloads.error(release=SHA)))
    assert {
        (KEY, "caused_by", release),
        (release, "contains", keys.github_commit(SHA)),
        (KEY, "belongs_to", sentry_keys.project(42)),
    } == all_edges


@pytest.mark.parametrize(
    "version", ["1.4.2", "20240501", "shop@1234567", "deadbeef", "v1", "x" * 251]
)
def test_a_version_that_only_looks_like_a_commit_contains_none(version: str) -> None:
    all_edges = edges(statement_of("error", payloads.error(release=version)))
    assert not any(one[1] == "contains" for one in all_edges)


def test_the_apis_field_names_of_an_event_are_read_too() -> None:
    payload = payloads.error()
    payload["data"]["error"] = {
        "eventID": "e1",
        "groupID": 4711,
        "projectID": "42",
        "dateCreated": payloads.FIRST_SEEN,
        "tags": [
            {"key": "release", "value": "shop@1.4.2"},
            {"key": "environment", "value": "production"},
        ],
        "title": "TypeError: price is undefined",
    }
    by_webhook = statement_of("error", payloads.error())
    by_api = statement_of("error", payload)
    assert by_api.source_id == by_webhook.source_id
    assert by_api.occurrence == by_webhook.occurrence


def test_the_issue_may_be_named_by_its_address_alone() -> None:
    statement = statement_of("error", payloads.error(issue_id=None))
    assert statement.subject.key == KEY


@pytest.mark.parametrize("missing", ["event_id", "project", "datetime"])
def test_an_error_without_id_project_or_time_is_parked(missing: str) -> None:
    payload = payloads.error()
    del payload["data"]["error"][missing]
    reading = read("error", payload)
    assert isinstance(reading, Parked)
    assert reading.reason.startswith("error: ")


def test_a_storm_around_a_regression_is_a_handful_of_observations_in_any_order() -> None:
    start = datetime(2024, 5, 1, 10, tzinfo=UTC)
    stated = []
    for number in range(2_000):
        at = start + timedelta(seconds=number * 3)
        payload = payloads.error(f"e{number:04}", at.isoformat())
        source = StatementSource("webhook", at, number.to_bytes(4, "big"))
        stated.append((source, statement_of("error", payload), number))
    regressed = payloads.issue(
        "unresolved",
        substatus="regressed",
        last_seen=(start + timedelta(seconds=1_000 * 3)).isoformat(),
    )
    restart = (
        StatementSource("webhook", start, b"r"),
        statement_of("issue", regressed, start + timedelta(hours=3)),
        9_999,
    )
    expected = settle([*stated, restart])
    random.Random(3).shuffle(stated)
    assert settle([restart, *stated]) == expected
    counts = {found.source_id: found.metadata.get("count", 1) for found, _ in expected}
    assert counts == {
        f"{KEY}|error.created|e0000": 1,
        f"{KEY}|error.created|e1000": 1,
        f"{KEY}|error.occurred|shop@1.4.2|production|2024-05-01T10Z": 1_198,
        f"{KEY}|error.occurred|shop@1.4.2|production|2024-05-01T11Z": 800,
    }
