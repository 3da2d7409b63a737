"""Writes the facts of a batch into every table that is derived from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Set

from lightfast_pipelines.capture.facts import Facts
from lightfast_pipelines.capture.writers.actor_identities import (
    ensure_identities,
    hold_identities,
    load_mentioned,
    remove_unmentioned,
    write_identity_mentions,
)
from lightfast_pipelines.capture.writers.commit_parents import write_commit_parents
from lightfast_pipelines.capture.writers.deleted import mark_deleted
from lightfast_pipelines.capture.writers.mentions import write_mentions
from lightfast_pipelines.capture.writers.observations import (
    change_sources,
    hold_members,
    remove_observations,
    write_observations,
    write_sources,
)
from lightfast_pipelines.capture.writers.relationships import write_edges
from lightfast_pipelines.capture.writers.stub_names import WorkspaceKey
from lightfast_pipelines.capture.writers.temporal_states import name_states, write_states
from lightfast_pipelines.store.consolidation_marks import mark_changed
from lightfast_pipelines.store.database import Connection

WrittenRows = Counter[str]
"""Table -> rows written."""


def write_facts(conn: Connection, facts: Facts, renamed: Set[WorkspaceKey]) -> WrittenRows:
    """Writes the facts; `renamed` are stubs whose names may now mean another place."""
    identities = ensure_identities(conn, facts.written)
    mentioned_before = load_mentioned(conn, facts.stored.values())
    if mentioned_before:
        # Some may be updated, and others deleted.
        hold_identities(conn, {*identities.ids.values(), *mentioned_before})
    if facts.gone:
        # The trigger on observations changes members of those that are written, before others are deleted.
        hold_members(conn, list(facts.stored.values()))
    new_ids = write_observations(conn, facts.written, identities.ids)
    by_id = {new_ids[fact.key]: fact for fact in facts.written}
    gone = {facts.stored[key]: key[0] for key in facts.gone}
    earlier = {
        observation: key[0]
        for key, observation in facts.stored.items()
        if observation in by_id or observation in gone
    }
    ids = {**facts.stored, **new_ids}
    write_sources(conn, {ids[key]: raw_ids for key, raw_ids in facts.sources.items()})
    change_sources(
        conn,
        added=[(ids[key], raw_id) for key, raw_id in facts.sources_added if key in ids],
        removed=[(ids[key], raw_id) for key, raw_id in facts.sources_removed if key in ids],
    )
    earlier_ids = sorted(earlier)
    identity_mentions = write_identity_mentions(
        conn, by_id.items(), identities, earlier_ids, facts.moved
    )
    mentions = write_mentions(conn, by_id, earlier, facts.moved, renamed)
    relationships = write_edges(conn, by_id, earlier_ids, mentions, facts.moved)
    write_commit_parents(conn, by_id, earlier_ids)
    states = write_states(conn, by_id, earlier_ids, earlier)
    remove_observations(conn, sorted(gone))
    mark_deleted(conn, sorted(by_id), states.ended)
    remove_unmentioned(conn, mentioned_before)
    name_states(conn, mentions.named)
    mark_changed(conn, [fact.workspace.id for fact in facts.written] + list(gone.values()))
    return Counter(
        {
            "observations": len(by_id),
            "entities": mentions.entities,
            "observation_entities": mentions.mentions,
            "relationships": relationships,
            "actor_identities": len(identities.ids),
            "identity_mentions": identity_mentions,
            "temporal_states": states.intervals,
        }
    )
