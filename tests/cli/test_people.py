"""`lightfast people`: what a person decides about identities lasts, and is undone completely."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from lightfast_pipelines.demo.report import WIDTH, kept_apart
from lightfast_pipelines.demo.story import PROVIDERS, as_lines, tell
from lightfast_pipelines.people.actors import decide_actors
from tests.capture.rows import Memory
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


def _deliver(lightfast: Lightfast, file_of: Write, *pushes: dict[str, Any]) -> None:
    lightfast("ingest", "-w", "w", "-p", "github", file_of(pushes))
    lightfast("process")


@pytest.fixture
def history(lightfast: Lightfast, file_of: Write) -> Lightfast:
    """Ann commits from work and from home, and with two names from work; Ben commits as well."""
    lightfast("workspace", "add", "w")
    _deliver(
        lightfast,
        file_of,
        *(_push(number, *person) for number, person in enumerate(_EVERYBODY)),
    )
    return lightfast


def _know(lightfast: Lightfast, *people: tuple[str, str], org: str = "default") -> None:
    """The organisation knows these names and addresses from commits, and has decided who they are."""
    with lightfast.database.connect() as conn:
        memory = Memory(conn, slug=org, org_id=org)
        for name, email in people:
            memory.identity("git", f"{name} <{email}>", source_name=name, source_email=email)
        decide_actors(conn, org, now=datetime(2024, 6, 1, tzinfo=UTC))
        conn.commit()


_EVERYBODY = (
    ("Ann Lee", "ann@acme.dev"),
    ("moonlight", "al@home.example"),
    ("ann", "ann@acme.dev"),
    ("Ben Oz", "ben@acme.dev"),
)


@pytest.fixture
def known(lightfast: Lightfast) -> Lightfast:
    """The same people as in `history`, without deliveries."""
    _know(lightfast, *_EVERYBODY)
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


def test_the_latest_decision_about_a_pair_counts_and_none_is_forgotten(known: Lightfast) -> None:
    pair = known.json("people", "accept", WORK, HOME)["pair_id"]
    known("people", "reject", pair)
    assert frozenset({"moonlight <al@home.example>"}) in _people(known)
    known("people", "accept", pair)
    assert frozenset({"moonlight <al@home.example>"}) not in _people(known)
    decisions = known.json("people", "show", "moonlight")["decisions"]
    assert [(each["verdict"], each["is_latest"]) for each in decisions] == [
        ("accept", True), ("reject", False), ("accept", False),
    ]  # fmt: skip


def test_a_merge_against_an_earlier_decision_is_refused_and_changes_nothing(
    known: Lightfast,
) -> None:
    accepted = known.json("people", "accept", WORK, HOME)["pair_id"]
    apart = known.json("people", "reject", HOME, OTHER)["pair_id"]
    before = _people(known)
    # Either of the two accepted pairs can hold now, but not both.
    refused = known("people", "accept", WORK, OTHER, exits=1).stderr
    assert accepted in refused or apart in refused
    assert _people(known) == before
    assert len(known.json("people", "show", "ben@acme.dev")["decisions"]) == 1


def test_two_of_a_chain_of_accepted_pairs_are_not_taken_apart_in_silence(
    known: Lightfast,
) -> None:
    chain = [
        known.json("people", "accept", *pair)["pair_id"] for pair in ((WORK, HOME), (HOME, OTHER))
    ]
    before = _people(known)
    refused = known("people", "undo", WORK, OTHER, exits=1).stderr
    assert any(pair in refused for pair in chain)
    assert _people(known) == before


def test_a_decision_holds_for_its_organisation_alone(known: Lightfast) -> None:
    _know(known, *_EVERYBODY, org="rival")
    pair = known.json("people", "accept", WORK, HOME, "--org", "default")["pair_id"]
    # Theirs are as they were: two names of one address, and two others.
    theirs = known.json("people", "show", "moonlight", "--org", "rival")
    assert [len(each["identities"]) for each in theirs["people"]] == [1]
    assert theirs["decisions"] == []
    assert "no pair" in known("people", "undo", pair, "--org", "rival", exits=1).stderr
    with known.database.connect() as conn:
        decide_actors(conn, "rival", now=datetime(2024, 6, 2, tzinfo=UTC))
        conn.commit()
    assert frozenset({"moonlight <al@home.example>"}) in _people(known)


def test_several_organisations_need_a_choice(lightfast: Lightfast) -> None:
    for org in ("ours", "theirs"):
        _know(lightfast, *_EVERYBODY, org=org)
    assert "ours, theirs" in lightfast("people", "review", exits=1).stderr
    assert lightfast.json("people", "review", "--org", "ours") == []


def test_several_with_one_name_are_listed_and_none_is_chosen(lightfast: Lightfast) -> None:
    _know(lightfast, *_EVERYBODY, ("Ben Oz", "x@other.example"))
    with lightfast.database.connect() as conn:
        # Two people of one name, whatever the rules say about names.
        conn.execute(
            "UPDATE lightfast.actor_identities SET actor_id = source_id WHERE source_name = 'Ben Oz'"
        )
        conn.commit()
    refused = lightfast("people", "accept", "Ben Oz", WORK, exits=1).stderr
    assert "git:Ben Oz <ben@acme.dev>; git:Ben Oz <x@other.example>" in refused
    # To undo needs one identity, not one person.
    refused = lightfast("people", "undo", "ann@acme.dev", OTHER, exits=1).stderr
    assert "git:Ann Lee <ann@acme.dev>; git:ann <ann@acme.dev>" in refused
    accepted = lightfast.json("people", "accept", "ann@acme.dev", HOME)
    assert accepted["left"]["actor_id"] == accepted["right"]["actor_id"]


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


def test_a_mistake_is_explained(known: Lightfast) -> None:
    for words, exits, says in _MISTAKES:
        # The frame around typer's messages wraps them.
        stderr = " ".join(known("people", *words, exits=exits).stderr.replace("│", " ").split())
        assert says in stderr, words


def test_a_part_of_a_name_shows_everybody_who_fits(known: Lightfast) -> None:
    shown = known.json("people", "show", "n")
    assert {each["name"] for each in shown["people"]} == {"Ann Lee", "Ben Oz", "moonlight"}
    assert "nothing joins it" in known("people", "show", "moonlight").stdout


def test_names_from_outside_cannot_control_the_terminal(lightfast: Lightfast) -> None:
    _know(lightfast, ("Eve \x1b[2J\u202e\nAnn Lee (person), 1 identity", "eve@evil.example"))
    shown = lightfast("people", "show", "eve@evil.example").stdout
    assert len(shown.splitlines()) == 3
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "\\x1b[2J" in shown


@pytest.fixture
def tale(lightfast: Lightfast, tmp_path: Path) -> Lightfast:
    """The demo's story, in which a name connects the accounts of several providers."""
    story = tell(date(2026, 5, 20))
    lightfast("workspace", "add", "tale", "--org", "demo")
    for provider in PROVIDERS:
        path = tmp_path / f"{provider}.jsonl"
        path.write_bytes(as_lines(story.scenes, provider))
        lightfast("ingest", "-w", "tale", "-p", provider, str(path))
    lightfast("process")
    return lightfast


def test_a_rejected_pair_leaves_the_review_list_for_good(tale: Lightfast) -> None:
    before = _digest(tale)
    listed = tale.json("people", "review")
    sure = [pair["confidence"] for pair in listed]
    assert sure == sorted(sure, reverse=True)
    assert all(pair["evidence"] for pair in listed)
    assert listed[0]["id"] in tale("people", "review", "--limit", "1").stdout
    tale("people", "reject", listed[0]["id"], "--by", "cora")
    # They were two people before, too.
    assert _digest(tale) == before
    tale("rebuild", "--yes")
    assert _digest(tale) == before
    left = {pair["id"] for pair in tale.json("people", "review")}
    assert left == {pair["id"] for pair in listed[1:]}


def test_the_demos_priya_becomes_one_person_by_the_commands_that_the_demo_prints(
    tale: Lightfast,
) -> None:
    apart = tale.json("people", "show", "Priya Raman")["people"]
    assert {each["name"] for each in apart} == {"Priya Raman"}
    assert len(apart) == 3
    console = Console(width=WIDTH, file=io.StringIO(), highlight=False)
    with tale.database.connect() as conn:
        kept_apart(console, conn, "demo")
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    commands = [line.split()[1:] for line in lines if line.strip().startswith("lightfast people")]
    assert len(commands) >= 5
    for command in commands:
        tale(*command)
    [priya] = tale.json("people", "show", "Priya Raman")["people"]
    assert sorted(each["key"].partition(":")[0] for each in priya["identities"]) == [
        *("git", "github", "linear", "sentry", "vercel"),
    ]
