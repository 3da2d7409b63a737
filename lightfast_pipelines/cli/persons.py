"""How a command finds the person that somebody names: by login, name, address or key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lightfast_pipelines.cli.console import on_one_line
from lightfast_pipelines.cli.root import Failure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lightfast_pipelines.people.identities_named import KnownIdentity
    from lightfast_pipelines.store.database import Connection

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class NamedPerson:
    """An actor that fits a name, with the identity that does."""

    actor_id: str
    name: str
    identity: str
    login: str | None


def persons_meant(
    conn: Connection, text: str, organisations: Sequence[str], *, partly: bool = True
) -> list[NamedPerson]:
    """The persons of these organisations whom the text fits best, all of one name.

    The rules do not always know that two accounts are one person: then a name stands for both. Raises
    Failure if it fits people of different names.
    """
    from lightfast_pipelines.people.identities_named import identities_named

    persons: dict[str, NamedPerson] = {}
    for organisation in sorted(set(organisations)):
        for identity in identities_named(conn, organisation, text, partly=partly):
            if identity.actor_id is not None and identity.actor_id not in persons:
                persons[identity.actor_id] = _person(identity.actor_id, identity)
    found = list(persons.values())
    if len({each.name for each in found}) > 1:
        lines = [
            f"  {on_one_line(each.identity)}  {on_one_line(each.name)}" for each in found[:_SHOWN]
        ]
        more = [f"  and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
        several = f"{text!r} may mean one of these people; say which:"
        raise Failure("\n".join([several, *lines, *more]))
    return found


def _person(actor_id: str, identity: KnownIdentity) -> NamedPerson:
    return NamedPerson(actor_id, identity.actor_name or identity.key, identity.key, identity.login)
