"""How `lightfast show` finds and prints a person."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from lightfast_pipelines.cli.console import on_one_line, say, show
from lightfast_pipelines.cli.lines import moment_of, print_field, print_lines
from lightfast_pipelines.cli.persons import persons_meant
from lightfast_pipelines.cli.wording import observations, told

if TYPE_CHECKING:
    from lightfast_pipelines.store.database import Connection
    from lightfast_pipelines.store.linked_resources import Workspace
    from lightfast_pipelines.store.person_details import PersonDetails
    from lightfast_pipelines.store.things import NamedThing
    from lightfast_pipelines.store.timeline import Event

# The page of an account: https://github.com/ann
_PAGE = re.compile(r"https?://[\w.-]+/(?P<login>[\w-]+)/?")
_MOST_AREAS = 10
_MOST_COLLABORATORS = 6


@dataclass(frozen=True, slots=True)
class ShownPerson:
    details: PersonDetails
    events: list[Event]


def find_persons(
    conn: Connection,
    text: str,
    things: Sequence[NamedThing],
    workspaces: Sequence[Workspace],
    most: int,
) -> list[ShownPerson]:
    """The person whose account the thing is, or, if there is no thing, those whom the text names."""
    from lightfast_pipelines.store.person_details import actor_of_user, workspaces_of

    if things:
        [thing] = things
        if thing.category != "user":
            return []
        actor = actor_of_user(conn, thing.workspace.org_id, thing.key)
        actors, places = [actor] if actor is not None else [], [thing.workspace]
    else:
        page = _PAGE.fullmatch(text)
        login = page["login"] if page else text
        found = persons_meant(conn, login, [each.org_id for each in workspaces])
        actors = [each.actor_id for each in found]
        active = workspaces_of(conn, actors, [each.id for each in workspaces])
        places = [each for each in workspaces if each.id in active] or list(workspaces)
    read = (_read(conn, place.id, actor, most) for place in places for actor in actors)
    return [person for person in read if person is not None]


def _read(conn: Connection, workspace: int, actor: str, most: int) -> ShownPerson | None:
    from lightfast_pipelines.store.person_details import read_person
    from lightfast_pipelines.store.timeline import Wanted, identities_of, read_timeline

    details = read_person(conn, workspace, actor)
    if details is None:
        return None
    wanted = Wanted(workspace, identities=identities_of(conn, [actor]))
    return ShownPerson(details, read_timeline(conn, wanted, most))


def person_as_json(person: ShownPerson) -> dict[str, Any]:
    return {
        **asdict(person.details),
        "observations": [asdict(event) for event in person.events],
    }


def print_persons(persons: Sequence[ShownPerson]) -> None:
    for place, person in enumerate(persons):
        if place:
            show()
        _print_person(person)
    if len({person.details.actor_id for person in persons}) > 1:
        say("\nall of these have that name; `lightfast people review` says who may be one person")


def _print_person(person: ShownPerson) -> None:
    details = person.details
    show(on_one_line(details.name))
    kind = "account of an unknown kind" if details.kind == "unknown" else details.kind
    show(f"{kind} in {details.workspace}")
    print_field("accounts", ", ".join(_account(each.key, each.login) for each in details.accounts))
    if details.last_active_at is not None:
        count = observations(details.observation_count)
        zone = f", probably in {details.time_zone}" if details.time_zone else ""
        print_field("active", f"{count}, the last {moment_of(details.last_active_at)}Z{zone}")
    if details.expertise:
        # Labels of several repositories may have one name, and the root of a repository has none.
        areas = dict.fromkeys(each.name for each in details.expertise if each.name != ".")
        print_field("works on", _some(list(areas), _MOST_AREAS))
    if details.contributions:
        shares = (
            f"{kind.replace('_', ' ')} {share:.0%}" for kind, share in details.contributions.items()
        )
        print_field("does", ", ".join(shares))
    if details.collaborators:
        print_field(
            "with",
            _some([_collaborator(each) for each in details.collaborators], _MOST_COLLABORATORS),
        )
    if person.events:
        show("\nLatest observations (UTC)")
        rows = []
        for event in person.events:
            what, text = told(event.title, event.type, event.key, event.name)
            rows.append((moment_of(event.occurred_at), what, text))
        print_lines(("TIME", "WHAT", "TITLE"), rows)
        if details.observation_count > len(person.events):
            show(f"more: lightfast timeline --by {_handle(details)} -w {details.workspace}")


def _handle(details: PersonDetails) -> str:
    """What names this person and nobody else: an account, or the actor, whose id may change."""
    accounts = [each.key for each in details.accounts if not each.key.startswith("git:")]
    return shlex.quote(on_one_line(accounts[0] if accounts else details.actor_id))


def _account(key: str, login: str | None) -> str:
    return f"{key} ({login})" if login and login not in key else key


def _collaborator(each: dict[str, Any]) -> str:
    kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(each["kinds"].items()))
    return f"{each['display_name']} ({kinds})"


def _some(texts: Sequence[str], most: int) -> str:
    more = len(texts) - most
    return ", ".join(texts[:most]) + (f", and {more} more" if more > 0 else "")
