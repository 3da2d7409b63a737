"""A timeline has each event once, newest first, in pages that do not change, with the day of the reader."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from lightfast_pipelines.cli.timeline import lines_by_day
from lightfast_pipelines.cli.wording import told as words_of
from lightfast_pipelines.store.timeline import Cursor, Event, read_cursor
from tests.capture.deliveries import capture_all, delivery, receive
from tests.capture.provider_deliveries import linked
from tests.cli.conftest import STORY, Lightfast
from tests.providers.github import payloads as github

PULL = f"github:pr:{STORY.shop.id}#51"
ALWAYS = ("--since", "2020-01-01")


def _observations(told: Lightfast, *words: str) -> list[str]:
    return [event["observation"] for event in told.json("timeline", *words)["events"]]


def _all_of(told: Lightfast, condition: str = "true") -> list[str]:
    with told.database.connect() as conn:
        rows = conn.execute(
            f"SELECT observation FROM lightfast.changes WHERE {condition}"
            " ORDER BY occurred_at DESC, observation DESC"
        ).fetchall()
    return [observation for (observation,) in rows]


def test_pages_hold_every_event_once_newest_first(told: Lightfast) -> None:
    expected = _all_of(told)
    seen: list[str] = []
    before: tuple[str, ...] = ()
    while True:
        page = told.json("timeline", *ALWAYS, "--limit", "7", *before)
        seen += [event["observation"] for event in page["events"]]
        if page["before"] is None:
            break
        assert len(page["events"]) == 7
        before = ("--before", page["before"])
    assert seen == expected


def test_without_a_time_it_begins_seven_days_before_the_latest_event(told: Lightfast) -> None:
    with told.database.connect() as conn:
        row = conn.execute("SELECT max(occurred_at) FROM lightfast.changes").fetchone()
    assert row is not None
    page = told.json("timeline", "--limit", "1000")
    assert datetime.fromisoformat(page["since"]) == row[0] - timedelta(days=7)
    assert [event["observation"] for event in page["events"]] == _all_of(
        told, f"occurred_at >= '{row[0] - timedelta(days=7)}'"
    )


def test_since_includes_its_moment_and_until_does_not(told: Lightfast) -> None:
    merged = "2026-05-19T23:30:00Z"
    assert _observations(told, "--since", merged, "--until", "2026-05-19T23:30:01Z") == _all_of(
        told, f"occurred_at = '{merged}'"
    )
    assert merged not in {
        event["occurred_at"]
        for event in told.json("timeline", *ALWAYS, "--until", merged)["events"]
    }


def test_by_a_person_has_what_any_of_their_accounts_did_or_wrote(told: Lightfast) -> None:
    found = _observations(told, *ALWAYS, "--limit", "1000", "--by", "mira-okafor")
    assert found
    of_login = """(SELECT actor_id FROM lightfast.actor_identities WHERE source_username = 'mira-okafor')"""
    assert found == _all_of(told, f"actor_id IN {of_login} OR author_id IN {of_login}")
    assert "nobody in organisation" in told("timeline", "--by", "no such person", exits=1).stderr


def test_of_a_thing_has_what_is_about_it_and_what_names_it(told: Lightfast) -> None:
    found = _observations(told, *ALWAYS, "--of", "#51")
    types = {event["type"] for event in told.json("timeline", *ALWAYS, "--of", "#51")["events"]}
    assert {"pull-request.merged", "review.submitted", "release.published"} <= types
    with told.database.connect() as conn:
        rows = conn.execute(
            """
            SELECT DISTINCT o.external_id FROM lightfast.observations o
            JOIN lightfast.observation_entities m ON m.observation_id = o.id
            JOIN lightfast.entities e ON e.id = m.entity_id WHERE e.key = %s
            """,
            (PULL,),
        ).fetchall()
    assert sorted(found) == sorted(observation for (observation,) in rows)


def test_a_type_is_a_pattern_and_an_unknown_one_says_what_there_is(told: Lightfast) -> None:
    found = _observations(told, *ALWAYS, "--limit", "1000", "--type", "Pull-Request.*")
    assert found == _all_of(told, "thing = 'pull-request'")
    exact = _observations(told, *ALWAYS, "--type", "release.published")
    assert exact == _all_of(told, "type = 'release.published'")
    stderr = told("timeline", "--type", "nothing.*", exits=1).stderr
    assert "'nothing.*'" in stderr
    assert "'attachment.*'" in stderr
    stderr = told("timeline", "--type", "release.gone", exits=1).stderr
    assert "there are: release.published" in stderr


def test_a_cut_list_says_so_and_an_empty_one_says_when_there_was_something(
    told: Lightfast,
) -> None:
    result = told("timeline", "--limit", "2")
    assert len(result.stdout.splitlines()) == 3
    assert "earlier ones: add --before 20" in result.stderr
    empty = told("timeline", "--since", "2030-01-01")
    assert empty.stdout == ""
    assert "the latest event that fits is of 2026-05-20" in empty.stderr


@pytest.mark.parametrize("text", ["yesterday's", "2026-05-19T23:30:00Z", "2026-05-19/abc", "/"])
def test_what_is_no_cursor_is_wrong_usage(told: Lightfast, text: str) -> None:
    assert "is not a cursor" in " ".join(told("timeline", "--before", text, exits=2).stderr.split())


def test_a_deleted_event_does_not_take_the_place_of_another(lightfast: Lightfast) -> None:
    with lightfast.database.connect() as conn:
        linked(conn, "shop", ("github", "1"))
        for number, action in ((7, "opened"), (8, "opened"), (8, "deleted")):
            at = f"2024-05-0{number - 6}T10:00:00Z"
            receive(conn, [delivery("issues", github.issue(action, number, created_at=at))])
        capture_all(conn)
        conn.commit()
    page = lightfast.json("timeline", "--limit", "1")
    assert [event["key"] for event in page["events"]] == ["github:issue:1#7"]
    assert page["before"] is None


def test_several_workspaces_ask_which_one(lightfast: Lightfast) -> None:
    assert "there is no workspace yet" in lightfast("timeline", exits=1).stderr
    for name in ("shop", "lab"):
        lightfast("workspace", "add", name)
    assert "say --workspace lab or shop" in lightfast("timeline", exits=1).stderr
    assert lightfast.json("timeline", "-w", "lab")["events"] == []


def _event(at: str, **changed: Any) -> Event:
    given: dict[str, Any] = {
        "occurred_at": datetime.fromisoformat(at),
        "actor": "Ann Lee",
        "author": None,
        "type": "pull-request.merged",
        "title": "[PR Merged] Add a cart",
        "key": "github:pr:1#5",
        "name": "#5 Add a cart",
        "repository": None,
        "url": None,
        "category": "feature",
        "significance": 75,
        "cluster": None,
        "observation": "abc",
    }
    return Event(**{**given, **changed})


def test_days_and_times_are_those_of_the_readers_time_zone() -> None:
    kiritimati = timezone(timedelta(hours=14), "+14")
    events = [_event("2026-05-19T11:00:00+00:00"), _event("2026-05-19T09:00:00+00:00")]
    assert list(lines_by_day(events, 80, lambda at: at.astimezone(kiritimati))) == [
        "Wednesday 20 May 2026 (+14)",
        "01:00*  Ann Lee  PR merged  #5 Add a cart",
        "",
        "Tuesday 19 May 2026 (+14)",
        "23:00*  Ann Lee  PR merged  #5 Add a cart",
    ]


def test_a_line_never_is_wider_than_the_terminal_or_obeys_a_text() -> None:
    event = _event(
        "2026-05-19T11:00:00+00:00",
        actor="漢字" * 40,
        title="[PR Merged] \x1b[2J\n" + "wide 漢字 " * 40,
        name=None,
    )
    heading, line = lines_by_day([event], 60, lambda at: at.astimezone(UTC))
    assert heading == "Tuesday 19 May 2026 (UTC)"
    assert line.isprintable()
    assert line.endswith("…")
    from rich.cells import cell_len

    assert cell_len(line) <= 60


def test_a_cursor_reads_back_what_it_wrote() -> None:
    cursor = Cursor(datetime(2026, 5, 19, 23, 30, 0, 123456, UTC), "-_abc")
    assert str(cursor) == "2026-05-19T23:30:00.123456Z/-_abc"
    assert read_cursor(str(cursor)) == cursor


@pytest.mark.parametrize(
    ("title", "kind", "key", "name", "words"),
    [
        ("[PR Merged] Add a cart", "", "github:pr:1#5", "#5 Add a cart", ("PR merged", "#5 Add a cart")),
        ("[PR Merged] Old", "", "github:pr:1#5", "#5 New title", ("PR merged", "Old")),
        ("[Review Approved] #5: Good", "", "github:pr:1#5", "#5 Add", ("review approved", "#5: Good")),
        ("[Commit] Fix it", "", "github:commit:0123456789ab", "Fix it", ("commit", "012345678 Fix it")),
        ("No bracket", "check-run.failed", "k", None, ("check run failed", "No bracket")),
        ("[Tag Created]", "", "github:tag:1:v1", "v1", ("tag created", "v1")),
    ],
)  # fmt: skip
def test_a_line_says_what_happened_and_names_the_thing(
    title: str, kind: str, key: str, name: str | None, words: tuple[str, str]
) -> None:
    assert words_of(title, kind, key, name) == words
