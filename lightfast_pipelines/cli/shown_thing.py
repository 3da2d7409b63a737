"""How `lightfast show` prints a thing."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from lightfast_pipelines.cli.console import on_one_line, show
from lightfast_pipelines.cli.lines import moment_of, print_field, print_lines
from lightfast_pipelines.cli.wording import observations, told

if TYPE_CHECKING:
    from lightfast_pipelines.store.thing_details import (
        Edges,
        Participant,
        StateOfThing,
        ThingDetails,
    )

MOST = 1_000
"""Of each list no more can be shown: `store/thing_details.py` reads no more."""
_MOST_PEOPLE = 6
# Edges that say little come last.
_WEAK = ("on_branch", "mentions", "co_occurs")


def thing_as_json(details: ThingDetails, most: int) -> dict[str, Any]:
    header, deletion = details.header, details.deletion
    return {
        **asdict(header),
        "repository": details.repository,
        "is_deleted": deletion is not None,
        "people": [asdict(each) for each in details.participants],
        "states": [asdict(each) for each in details.states if each.is_current],
        "history": [asdict(each) for each in details.states[:most]],
        "edges": [
            {
                "type": each.type,
                "direction": "out" if each.forward else "in",
                "total": each.total,
                "things": [asdict(neighbour) for neighbour in each.neighbours],
            }
            for each in _ordered(details.edges)
        ],
        "observations": [asdict(each) for each in details.latest],
        "clusters": [asdict(each) for each in details.clusters],
    }


def print_thing(details: ThingDetails, most: int) -> None:
    _print_header(details)
    key = shlex.quote(on_one_line(details.header.key))
    command = f"lightfast show {key} -w {details.header.workspace}"
    _print_states(details.states, most, command)
    _print_edges(details.edges, command)
    if details.deletion is None:
        _print_latest(details)


def _print_header(details: ThingDetails) -> None:
    header, deletion = details.header, details.deletion
    show(on_one_line(header.name or header.key))
    kind = header.category.replace("_", " ")
    where = f" in {on_one_line(details.repository)}" if details.repository else ""
    now = [state for state in details.states if state.is_current and state.state_type == "status"]
    status = f", {now[0].value} since {moment_of(now[0].valid_from)}Z" if now else ""
    if header.is_stub:
        times = "once" if header.mentions == 1 else f"{header.mentions:,} times"
        status = f" that never arrived itself: mentioned {times}"
    if deletion is not None:
        by = f" by {on_one_line(deletion.changed_by)}" if deletion.changed_by else ""
        status = f", deleted {moment_of(deletion.valid_from)}Z{by}"
    show(f"{kind}{where}{status}")
    print_field("key", header.key)
    if header.url:
        print_field("url", header.url)
    if details.participants:
        print_field("people", _people(details.participants, header.category))
    print_field("seen", _seen(details))
    if deletion is not None:
        print_field(
            "", f"no view and no search shows them; `lightfast why {header.key}` lists them"
        )
        return
    for cluster in details.clusters:
        count = observations(cluster.observation_count)
        print_field("cluster", f"{cluster.label} ({cluster.status}, {count})")
        if cluster.summary:
            print_field("", cluster.summary)


def _seen(details: ThingDetails) -> str:
    header = details.header
    first, last = moment_of(header.first_seen_at), moment_of(header.last_seen_at)
    when = f"{first}Z" if first == last else f"{first}Z to {last}Z"
    return f"{when}, in {observations(header.mentions)}"


def _people(participants: Sequence[Participant], category: str) -> str:
    own = f"{category.replace('_', '-')}."
    told_of = []
    for each in participants[:_MOST_PEOPLE]:
        changes = [
            change.removeprefix(own).replace(".", " ").replace("-", " ") for change in each.changes
        ]
        did = ", ".join(dict.fromkeys(["author"] * each.is_author + changes))
        told_of.append(f"{each.name} ({did})")
    more = len(participants) - _MOST_PEOPLE
    return "; ".join(told_of) + (f"; and {more} more" if more > 0 else "")


def _print_states(states: Sequence[StateOfThing], most: int, command: str) -> None:
    if not states:
        return
    show("\nStates (UTC)")
    rows = [
        (
            moment_of(state.valid_from),
            moment_of(state.valid_to) if state.valid_to else "now" if state.is_current else "",
            state.state_type.replace("_", " "),
            state.changed_by,
            _value(state),
        )
        for state in states[:most]
    ]
    print_lines(("FROM", "TO", "STATE", "BY", "VALUE"), rows)
    _say_more(len(states) - most, command, most)


def _value(state: StateOfThing) -> str:
    value = state.value
    if state.value_name and state.value_name.lower() != value.lower():
        value = state.value_name if ":" in value else f"{value} ({state.value_name})"
    # What happened is said by the observation.
    change = (state.observation_type or "").rpartition(".")[2]
    is_known = state.reason is None or state.reason in (state.value, change)
    return value if is_known else f"{value}, {state.reason}"


def _ordered(edges: Sequence[Edges]) -> list[Edges]:
    return sorted(edges, key=lambda each: (each.type in _WEAK, not each.forward, each.type))


def _print_edges(edges: Sequence[Edges], command: str) -> None:
    if not edges:
        return
    show("\nEdges")
    rows: list[tuple[str, str, str]] = []
    hidden = 0
    for each in _ordered(edges):
        edge = f"{each.type} ->" if each.forward else f"<- {each.type}"
        for neighbour in each.neighbours:
            kind = neighbour.category.replace("_", " ")
            name = neighbour.name or neighbour.key
            if neighbour.category == "commit":
                name = f"{neighbour.key.rpartition(':')[2][:9]} {name}"
            status = f" ({neighbour.status})" if neighbour.status else ""
            rows.append((edge, kind, f"{name}{status}"))
        if (more := each.total - len(each.neighbours)) > 0:
            least = "at least " if each.total >= MOST else ""
            rows.append((edge, "", f"and {least}{more:,} more"))
            hidden = max(hidden, each.total)
    print_lines(("EDGE", "KIND", "NAME"), rows)
    if hidden:
        show(f"all: {command} --limit {min(hidden, MOST)}")


def _print_latest(details: ThingDetails) -> None:
    if not details.latest:
        return
    show("\nLatest observations (UTC)")
    rows = []
    for each in details.latest:
        what, text = told(each.title, each.type, each.key, each.name)
        rows.append((moment_of(each.occurred_at), each.actor or each.author or "-", what, text))
    print_lines(("TIME", "WHO", "WHAT", "TITLE"), rows)
    if (more := details.header.mentions - len(details.latest)) > 0:
        key = shlex.quote(on_one_line(details.header.key))
        show(f"and {more:,} more: lightfast timeline --of {key} -w {details.header.workspace}")


def _say_more(more: int, command: str, most: int) -> None:
    if more > 0:
        show(f"and {more:,} more: {command} --limit {min(more + most, MOST)}")
