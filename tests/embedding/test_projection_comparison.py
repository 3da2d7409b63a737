"""The comparison finds what is missing in the hosted index and what has no row, and repairs both."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lightfast_pipelines.embedding.index import IndexAway
from lightfast_pipelines.embedding.pinecone_index import PineconeIndex
from lightfast_pipelines.embedding.projection import changes_waiting
from lightfast_pipelines.embedding.projection_comparison import (
    Comparison,
    compare,
    workspaces_to_compare,
)
from lightfast_pipelines.store.database import Connection
from tests.capture.rows import Memory
from tests.embedding.pinecone_clients import connect, served, world
from tests.embedding.projected import (
    NOW,
    PULL,
    commit,
    ids,
    index,
    memory,
    update,
)
from tests.servers.pinecone import PineconeWorld, Stored
from tests.servers.serving import Fault, Served

__all__ = ["connect", "index", "memory", "served", "world"]


def compare_all(
    conn: Connection, hosted: PineconeIndex, *, days: int = 0, most_ids: int = 1_000_000
) -> list[Comparison]:
    now = NOW + timedelta(days=days)
    tenants = workspaces_to_compare(conn, now)
    return compare(conn, hosted, "wordllama-256", tenants, now=now, most_ids=most_ids)


def fill(conn: Connection, memory: Memory, hosted: PineconeIndex) -> None:
    for number in range(40):
        commit(memory, number, f"Change {number}")
    memory.observation(PULL, "Cache the cart")
    update(conn, hosted)


def test_what_agrees_is_left_alone(
    conn: Connection, memory: Memory, index: PineconeIndex, served: Served
) -> None:
    fill(conn, memory, index)
    served.asked.clear()
    assert compare_all(conn, index) == [Comparison("default/Acme", 124, 0, 0, ())]
    assert {request.path for request in served.asked} == {"/vectors/list"}
    assert served.count() == 2
    assert compare_all(conn, index) == []


def test_missing_vectors_are_sent_again_and_orphans_deleted(
    conn: Connection, memory: Memory, index: PineconeIndex, world: PineconeWorld
) -> None:
    fill(conn, memory, index)
    vectors = world.namespaces["default:Acme"]
    entity = next(key for key in vectors if key.startswith("entities#"))
    view = next(key for key in vectors if key.endswith("#content"))
    orphans = ["observations#gone#title", "profiles#gone", "from another program"]
    vectors.update(dict.fromkeys(orphans, Stored(vectors[view].values, {})))
    del vectors[entity], vectors[view]
    (found,) = compare_all(conn, index)
    assert (found.vectors, found.missing, found.orphaned) == (125, 2, 3)
    assert {f"missing {entity}", f"orphaned {orphans[0]}"} <= set(found.examples)
    assert update(conn, index).sent == {"observations": 1, "entities": 1}
    assert set(world.vectors()) == ids(conn)
    (found,) = compare_all(conn, index, days=2)
    assert (found.missing, found.orphaned) == (0, 0)


def test_what_waits_to_be_sent_or_deleted_is_neither_missing_nor_orphaned(
    conn: Connection, memory: Memory, index: PineconeIndex, world: PineconeWorld
) -> None:
    from lightfast_pipelines.embedding.pgvector import PgVectorIndex
    from lightfast_pipelines.embedding.stage import embed_pending
    from tests.embedding.projected import MODEL

    fill(conn, memory, index)
    commit(memory, 99)
    embed_pending(conn, MODEL, PgVectorIndex(conn), max_rows=10)
    conn.execute("DELETE FROM lightfast.observation_facts WHERE title = 'Change 7'")
    conn.commit()
    (found,) = compare_all(conn, index)
    assert (found.missing, found.orphaned) == (0, 0)
    assert changes_waiting(conn) == (2, 0)
    update(conn, index)
    assert set(world.vectors()) == ids(conn)


def test_an_outage_in_the_middle_leaves_the_workspace_to_the_next_time(
    conn: Connection, memory: Memory, index: PineconeIndex, served: Served
) -> None:
    fill(conn, memory, index)
    served.faults.append(Fault("/vectors/list", times=99, status=503, after=1))
    with pytest.raises(IndexAway):
        compare_all(conn, index)
    assert changes_waiting(conn) == (0, 0)
    served.faults.clear()
    assert compare_all(conn, index) == [Comparison("default/Acme", 124, 0, 0, ())]


def test_a_bounded_comparison_takes_the_workspaces_in_turn(
    conn: Connection, memory: Memory, index: PineconeIndex
) -> None:
    other = Memory(conn, slug="other")
    commit(other, 1)
    fill(conn, memory, index)
    first, second = (
        compare_all(conn, index, most_ids=1),
        compare_all(conn, index, most_ids=1),
    )
    assert [each.workspace for each in (*first, *second)] == ["default/Acme", "default/other"]
