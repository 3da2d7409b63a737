"""Looks up what a question names: entities, people, and when a release happened."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lightfast_pipelines.domain.written_names import names_anywhere
from lightfast_pipelines.people.identities_named import identities_named
from lightfast_pipelines.search.understanding import Understood
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.linked_resources import Workspace
from lightfast_pipelines.store.things import things_named

_CAPITALISED = re.compile(r"[A-Z][^\W\d_]+")
_AROUND = ".,;:!?()[]\"'"
_MOST_WORDS_OF_NAMES = 60
# A short name may mean several things: as many are followed.
_MOST_MEANT = 5


class UnknownPersonError(ValueError):
    """A filter names a person whom nobody knows; the message says whom."""


@dataclass(frozen=True, slots=True)
class MeantEntity:
    """An entity that the question names."""

    id: int
    key: str
    category: str
    occurrences: int


@dataclass(frozen=True, slots=True)
class MeantPerson:
    """A person whom the question names, with all their identities."""

    actor_id: str
    name: str
    identities: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Meant:
    """What the names in a question stand for in a workspace."""

    entities: tuple[MeantEntity, ...] = ()
    people: tuple[MeantPerson, ...] = ()
    unknown: tuple[str, ...] = ()
    is_named: bool = False
    """Whether the question refers to something that is there: a number, an identifier, a person."""
    since: datetime | None = None
    before: datetime | None = None


def resolve(conn: Connection, workspace: Workspace, understood: Understood) -> Meant:
    entities, unknown = _entities(conn, workspace, understood)
    people = _people(conn, workspace.org_id, understood)
    is_referred = any(name not in unknown for name in understood.names)
    since, before = [understood.since], [understood.before]
    for span in understood.releases:
        assert span.release is not None
        happened = _release_time(conn, workspace.id, span.release)
        if happened is None:
            unknown.append(f"release {span.release}")
        elif span.is_after_release:
            since.append(happened)
        else:
            before.append(happened)
    return Meant(
        entities=tuple(entities),
        people=tuple(people),
        unknown=tuple(unknown),
        is_named=is_referred or bool(people),
        since=max(filter(None, since), default=None),
        before=min(filter(None, before), default=None),
    )


def identities_of_people(conn: Connection, org_id: str, people: Iterable[str]) -> list[int]:
    """The identities of all these people. Raises UnknownPersonError."""
    actors: list[str] = []
    keys: list[str] = []
    for name in people:
        known = identities_named(conn, org_id, name, partly=True)
        if not known:
            raise UnknownPersonError(
                f"nobody is known as {name!r}: `lightfast people list` lists people"
            )
        actors += [each.actor_id for each in known if each.actor_id]
        keys += [each.key for each in known]
    rows = conn.execute(
        """
        SELECT id FROM lightfast.actor_identities
        WHERE org_id = %s AND (actor_id = ANY(%s) OR source || ':' || source_id = ANY(%s)) ORDER BY id
        """,
        (org_id, actors, keys),
    )
    return [row[0] for row in rows]


def _entities(
    conn: Connection, workspace: Workspace, understood: Understood
) -> tuple[list[MeantEntity], list[str]]:
    keys = {name: [each.key for each in names_anywhere(name)] for name in understood.names}
    keys.update({key: [key] for key in understood.keys})
    found = _by_keys(conn, workspace.id, [key for some in keys.values() for key in some])
    meant: dict[int, MeantEntity] = {}
    unknown: list[str] = []
    for name, some in keys.items():
        here = [entity for key in some for entity in found.get(key, ())]
        if not here and name in understood.names:
            things = things_named(conn, name, [workspace])[:_MOST_MEANT]
            here = [
                entity
                for entities in _by_keys(
                    conn, workspace.id, [thing.key for thing in things]
                ).values()
                for entity in entities
            ]
            if not here:
                unknown.append(name)
        meant.update({entity.id: entity for entity in here})
    return list(meant.values()), unknown


def _by_keys(conn: Connection, workspace: int, keys: Sequence[str]) -> dict[str, list[MeantEntity]]:
    """Key or alias -> the entities that have it or claim it."""
    if not keys:
        return {}
    rows = conn.execute(
        """
        SELECT e.key, e.id, e.key, e.category, e.occurrence_count
        FROM unnest(%(keys)s::text[]) k
        JOIN lightfast.entities e ON e.workspace_id = %(workspace)s AND e.key = k COLLATE "C"
        UNION
        SELECT a.alias, e.id, e.key, e.category, e.occurrence_count
        FROM unnest(%(keys)s::text[]) k
        JOIN lightfast.entity_aliases a ON a.workspace_id = %(workspace)s AND a.alias = k COLLATE "C"
        JOIN lightfast.entities e ON e.id = a.entity_id
        ORDER BY 2
        """,
        {"workspace": workspace, "keys": list(keys)},
    )
    found: dict[str, list[MeantEntity]] = {}
    for name, *entity in rows:
        found.setdefault(name, []).append(MeantEntity(*entity))
    return found


def _people(conn: Connection, org_id: str, understood: Understood) -> list[MeantPerson]:
    """Those whose login follows an `@`, and those whose whole name or first name is in the text."""
    words = [word.strip(_AROUND) for word in understood.words.removesuffix("'s").split()]
    words = [word.removesuffix("'s").removesuffix("\u2019s") for word in words][
        :_MOST_WORDS_OF_NAMES
    ]
    whole = [
        " ".join(words[start : start + length])
        for length in (2, 3)
        for start in range(len(words) - length + 1)
    ]
    rows: list[tuple[Any, ...]] = conn.execute(
        """
        SELECT a.id, a.display_name, ARRAY(
          SELECT i.id FROM lightfast.actor_identities i
          WHERE i.actor_id = a.id AND i.org_id = %(org)s ORDER BY i.id)
        FROM lightfast.actors a
        WHERE a.org_id = %(org)s AND (
          a.display_name = ANY(%(whole)s)
          OR (a.kind <> 'bot' AND cardinality(%(first)s::text[]) > 0
              AND a.display_name LIKE '%% %%' AND split_part(a.display_name, ' ', 1) = ANY(%(first)s))
          OR (cardinality(%(logins)s::text[]) > 0 AND a.id IN (
            SELECT actor_id FROM lightfast.actor_identities
            WHERE org_id = %(org)s AND lower(source_username) = ANY(%(logins)s))))
        ORDER BY 1 LIMIT 10
        """,
        {
            "org": org_id,
            # As it is written, and as names are: `ada kern`.
            "whole": [*whole, *(each.title() for each in whole)],
            "first": [word for word in words if _CAPITALISED.fullmatch(word)],
            "logins": [login.lower() for login in understood.logins],
        },
    ).fetchall()
    return [MeantPerson(actor, name, tuple(identities)) for actor, name, identities in rows]


def _release_time(conn: Connection, workspace: int, name: str) -> datetime | None:
    """When the release or tag was first there; `1.4` also means `v1.4` and `1.4.0`."""
    bare = name.removeprefix("v")
    names = [form for base in (bare, f"v{bare}") for form in (base, f"{base}.0")]
    row = conn.execute(
        """
        SELECT min(f.occurred_at)
        FROM lightfast.entities e
        JOIN lightfast.observation_facts f
          ON f.workspace_id = e.workspace_id AND f.subject_key = e.key AND NOT f.is_deleted
        WHERE e.workspace_id = %s AND e.category IN ('release', 'tag')
          AND (e.value = ANY(%s) OR reverse(split_part(reverse(e.key), ':', 1)) = ANY(%s))
        """,
        (workspace, names, names),
    ).fetchone()
    return row[0] if row else None
