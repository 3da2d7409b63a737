"""`lightfast people`: what a person decides about identities lasts, and is undone completely."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from lightfast_pipelines.demo.report import WIDTH, kept_apart
from lightfast_pipelines.demo.story import PROVIDERS, as_lines, tell
from tests.cli.conftest import Lightfast
from tests.providers.github import payloads as github

WORK = "git:Ann Lee <ann@acme.dev>"
HOME = "git:moonlight <al@home.example>"
OTHER = "git:Ben Oz <ben@acme.dev>"
Write = Callable[[Sequence[dict[str, Any]]], str]


def _push(number: int, name: str, email: str) -> dict[str, Any]:
    commit = github.commit(
        f"Change part {number}", author=name, email=email, at=f"2024-05-02T10:{number:02}:00Z"
    )
    payload = github.push([commit], sender=None, installation_id=None)
    return {"event": "push", "delivery_id": f"push-{number}", "payload": payload}


def _deliver(lightfast: Lightfast, file_of: Write, *pushes: dict[str, Any], to: str = "w") -> None:
    lightfast("ingest", "-w", to, "-p", "github", file_of(pushes))
    lightfast("process")


@pytest.fixture
def history(lightfast: Lightfast, file_of: Write) -> Lightfast:
    """Ann commits from work and from home, and with two names from work; Ben commits as well."""
    lightfast("workspace", "add", "w")
    _deliver(
        lightfast,
        file_of,
        _push(1, "Ann Lee", "ann@acme.dev"),
        _push(2, "moonlight", "al@home.example"),
        _push(3, "ann", "ann@acme.dev"),
        _push(4, "Ben Oz", "ben@acme.dev"),
    )
    return lightfast


def _people(lightfast: Lightfast) -> set[frozenset[str]]:
    with lightfast.database.connect() as conn:
        rows = conn.execute(
            "SELECT array_agg(source_id) FROM lightfast.actor_identities GROUP BY org_id, actor_id"
        ).fetchall()
    return {frozenset(keys) for (keys,) in rows}


def _digest(lightfast: Lightfast) -> str:
    lightfast("process")
    return str(lightfast("digest").stdout)


def test_an_undone_merge_leaves_the_digest_from_before_it_and_is_not_made_again(
    history: Lightfast, file_of: Write
) -> None:
    before = _digest(history)
    accepted = history.json("people", "accept", WORK, HOME, "--note", "she said so")
    assert accepted["left"]["actor_id"] == accepted["right"]["actor_id"]
    assert _digest(history) != before
    undone = history.json("people", "undo", accepted["pair_id"])
    assert undone["left"]["actor_id"] != undone["right"]["actor_id"]
    assert _digest(history) == before
    history("rebuild", "--yes")
    assert _digest(history) == before
    # What arrives later for the same two identities does not join them either.
    _deliver(
        history,
        file_of,
        _push(5, "moonlight", "al@home.example"),
        _push(6, "Ann Lee", "ann@acme.dev"),
    )
    assert frozenset({"moonlight <al@home.example>"}) in _people(history)


def test_a_decision_outlives_a_rebuild(history: Lightfast) -> None:
    history("people", "accept", HOME, WORK)
    merged = _digest(history)
    ann = {"Ann Lee <ann@acme.dev>", "ann <ann@acme.dev>", "moonlight <al@home.example>"}
    assert ann in _people(history)
    history("rebuild", "--yes")
    assert _digest(history) == merged
    assert ann in _people(history)


def test_a_merge_by_a_rule_is_undone_by_the_id_that_show_lists(history: Lightfast) -> None:
    shown = history.json("people", "show", "ann@acme.dev")
    [person] = shown["people"]
    assert [each["method"] for each in person["identities"]] == ["commit_address"] * 2
    [pair] = {each["pair"] for each in person["identities"]}
    history("people", "undo", pair, "--by", "cora", "--note", "they share a desk")
    assert frozenset({"ann <ann@acme.dev>"}) in _people(history)
    undone = _digest(history)
    history("rebuild", "--yes")
    assert _digest(history) == undone
    shown = history.json("people", "show", "git:ann <ann@acme.dev>")
    assert [each["method"] for each in shown["people"][0]["identities"]] == ["alone"]
    [decision] = shown["decisions"]
    assert (decision["verdict"], decision["decided_by"], decision["note"]) == (
        *("undo", "cora", "they share a desk"),
    )


def test_the_latest_decision_about_a_pair_counts_and_none_is_forgotten(history: Lightfast) -> None:
    pair = history.json("people", "accept", WORK, HOME)["pair_id"]
    history("people", "reject", pair)
    assert frozenset({"moonlight <al@home.example>"}) in _people(history)
    history("people", "accept", pair)
    assert frozenset({"moonlight <al@home.example>"}) not in _people(history)
    decisions = history.json("people", "show", "moonlight")["decisions"]
    assert [(each["verdict"], each["is_latest"]) for each in decisions] == [
        ("accept", True), ("reject", False), ("accept", False),
    ]  # fmt: skip


def test_a_merge_against_an_earlier_decision_is_refused_and_changes_nothing(
    history: Lightfast,
) -> None:
    accepted = history.json("people", "accept", WORK, HOME)["pair_id"]
    apart = history.json("people", "reject", HOME, OTHER)["pair_id"]
    before = _people(history)
    # Either of the two accepted pairs can hold now, but not both.
    refused = history("people", "accept", WORK, OTHER, exits=1).stderr
    assert accepted in refused or apart in refused
    assert _people(history) == before
    assert len(history.json("people", "show", "ben@acme.dev")["decisions"]) == 1


def test_two_of_a_chain_of_accepted_pairs_are_not_taken_apart_in_silence(
    history: Lightfast,
) -> None:
    chain = [
        history.json("people", "accept", *pair)["pair_id"] for pair in ((WORK, HOME), (HOME, OTHER))
    ]
    before = _people(history)
    refused = history("people", "undo", WORK, OTHER, exits=1).stderr
    assert any(pair in refused for pair in chain)
    assert _people(history) == before


def test_a_decision_holds_for_its_organisation_alone(history: Lightfast, file_of: Write) -> None:
    history("workspace", "add", "theirs", "--org", "rival")
    elsewhere = [_push(1, "Ann Lee", "ann@acme.dev"), _push(2, "moonlight", "al@home.example")]
    for push in elsewhere:
        push["payload"]["repository"]["id"] = 2
        push["delivery_id"] += " of the rival"
    _deliver(history, file_of, *elsewhere, to="theirs")
    pair = history.json("people", "accept", WORK, HOME, "--org", "default")["pair_id"]
    history("rebuild", "--yes")
    history("process")
    assert frozenset({"moonlight <al@home.example>"}) in _people(history)
    assert history.json("people", "show", "moonlight", "--org", "rival")["decisions"] == []
    assert "no pair" in history("people", "undo", pair, "--org", "rival", exits=1).stderr


def test_several_with_one_name_are_listed_and_none_is_chosen(
    history: Lightfast, file_of: Write
) -> None:
    _deliver(history, file_of, _push(7, "Ben Oz", "x@other.example"))
    with history.database.connect() as conn:
        # Two people of one name, whatever the rules say about names.
        conn.execute(
            "UPDATE lightfast.actor_identities SET actor_id = source_id WHERE source_name = 'Ben Oz'"
        )
        conn.commit()
    refused = history("people", "accept", "Ben Oz", WORK, exits=1).stderr
    assert "git:Ben Oz <ben@acme.dev>; git:Ben Oz <x@other.example>" in refused
    # To undo needs one identity, not one person.
    refused = history("people", "undo", "ann@acme.dev", OTHER, exits=1).stderr
    assert "git:Ann Lee <ann@acme.dev>; git:ann <ann@acme.dev>" in refused
    assert history.json("people", "accept", "ann@acme.dev", HOME)["moved"] == 3


_MISTAKES = [
    (("accept",), 2, "Missing argument"),
    (("accept", WORK), 2, "two identities"),
    (("accept", WORK, " "), 2, "two identities"),
    (("accept", "0123456789"), 1, "no pair 0123456789"),
    (("accept", WORK, "nobody@acme.dev"), 1, "nobody in organisation default"),
    (("accept", WORK, WORK), 1, "same identity"),
    (("undo", WORK, OTHER), 1, "two people already"),
    (("show", "nobody"), 1, "nobody in organisation default"),
    (("show", ""), 2, "visible characters"),
    (("review", "--org", "elsewhere"), 1, "there are: default"),
]


def test_a_mistake_is_explained(history: Lightfast) -> None:
    for words, exits, says in _MISTAKES:
        # The frame around typer's messages wraps them.
        stderr = " ".join(history("people", *words, exits=exits).stderr.replace("│", " ").split())
        assert says in stderr, words


def test_a_part_of_a_name_shows_everybody_who_fits(history: Lightfast) -> None:
    shown = history.json("people", "show", "n")
    assert {each["name"] for each in shown["people"]} == {"Ann Lee", "Ben Oz", "moonlight"}
    assert "nothing joins it" in history("people", "show", "moonlight").stdout


def test_names_from_outside_cannot_control_the_terminal(history: Lightfast, file_of: Write) -> None:
    _deliver(history, file_of, _push(8, "Eve \x1b[2J\u202e", "eve@evil.example"))
    shown = history("people", "show", "eve@evil.example").stdout
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "\\x1b[2J" in shown


def test_the_demos_priya_becomes_one_person_by_the_commands_that_the_demo_prints(
    lightfast: Lightfast, tmp_path: Path
) -> None:
    story = tell(date(2026, 5, 20))
    lightfast("workspace", "add", "tale", "--org", "demo")
    for provider in PROVIDERS:
        path = tmp_path / f"{provider}.jsonl"
        path.write_bytes(as_lines(story.scenes, provider))
        lightfast("ingest", "-w", "tale", "-p", provider, str(path))
    lightfast("process")
    apart = lightfast.json("people", "show", "Priya Raman")["people"]
    assert {each["name"] for each in apart} == {"Priya Raman"}
    assert len(apart) == 3
    console = Console(width=WIDTH, file=io.StringIO(), highlight=False)
    with lightfast.database.connect() as conn:
        kept_apart(console, conn, "demo")
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    commands = [line.split()[1:] for line in lines if line.strip().startswith("lightfast people")]
    assert len(commands) >= 5
    for command in commands:
        lightfast(*command)
    [priya] = lightfast.json("people", "show", "Priya Raman")["people"]
    assert sorted(each["key"].partition(":")[0] for each in priya["identities"]) == [
        *("git", "github", "linear", "sentry", "vercel"),
    ]
