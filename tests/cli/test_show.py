"""A thing is shown with its states, edges, observations and cluster, a person with the profile."""

from __future__ import annotations

from typing import Any

import pytest

from lightfast_pipelines.store import thing_details
from tests.capture.deliveries import capture_all, delivery, receive
from tests.capture.provider_deliveries import linked
from tests.cli.conftest import STORY, Lightfast
from tests.providers.github import payloads as github

SHOP = STORY.shop.id


def _edges(shown: dict[str, Any]) -> dict[tuple[str, str], list[str]]:
    return {
        (edge["type"], edge["direction"]): [thing["key"] for thing in edge["things"]]
        for edge in shown["edges"]
    }


def test_a_pull_request_has_its_states_edges_people_observations_and_cluster(
    told: Lightfast,
) -> None:
    shown = told.json("show", "#51")
    assert (shown["key"], shown["category"]) == (f"github:pr:{SHOP}#51", "pull_request")
    assert shown["repository"] == STORY.shop.full_name
    assert [(s["state_type"], s["value"], s["changed_by"]) for s in shown["states"]] == [
        ("status", "merged", "Mira Okafor")
    ]
    assert [s["value"] for s in shown["history"]] == ["merged", "open"]
    edges = _edges(shown)
    assert edges["fixes", "out"][:2] == [
        f"github:issue:{SHOP}#47",
        f"github:issue:{STORY.payments.id}#7",
    ]
    assert len(edges["contains", "out"]) == 2
    assert [key.partition(":")[0] for key in edges["tracked_in", "in"]] == ["linear"]
    people = {person["name"]: person for person in shown["people"]}
    assert people["Priya Raman"]["is_author"]
    assert "pull-request.merged" in people["Mira Okafor"]["changes"]
    times = [observation["occurred_at"] for observation in shown["observations"]]
    assert times == sorted(times, reverse=True)
    assert len(times) == shown["mentions"]
    [cluster] = shown["clusters"]
    assert cluster["summary"]
    text = told("show", "#51").stdout
    for words in ("merged since 2026-05-19 23:30Z", "fixes ->", "<- tracked_in", cluster["label"]):
        assert words in text


def test_text_is_bounded_and_says_how_to_see_the_rest(told: Lightfast) -> None:
    text = told("show", "#51", "--limit", "1").stdout
    assert "and 1 more" in text  # of the two commits
    assert f"lightfast show 'github:pr:{SHOP}#51' -w {STORY.workspace} --limit 3" in text
    assert f"lightfast timeline --of 'github:pr:{SHOP}#51' -w {STORY.workspace}" in text
    shown = told.json("show", "#51", "--limit", "1")
    [fixes] = [edge for edge in shown["edges"] if edge["type"] == "fixes"]
    assert (fixes["total"], len(fixes["things"])) == (3, 1)
    assert len(shown["observations"]) == len(shown["history"]) == 1


def test_every_entity_of_the_story_is_shown(told: Lightfast) -> None:
    with told.database.connect() as conn:
        rows = conn.execute("SELECT key, category FROM lightfast.entities ORDER BY key").fetchall()
    # One of each category in text, the rest would take long.
    one_of_each = {category: key for key, category in rows}
    assert len(one_of_each) > 12
    for key in one_of_each.values():
        assert told("show", key).stdout


def test_a_person_is_found_by_name_login_key_and_account(told: Lightfast) -> None:
    [by_key] = told.json("show", "user:github:5100001")["people"]
    assert by_key["name"] == "Mira Okafor"
    page = "https://github.com/mira-okafor"
    for text in ("@mira-okafor", page, "github:5100001", by_key["actor_id"]):
        people = told.json("show", text)["people"]
        assert by_key["actor_id"] in {person["actor_id"] for person in people}
    assert by_key["observation_count"] > 0
    assert {area["name"] for area in by_key["expertise"]} >= {"web/checkout"}
    assert all("Mira Okafor" in (o["actor"], o["author"]) for o in by_key["observations"])
    text = told("show", "user:github:5100001").stdout
    assert text.startswith("Mira Okafor\nperson in")
    assert "lightfast timeline --by github:5100001" in text


def test_people_of_one_name_are_all_shown_and_of_different_names_listed(told: Lightfast) -> None:
    names = {person["name"] for person in told.json("show", "priya")["people"]}
    assert names == {"Priya Raman"}
    stderr = told("show", "a", exits=1).stderr
    assert "may mean one of these people" in stderr
    assert "Mira Okafor" in stderr


def test_what_nothing_is_known_about_says_what_can_be_written(told: Lightfast) -> None:
    assert "nothing is known about 'no such thing'" in told("show", "no such thing", exits=1).stderr
    payments = told("show", STORY.payments.full_name, exits=1).stderr
    assert "is linked, but no delivery was about the repository itself" in payments


def _captured(lightfast: Lightfast, *payloads: tuple[str, dict[str, Any]]) -> None:
    with lightfast.database.connect() as conn:
        linked(conn, "shop", ("github", "1"))
        receive(conn, [delivery(event, payload) for event, payload in payloads])
        capture_all(conn)
        conn.commit()


def test_a_stub_says_that_it_never_arrived(lightfast: Lightfast) -> None:
    _captured(lightfast, ("pull_request", github.pull_request(body="Part of #8")))
    text = lightfast("show", "#8").stdout
    assert "that never arrived itself: mentioned once" in text
    assert lightfast.json("show", "#8")["is_stub"]


def test_a_deleted_thing_says_so_and_shows_no_text_of_it(lightfast: Lightfast) -> None:
    _captured(
        lightfast,
        ("issues", github.issue(number=8, title="A secret plan")),
        ("issues", github.issue("deleted", number=8, title="A secret plan")),
    )
    shown = lightfast.json("show", "#8")
    assert (shown["is_deleted"], shown["observations"]) == (True, [])
    text = lightfast("show", "#8").stdout
    assert ", deleted " in text
    assert "Latest observations" not in text


def test_edges_of_a_thing_with_many_are_counted_up_to_a_bound(
    lightfast: Lightfast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thing_details, "MOST_READ", 3)
    _captured(
        lightfast,
        *(
            ("pull_request", github.pull_request(number=number, body="Part of #800"))
            for number in range(1, 6)
        ),
    )
    shown = lightfast.json("show", "#800")
    [edge] = [each for each in shown["edges"] if each["type"] == "references"]
    assert (edge["direction"], edge["total"], len(edge["things"])) == ("in", 3, 3)
