"""Writes mentions: which entity an observation names, in which role; under its key or under a stub."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import NamedTuple

from lightfast_pipelines.capture.facts import Fact
from lightfast_pipelines.capture.writers.entities import (
    Numbers,
    add_numbers,
    count_again,
    ensure_entities,
)
from lightfast_pipelines.capture.writers.rows import (
    Differences,
    delete_rows,
    differences,
    insert_rows,
)
from lightfast_pipelines.capture.writers.stub_moves import EdgeRow
from lightfast_pipelines.capture.writers.stub_names import (
    WorkspaceKey,
    add_claims,
    add_lookups,
    stubs_of_commits,
)
from lightfast_pipelines.capture.writers.stub_timelines import Stub, stub_of
from lightfast_pipelines.capture.writers.stubs import Resolved, resolve
from lightfast_pipelines.domain.key_categories import is_stub
from lightfast_pipelines.store.database import Connection

_COMMIT = "github:commit:"


class EntityMention(NamedTuple):
    """What an observation states of an entity, without the keys (observation, role, stated key)."""

    evidence: str | None
    confidence: float
    extractor: str
    stated_value: str | None
    stated_url: str | None
    stated_aliases: tuple[str, ...]


EntityMentionKey = tuple[int, str, str]
_MENTION_KEY = {"observation_id": "bigint", "role": "text", "stated_key": "text"}


@dataclass(frozen=True, slots=True)
class WrittenMentions:
    """What stands where after the mentions are written, for the edges that follow."""

    entity_ids: Mapping[WorkspaceKey, int]
    resolved: Resolved
    stubs: Mapping[tuple[int, str], Stub]
    edges: frozenset[EdgeRow]
    mentions: int
    entities: int
    named: Sequence[WorkspaceKey]

    def edge_end(self, observation: int, workspace: int, key: str, at: datetime) -> int | None:
        """The entity at an end of an observation's edge; None where it is ambiguous or nothing.

        `at` is when the observation's text was written."""
        if is_stub(key):
            standing = self.resolved.at(self.stubs[observation, key], at)
            return None if standing.is_ambiguous else standing.entity_id
        return self.entity_ids[workspace, key]


def write_mentions(
    conn: Connection,
    facts: Mapping[int, Fact],
    known: Mapping[int, int],
    moved: Set[int],
    renamed: Set[WorkspaceKey] = frozenset(),
) -> WrittenMentions:
    """Writes the mentions of the facts (observation id -> fact).

    `known` are the observations that had rows before (id -> workspace), whether they go on or not;
    `renamed` are stubs whose names may mean another place than before.
    """
    workspaces = {observation: fact.workspace.id for observation, fact in facts.items()} | dict(
        known
    )
    new = {
        (observation, mention.role, mention.thing.key): EntityMention(
            mention.evidence,
            round(mention.confidence, 4),
            mention.extractor,
            mention.thing.name,
            mention.thing.url,
            tuple(sorted(set(mention.thing.aliases))),
        )
        for observation, fact in facts.items()
        for mention in fact.enriched.mentions
    }
    old, left = _load(conn, sorted(known))
    changed = differences(old, new, moved)
    stated = {(workspaces[key[0]], key[2]) for key in new if not is_stub(key[2])}
    stubs = {
        (observation, key): stub_of(workspaces[observation], key, row.stated_aliases)
        for (observation, _, key), row in sorted(new.items(), key=itemgetter(0), reverse=True)
        if is_stub(key)
    }
    entity_ids, made = ensure_entities(conn, list(stated))
    every = {
        stub_of(workspaces[key[0]], key[2], row.stated_aliases)
        for key, row in new.items()
        if is_stub(key[2])
    }
    resolved = _resolve(conn, changed, workspaces, every, entity_ids, made, renamed)

    def entity_of(mention: EntityMentionKey, row: EntityMention) -> int | None:
        observation, _, key = mention
        if not is_stub(key):
            return entity_ids[workspaces[observation], key]
        stub = stub_of(workspaces[observation], key, row.stated_aliases)
        return resolved.at(stub, facts[observation].statement.read_at).entity_id

    entities = {key: entity_of(key, row) for key, row in changed.added.items()}
    placed = {key: entity for key, entity in entities.items() if entity is not None}
    add_numbers(conn, _numbers(facts, changed, placed))
    _write_rows(conn, changed, entities, workspaces)
    earlier = set(known)
    again = set(resolved.entities) | {left[key] for key in changed.removed if key in left}
    again |= {entity for key, entity in placed.items() if key[0] in earlier}
    after = count_again(conn, again)
    named = {
        (workspaces[key[0]], key[2])
        for key, row in [*changed.added.items(), *changed.removed.items()]
        if row.stated_value is not None
    }
    named |= {
        (fact.workspace.id, change.thing.key)
        for fact in facts.values()
        for change in fact.statement.states
    }
    return WrittenMentions(
        entity_ids,
        Resolved({**resolved.standing, **after.standing}, resolved.entities, resolved.edges),
        stubs,
        resolved.edges | after.edges,
        len(placed),
        len(set(placed.values())),
        sorted(named),
    )


def _resolve(
    conn: Connection,
    changed: Differences[EntityMentionKey, EntityMention],
    workspaces: Mapping[int, int],
    stubs: Set[Stub],
    entity_ids: Mapping[WorkspaceKey, int],
    made: Iterable[WorkspaceKey],
    renamed: Set[WorkspaceKey],
) -> Resolved:
    """Records claims and references of the new rows; decides the stubs that they concern."""
    lookups: dict[WorkspaceKey, set[str]] = defaultdict(set)
    claims: dict[tuple[int, int], set[str]] = defaultdict(set)
    for (observation, _, key), row in changed.added.items():
        place = (workspaces[observation], key)
        if is_stub(key):
            lookups[place].update(row.stated_aliases)
        elif row.stated_aliases:
            claims[place[0], entity_ids[place]].update(row.stated_aliases)
    add_lookups(conn, lookups)
    commits = [(w, key[len(_COMMIT) :]) for w, key in made if key.startswith(_COMMIT)]
    waiting = add_claims(conn, claims) | stubs_of_commits(conn, commits)
    return resolve(conn, stubs, waiting | renamed)


def _load(
    conn: Connection, observations: Sequence[int]
) -> tuple[dict[EntityMentionKey, EntityMention], dict[EntityMentionKey, int]]:
    """(rows, entity of each row) of these observations; a candidate that nothing claims has none."""
    if not observations:
        return {}, {}
    rows = conn.execute(
        """
        SELECT observation_id, role, stated_key, evidence, confidence, extractor, stated_value,
               stated_url, stated_aliases, entity_id
        FROM lightfast.observation_entities WHERE observation_id = ANY(%(ids)s)
        UNION ALL
        SELECT observation_id, role, stated_key, evidence, confidence, extractor, stated_value,
               stated_url, stated_aliases, NULL
        FROM lightfast.candidate_mentions WHERE observation_id = ANY(%(ids)s)
        """,
        {"ids": list(observations)},
    )
    mentions: dict[EntityMentionKey, EntityMention] = {}
    entities: dict[EntityMentionKey, int] = {}
    for (
        observation,
        role,
        key,
        evidence,
        confidence,
        extractor,
        value,
        url,
        aliases,
        entity,
    ) in rows:
        place = (observation, role, key)
        mentions[place] = EntityMention(
            evidence, round(confidence, 4), extractor, value, url, tuple(aliases)
        )
        if entity is not None:
            entities[place] = entity
    return mentions, entities


def _numbers(
    facts: Mapping[int, Fact],
    changed: Differences[EntityMentionKey, EntityMention],
    placed: Mapping[EntityMentionKey, int],
) -> dict[int, Numbers]:
    """What the added rows say of each entity. A name counts only where the thing itself is named."""
    numbers: dict[int, Numbers] = {}
    for place, entity in placed.items():
        observation, _, key = place
        row, statement = changed.added[place], facts[observation].statement
        one = numbers.setdefault(entity, Numbers())
        at, by = statement.occurred_at, statement.source_id
        one.observations.add(observation)
        one.confidence = max(one.confidence, row.confidence)
        one.times.append(at)
        if is_stub(key):
            continue
        one.aliases.update(row.stated_aliases)
        if row.stated_value is not None:
            one.value = max(one.value or (at, by, ""), (at, by, row.stated_value))
        if row.stated_url is not None:
            one.url = max(one.url or (at, by, ""), (at, by, row.stated_url))
    return numbers


def _write_rows(
    conn: Connection,
    changed: Differences[EntityMentionKey, EntityMention],
    entities: Mapping[EntityMentionKey, int | None],
    workspaces: Mapping[int, int],
) -> None:
    """Writes the mentions; those of candidates that no entity claims (yet) wait apart."""
    for table in ("observation_entities", "candidate_mentions"):
        delete_rows(conn, table, _MENTION_KEY, changed.removed)
    named, unclaimed = [], []
    for key, entity in entities.items():
        *values, aliases = changed.added[key]
        if entity is not None:
            named.append((*key, entity, *values, list(aliases)))
        else:
            unclaimed.append((*key, workspaces[key[0]], *values, list(aliases)))
    values_of = EntityMention._fields
    insert_rows(conn, "observation_entities", (*_MENTION_KEY, "entity_id", *values_of), named)
    insert_rows(conn, "candidate_mentions", (*_MENTION_KEY, "workspace_id", *values_of), unclaimed)
