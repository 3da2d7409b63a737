"""Names of accounts that only their commits name.

Vercel's webhooks identify an account by its id alone, and capture names it after the author of the commits
whose pushes it deployed. Such a name only shows the account. It is not evidence of who it is, as nobody vouches
for it. If several people wrote those commits, the account keeps its own name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from lightfast_pipelines.domain.people.identities import Actor
from lightfast_pipelines.store.database import Connection


@dataclass(frozen=True, slots=True)
class CommitAuthors:
    """Who wrote the commits: `authors` are keys of identities, `names` counts different names."""

    authors: frozenset[str | None]
    names: int


def commit_authors(conn: Connection, org_id: str) -> dict[str, CommitAuthors]:
    """By the key of each account that commits name."""
    rows = conn.execute(
        """
        SELECT i.source || ':' || i.source_id,
               array_agg(DISTINCT author.source || ':' || author.source_id),
               count(DISTINCT lower(m.name))
        FROM lightfast.actor_identities i
        JOIN lightfast.identity_mentions m ON m.identity_id = i.id AND m.name IS NOT NULL
        JOIN lightfast.observations o ON o.id = m.observation_id
        LEFT JOIN lightfast.actor_identities author ON author.id = o.author_identity_id
        WHERE i.org_id = %s AND i.source = 'vercel'
        GROUP BY i.id
        """,
        (org_id,),
    ).fetchall()
    return {key: CommitAuthors(frozenset(authors), names) for key, authors, names in rows}


def name_after_authors(actors: Sequence[Actor], named: Mapping[str, CommitAuthors]) -> list[Actor]:
    """The actors, with an account that nothing joins to a person shown by its only author's name."""
    if not named:
        return list(actors)
    actor_of = {member.identity.key: actor for actor in actors for member in actor.members}
    shown = []
    for actor in actors:
        commits = named.get(actor.members[0].identity.key) if len(actor.members) == 1 else None
        if commits is not None and None not in commits.authors:
            people = {actor_of[key].id: actor_of[key] for key in commits.authors if key}
            if len(people) == 1:
                (person,) = people.values()
                shown.append(replace(actor, display_name=person.display_name))
                continue
        shown.append(actor)
    return shown
