"""A storm becomes a handful of observations, the same ones in whatever order its errors come."""

from __future__ import annotations

import hashlib
import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from lightfast_pipelines.domain.events import Edge, Occurrence, Statement, Thing
from lightfast_pipelines.domain.folding import StatementSource
from lightfast_pipelines.domain.occurrences import occurrence_of
from lightfast_pipelines.providers.sentry import keys as sentry_keys
from tests.depth import examples
from tests.settling import settle

ISSUE = Thing(sentry_keys.issue(7, 100))
RELEASE = Thing(sentry_keys.release("acme", "shop@1.0"))
START = datetime(2024, 5, 1, 10, 30, tzinfo=UTC)

Stated = tuple[StatementSource, Statement, int]


def source(seed: object, kind: str = "webhook") -> StatementSource:
    return StatementSource(
        "api" if kind == "api" else "webhook",
        START + timedelta(days=9),
        hashlib.sha256(repr(seed).encode()).digest(),
    )


def error(
    event_id: str,
    minutes: float,
    tag: int,
    *,
    environment: str = "production",
    kind: str = "webhook",
) -> Stated:
    at = START + timedelta(minutes=minutes)
    statement = Statement(
        source_id=f"{ISSUE.key}|error.occurred|shop@1.0|{environment}|{at:%Y-%m-%dT%HZ}",
        source="sentry",
        source_type="error.occurred",
        subject=ISSUE,
        occurred_at=at,
        title="[Error] TypeError: no price",
        content="no price",
        edges=(
            Edge(ISSUE, "caused_by", RELEASE),
            Edge(RELEASE, "contains", Thing("github:commit:a")),
        ),
        metadata={"eventId": event_id, "level": "error"},
        updated_at=at,
        occurrence=Occurrence(ISSUE.key, event_id),
    )
    return source((event_id, tag), kind), statement, tag


def regression(minutes: float, tag: int, told_after: float = 2.0) -> Stated:
    """Told some minutes after the error that caused it."""
    since = START + timedelta(minutes=minutes)
    statement = Statement(
        source_id=f"{ISSUE.key}|unresolved|{since.isoformat()}",
        source="sentry",
        source_type="issue.unresolved",
        subject=ISSUE,
        occurred_at=since + timedelta(minutes=told_after),
        title="[Issue Unresolved] TypeError: no price",
        occurrence=Occurrence(ISSUE.key, "", restart=True, since=since),
    )
    return source(tag), statement, tag


def shown(series: list[Stated]) -> list[tuple[str, str, object, tuple[int, ...]]]:
    return [
        (
            found.source_type,
            found.source_id.removeprefix(ISSUE.key + "|").removeprefix("error."),
            found.metadata.get("count"),
            tags,
        )
        for found, tags in settle(series)
    ]


def test_the_first_error_stands_alone_and_is_not_counted_in_its_hour() -> None:
    assert shown([error("b", 1, 2), error("a", 0, 1), error("c", 2, 3), error("d", 31, 4)]) == [
        ("error.created", "created|a", None, (1,)),
        ("error.occurred", "occurred|shop@1.0|production|2024-05-01T10Z", 2, (2, 3)),
        ("error.occurred", "occurred|shop@1.0|production|2024-05-01T11Z", 1, (4,)),
    ]


def test_a_late_earlier_error_takes_the_place_of_the_first_which_is_then_counted() -> None:
    assert shown([error("b", 1, 2), error("c", 2, 3)])[0][1] == "created|b"
    assert shown([error("b", 1, 2), error("c", 2, 3), error("z", 0, 4)]) == [
        ("error.created", "created|z", None, (4,)),
        ("error.occurred", "occurred|shop@1.0|production|2024-05-01T10Z", 2, (2, 3)),
    ]


def test_among_errors_of_one_moment_the_smallest_id_is_the_first() -> None:
    assert shown([error("b", 0, 1), error("a", 0, 2)])[0][1] == "created|a"


def test_an_event_stated_twice_is_one_error_with_both_payloads_behind_it() -> None:
    series = [error("a", 0, 1), error("b", 1, 2), error("b", 1, 3), error("b", 1, 4, kind="api")]
    assert shown(series)[1][2:] == (1, (2, 3, 4))


def test_where_payloads_disagree_on_an_events_hour_the_preferred_one_decides() -> None:
    late = error("b", 45, 3, kind="api")
    assert [found[1] for found in shown([error("a", 0, 1), late, error("b", 1, 2)])] == [
        "created|a",
        "occurred|shop@1.0|production|2024-05-01T10Z",
    ]


def test_the_error_that_caused_a_regression_stands_alone_even_if_the_regression_arrives_later() -> (
    None
):
    series = [error("a", 0, 1), error("b", 1, 2), error("c", 5, 3), error("d", 6, 4)]
    found = shown([*series, regression(5, 9)])
    assert [one[1] for one in found if one[0] == "error.created"] == ["created|a", "created|c"]
    assert [one[2:] for one in found if one[0] == "error.occurred"] == [(2, (2, 4))]


def test_a_regression_stated_twice_or_before_any_error_makes_no_further_first() -> None:
    twice = [error("a", 0, 1), regression(-5, 7), regression(-5, 8)]
    assert [one[1] for one in shown(twice)] == ["created|a"]


def test_releases_and_environments_are_counted_apart() -> None:
    found = shown([error("a", 0, 1), error("b", 1, 2), error("c", 2, 3, environment="preview")])
    assert [one[1] for one in found[1:]] == [
        "occurred|shop@1.0|preview|2024-05-01T10Z",
        "occurred|shop@1.0|production|2024-05-01T10Z",
    ]


def test_only_the_very_first_error_says_what_caused_the_issue() -> None:
    settled = settle([error("a", 0, 1), error("b", 1, 2), error("c", 9, 3), regression(9, 4)])
    causes = {
        found.source_type + found.source_id[-1]: [edge.type for edge in found.edges]
        for found, _ in settled
    }
    assert causes == {
        "error.createda": ["caused_by", "contains"],
        "error.createdc": ["contains"],
        "error.occurredZ": ["contains"],
    }


def test_an_hour_says_how_many_it_counts_and_from_when_to_when() -> None:
    (_, _), (hour, _) = settle([error(str(number), number, number) for number in range(13)])
    assert hour.title == "[Errors] 12\N{MULTIPLICATION SIGN} TypeError: no price"
    assert hour.occurred_at == START + timedelta(minutes=1)
    assert hour.metadata == {
        "level": "error",
        "count": 12,
        "firstSeen": "2024-05-01T10:31:00.000Z",
        "lastSeen": "2024-05-01T10:42:00.000Z",
        "firstEventId": "1",
    }


def test_ten_thousand_errors_become_a_handful_and_none_is_lost() -> None:
    storm = [error(f"{number:05}", number / 100, number) for number in range(10_000)]
    random.Random(1).shuffle(storm)
    settled = settle(storm)
    assert len(settled) == 4
    counts = [found.metadata.get("count", 1) for found, _ in settled]
    assert sum(counts) == 10_000
    assert sorted(tag for _, tags in settled for tag in tags) == list(range(10_000))


def test_a_statement_that_belongs_to_no_series_is_refused() -> None:
    _, statement, _ = error("a", 0, 1)
    with pytest.raises(ValueError, match="belongs to no series"):
        occurrence_of(replace(statement, occurrence=None))


_EVENTS = st.lists(
    st.tuples(
        st.sampled_from("abcdefgh"),
        st.integers(0, 150),
        st.sampled_from(["production", "preview"]),
        st.sampled_from(["webhook", "api"]),
    ),
    max_size=14,
)


@examples(25)
@given(_EVENTS, st.lists(st.integers(-10, 160), max_size=3), st.randoms(use_true_random=False))
def test_order_and_repetition_change_nothing_and_every_event_is_counted_once(
    events: list[tuple[str, int, str, str]], restarts: list[int], chance: random.Random
) -> None:
    series = [
        error(event_id, minutes, tag, environment=environment, kind=kind)
        for tag, (event_id, minutes, environment, kind) in enumerate(events)
    ]
    series += [regression(minutes, 100 + tag) for tag, minutes in enumerate(restarts)]
    settled = settle(series)
    changed = [*series, *(series[:5])]
    chance.shuffle(changed)
    assert settle(changed) == settled
    counts = [found.metadata.get("count", 1) for found, _ in settled]
    assert sum(counts) == len({event_id for event_id, *_ in events})
    alone = [found for found, _ in settled if found.source_type == "error.created"]
    assert len(alone) <= 1 + len(set(restarts))
    assert bool(alone) == bool(events)
    assert len({found.source_id for found, _ in settled}) == len(settled)
