"""Writes mentions: which entity an observation names, in which role, by its key or by a stub."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from lightfast_pipelines.capture.facts import Fact
from lightfast_pipelines.capture.writers.entities import (
    EnsuredEntities,
    Numbers,
    add_numbers,
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
from lightfast_pipelines.capture.writers.stubs import Resolved, count_again, resolve
from lightfast_pipelines.domain.key_categories import is_stub
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.staging import array_of

_COMMIT = "github:commit:"


class EntityMention(NamedTuple):
    """What an observation states about an entity; the key is (observation, role, stated key)."""

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
    """The entities behind the mentions that were written, for the edges and states that follow.

    `edges` are those whose ends may have changed, `named` the entities whose name may have changed.
    """

    entity_ids: Mapping[WorkspaceKey, int]
    resolved: Resolved
    stubs: Mapping[tuple[int, str], Stub]
    edges: frozenset[EdgeRow]
    mentions: int
    entities: int
    named: Sequence[WorkspaceKey]

    def edge_end(self, observation: int, workspace: int, key: str, at: datetime) -> int | None:
        """The entity at an end of an observation's edge; None if there is none, or several may be meant.

        `at` is when the observation's text was written."""
        stub = self.stubs.get((observation, key))
        if stub is None:
            return self.entity_ids[workspace, key]
        resolution = self.resolved.at(stub, at)
        return None if resolution.is_ambiguous else resolution.entity_id


def write_mentions(
    conn: Connection,
    facts: Mapping[int, Fact],
    earlier: Mapping[int, int],
    moved: Set[int],
    renamed: Set[WorkspaceKey] = frozenset(),
) -> WrittenMentions:
    """Writes the mentions of the facts (observation id -> fact).

    `earlier` are the observations that had rows before (id -> workspace), including those to be removed;
    `renamed` are stubs whose names may now mean another place.
    """
    workspaces = {observation: fact.workspace.id for observation, fact in facts.items()} | dict(
        earlier
    )
    new = {
        (observation, mention.role, mention.thing.key): EntityMention(
            mention.evidence,
            round(mention.confidence, 4),
            mention.extractor,
            mention.thing.name,
            mention.thing.url,
            tuple(sorted(set(mention.thing.aliases))) if mention.thing.aliases else (),
        )
        for observation, fact in facts.items()
        for mention in fact.enriched.mentions
    }
    old, old_entities = _load(conn, sorted(earlier))
    changed = differences(old, new, moved)
    stub_keys = {key for key in {mention[2] for mention in new} if is_stub(key)}
    stated = {(workspaces[key[0]], key[2]): Numbers() for key in new if key[2] not in stub_keys}
    for key, row in changed.added.items():
        if key[2] not in stub_keys:
            _add(stated[workspaces[key[0]], key[2]], key, row, facts[key[0]])
    ensured = ensure_entities(conn, stated, are_stubs=False)
    entity_ids = ensured.ids
    stub_by_mention = {
        key: stub_of(workspaces[key[0]], key[2], new[key].stated_aliases)
        for key in sorted((key for key in new if key[2] in stub_keys), reverse=True)
    }
    resolved = _resolve(
        conn, changed, workspaces, set(stub_by_mention.values()), ensured, stub_keys, renamed
    )

    def entity_of(mention: EntityMentionKey) -> int | None:
        stub = stub_by_mention.get(mention)
        if stub is None:
            return entity_ids[workspaces[mention[0]], mention[2]]
        return resolved.at(stub, facts[mention[0]].statement.read_at).entity_id

    entities = {key: entity_of(key) for key in changed.added}
    placed = {key: entity for key, entity in entities.items() if entity is not None}
    by_stubs = {key: entity for key, entity in placed.items() if key in stub_by_mention}
    add_numbers(conn, _numbers(facts, changed, ensured, stated, by_stubs))
    _write_rows(conn, changed, entities, workspaces)
    recounted = resolved.entities | (resolved.created - set(by_stubs.values()))
    recounted |= {old_entities[key] for key in changed.removed if key in old_entities}
    recounted |= {entity for key, entity in placed.items() if key[0] in earlier}
    after = count_again(conn, recounted)
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
        replace(resolved, timelines={**resolved.timelines, **after.timelines}),
        {(key[0], key[2]): stub for key, stub in stub_by_mention.items()},
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
    ensured: EnsuredEntities,
    stub_keys: Set[str],
    renamed: Set[WorkspaceKey],
) -> Resolved:
    """Writes the claims and lookups of the new rows, and resolves the stubs that they concern."""
    lookups: dict[WorkspaceKey, set[str]] = defaultdict(set)
    claims: dict[tuple[int, int], set[str]] = defaultdict(set)
    for (observation, _, key), row in changed.added.items():
        workspace = workspaces[observation]
        if key in stub_keys:
            lookups[workspace, key].update(row.stated_aliases)
        elif row.stated_aliases:
            claims[workspace, ensured.ids[workspace, key]].update(row.stated_aliases)
    add_lookups(conn, lookups)
    commits = [(w, key[len(_COMMIT) :]) for w, key in ensured.created if key.startswith(_COMMIT)]
    concerned = add_claims(conn, claims) | stubs_of_commits(conn, commits)
    return resolve(conn, stubs, concerned | renamed)


def _load(
    conn: Connection, observations: Sequence[int]
) -> tuple[dict[EntityMentionKey, EntityMention], dict[EntityMentionKey, int]]:
    """The mentions of these observations, and the entity of each that has one: a candidate that no entity
    claims has none."""
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
    for observation, role, stated_key, *columns, entity in rows:
        key = (observation, role, stated_key)
        evidence, confidence, extractor, value, url, aliases = columns
        mentions[key] = EntityMention(
            evidence, round(confidence, 4), extractor, value, url, tuple(aliases)
        )
        if entity is not None:
            entities[key] = entity
    return mentions, entities


def _add(numbers: Numbers, mention: EntityMentionKey, row: EntityMention, fact: Fact) -> None:
    """Adds a mention of an entity under its own key, whose name and address count."""
    at, by = fact.statement.occurred_at, fact.statement.source_id
    numbers.add(mention[0], at, row.confidence)
    numbers.aliases.update(row.stated_aliases)
    if row.stated_value is not None:
        numbers.value = max(numbers.value or (at, by, ""), (at, by, row.stated_value))
    if row.stated_url is not None:
        numbers.url = max(numbers.url or (at, by, ""), (at, by, row.stated_url))


def _numbers(
    facts: Mapping[int, Fact],
    changed: Differences[EntityMentionKey, EntityMention],
    ensured: EnsuredEntities,
    stated: Mapping[WorkspaceKey, Numbers],
    by_stubs: Mapping[EntityMentionKey, int],
) -> dict[int, Numbers]:
    """What the added rows say about each entity that was not created with it."""
    numbers = {
        entity: stated[key] for key, entity in ensured.ids.items() if key not in ensured.created
    }
    created = {ensured.ids[key]: stated[key].observations for key in ensured.created}
    for mention, entity in by_stubs.items():
        added = numbers.setdefault(entity, Numbers())
        at = facts[mention[0]].statement.occurred_at
        added.add(mention[0], at, changed.added[mention].confidence)
    for entity in created.keys() & numbers.keys():
        numbers[entity].observations -= created[entity]
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
            named.append((*key, entity, *values, array_of(aliases)))
        else:
            unclaimed.append((*key, workspaces[key[0]], *values, array_of(aliases)))
    values_of = EntityMention._fields
    insert_rows(conn, "observation_entities", (*_MENTION_KEY, "entity_id", *values_of), named)
    insert_rows(conn, "candidate_mentions", (*_MENTION_KEY, "workspace_id", *values_of), unclaimed)
