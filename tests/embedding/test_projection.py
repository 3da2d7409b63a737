"""What is in Postgres gets into the hosted index, and what goes leaves it; no fault loses anything."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lightfast_pipelines.embedding.layers import make_layers
from lightfast_pipelines.embedding.pgvector import PgVectorIndex
from lightfast_pipelines.embedding.pinecone_index import PineconeIndex
from lightfast_pipelines.embedding.projection import changes_waiting, project
from lightfast_pipelines.embedding.projection_state import forget_abandoned, read_state
from lightfast_pipelines.embedding.stage import embed_pending
from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.model_pauses import current_pause
from lightfast_pipelines.store.model_usage import usage_on
from tests.capture.rows import Memory
from tests.embedding.pinecone_clients import FAULTS, connect, served, world
from tests.embedding.projected import (
    MODEL,
    NOW,
    PULL,
    commit,
    external_id,
    ids,
    index,
    memory,
    search,
    update,
)
from tests.servers.pinecone import PineconeWorld
from tests.servers.serving import Fault, Served

__all__ = ["connect", "index", "memory", "served", "world"]


def test_a_new_index_is_filled_with_all_layers_and_then_gets_the_changes_alone(
    conn: Connection, memory: Memory, index: PineconeIndex, world: PineconeWorld, served: Served
) -> None:
    commit(memory, 1)
    memory.observation(PULL, "Cache the cart")
    report = update(conn, index)
    assert (report.sent, report.error) == ({"observations": 2, "entities": 1}, None)
    state = read_state(conn)
    assert state is not None
    assert state.filled_at == NOW
    assert set(world.vectors()) == ids(conn)
    assert len(world.vectors()) == 7
    written = served.count("/vectors/upsert")
    assert update(conn, index).sent == {}
    assert served.count("/vectors/upsert") == written
    commit(memory, 2, "Another")
    assert update(conn, index).sent == {"observations": 1}
    assert set(world.vectors()) == ids(conn)
    assert changes_waiting(conn) == (0, 0)


def test_metadata_have_numbers_for_times_and_bounded_texts(
    conn: Connection, memory: Memory, index: PineconeIndex, world: PineconeWorld
) -> None:
    ann = memory.identity("github", "1", source_username="ann")
    observation = commit(memory, 1, "T" * 200, content="c" * 9_000, author=ann)
    update(conn, index)
    (summary,) = (
        stored.metadata for key, stored in world.vectors().items() if key.endswith("#summary")
    )
    assert summary == {
        "layer": "observations",
        "view": "summary",
        "key": external_id(conn, observation),
        "model": "wordllama-256",
        "source": "github",
        "kind": "commit.pushed",
        "type": "change",
        "category": "other",
        "title": "T" * 200,
        "snippet": "c" * 500,
        "occurred_at": 1714564800000,
        "significance": 40,
        "identities": ["github:1"],
        "actor": "ann",
    }


def test_a_changed_text_replaces_its_vectors_and_a_deleted_observation_takes_its_vectors_along(
    conn: Connection, memory: Memory, index: PineconeIndex, world: PineconeWorld
) -> None:
    first, second = commit(memory, 1), commit(memory, 2, "Cache the cart")
    update(conn, index)
    # The vectors go, and the observation waits for new ones.
    conn.execute(
        "UPDATE lightfast.observation_facts SET title = 'Refund' WHERE id = %s",
        (first,),
    )
    assert project(conn, index, MODEL, now=NOW).deleted == {"observations": 1}
    assert len(world.vectors()) == 3
    update(conn, index)
    assert {stored.metadata["title"] for stored in world.vectors().values()} == {
        *("Refund", "Cache the cart")
    }
    conn.execute("DELETE FROM lightfast.observation_facts WHERE id = %s", (second,))
    update(conn, index)
    assert {stored.metadata["title"] for stored in world.vectors().values()} == {"Refund"}
    assert set(world.vectors()) == ids(conn)


def test_new_metadata_are_sent_without_a_new_vector(
    conn: Connection, memory: Memory, index: PineconeIndex, world: PineconeWorld
) -> None:
    observation = commit(memory, 1)
    update(conn, index)
    conn.execute("UPDATE lightfast.observation_facts SET significance_score = 90")
    conn.execute(
        """
        INSERT INTO lightfast.cluster_members
          (observation_id, workspace_id, cluster_id, thread_key, rule_version, is_provisional,
           subject_key, occurred_at)
        VALUES (%s, %s, 'c1', 't', 1, false, 't', now())
        """,
        (observation, memory.workspace_id),
    )
    update(conn, index)
    assert {
        (stored.metadata["significance"], stored.metadata["cluster"])
        for stored in world.vectors().values()
    } == {(90, "c1")}


def test_a_text_without_words_has_no_vector_there(
    conn: Connection, memory: Memory, index: PineconeIndex, world: PineconeWorld
) -> None:
    commit(memory, 1, "")
    commit(memory, 2)
    report = update(conn, index)
    assert (report.error, report.refused) == (None, 0)
    assert len(world.vectors()) == 3


def test_a_removed_workspace_empties_its_namespace_and_one_of_the_same_name_begins_anew(
    conn: Connection, memory: Memory, index: PineconeIndex, world: PineconeWorld
) -> None:
    other = Memory(conn, slug="acme")
    commit(memory, 1)
    commit(other, 1)
    update(conn, index)
    assert set(world.namespaces) == {"default:Acme", "default:acme"}
    conn.execute("DELETE FROM lightfast.workspaces WHERE id = %s", (memory.workspace_id,))
    again = Memory(conn, slug="Acme")
    commit(again, 2, "Cache the cart")
    update(conn, index)
    assert set(world.vectors()) == ids(conn)
    assert len(world.namespaces["default:Acme"]) == 3


def test_an_outage_puts_the_next_try_off_and_loses_nothing(
    conn: Connection,
    memory: Memory,
    index: PineconeIndex,
    world: PineconeWorld,
    served: Served,
) -> None:
    commit(memory, 1)
    update(conn, index)
    served.faults.append(replace(FAULTS["server error"], match="/vectors/upsert"))
    second = commit(memory, 2, "Cache the shopping cart")
    conn.commit()
    report = update(conn, index)
    assert (report.sent, report.waiting) == ({}, 1)
    assert "Pinecone" in (report.error or "")
    pause = current_pause(conn, index.name)
    assert pause is not None
    assert (pause.failures, pause.until) == (1, NOW + timedelta(seconds=30))
    answer = search(conn, index, memory, "Cache the shopping cart")
    assert (answer.answered_by, answer.hits[0].key) == ("pgvector", external_id(conn, second))
    assert "is away" in (answer.why or "")
    served.faults.clear()
    assert update(conn, index, now=NOW + timedelta(minutes=1)).sent == {"observations": 1}
    assert current_pause(conn, index.name) is None
    assert set(world.vectors()) == ids(conn)
    answer = search(conn, index, memory, "Cache the shopping cart", now=NOW + timedelta(minutes=1))
    assert (answer.answered_by, answer.hits[0].key) == (
        "pinecone:lightfast",
        external_id(conn, second),
    )


def test_a_fill_that_is_interrupted_goes_on_where_it_stopped(
    conn: Connection,
    memory: Memory,
    index: PineconeIndex,
    world: PineconeWorld,
    served: Served,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from lightfast_pipelines.embedding import projection

    monkeypatch.setattr(projection, "_PAGE", 2)
    for number in range(5):
        commit(memory, number)
    served.faults.append(Fault("/vectors/upsert", times=99, status=500, after=1))
    report = update(conn, index)
    assert report.sent == {"observations": 2}
    served.faults.clear()
    assert update(conn, index).sent == {"observations": 3}
    assert set(world.vectors()) == ids(conn)


def test_a_thing_that_changes_while_it_is_sent_is_sent_again(
    conn: Connection,
    memory: Memory,
    index: PineconeIndex,
    world: PineconeWorld,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    commit(memory, 1)
    update(conn, index)
    conn.execute("UPDATE lightfast.observation_facts SET significance_score = 41")
    conn.commit()
    upsert = index.upsert

    def change_meanwhile(*arguments: Any) -> None:
        upsert(*arguments)
        monkeypatch.undo()
        conn.execute("UPDATE lightfast.observation_facts SET significance_score = 42")
        conn.commit()

    monkeypatch.setattr(index, "upsert", change_meanwhile)
    project(conn, index, MODEL, now=NOW)
    scores = {
        stored.metadata["significance"]
        for stored in world.vectors().values()
        if stored.metadata["layer"] == "observations"
    }
    assert scores == {42}


def test_a_thing_that_the_index_refuses_holds_up_no_other_and_is_given_up_until_it_changes(
    conn: Connection, memory: Memory, index: PineconeIndex, world: PineconeWorld, served: Served
) -> None:
    commit(memory, 0, "First")
    update(conn, index)
    for number in range(1, 5):
        commit(memory, number, "Poison" if number == 3 else f"Fine {number}")
    served.faults.append(Fault("Poison", times=999, status=400, body={"message": "not this one"}))
    report = update(conn, index)
    assert (report.sent, report.refused, report.error) == ({"observations": 3}, 1, None)
    assert changes_waiting(conn) == (1, 0)
    for _ in range(4):
        update(conn, index)
    asked = served.count("/vectors/upsert")
    assert update(conn, index).refused == 0
    assert served.count("/vectors/upsert") == asked
    assert changes_waiting(conn) == (0, 1)
    conn.execute("UPDATE lightfast.observation_facts SET title = 'Cured' WHERE title = 'Poison'")
    update(conn, index)
    assert changes_waiting(conn) == (0, 0)
    assert set(world.vectors()) == ids(conn)


def test_another_model_fills_the_index_anew_and_searches_wait_for_it(
    conn: Connection, memory: Memory, index: PineconeIndex, world: PineconeWorld
) -> None:
    class Another(WordLlamaEmbedder):
        name = "another"

    commit(memory, 1)
    update(conn, index)
    assert search(conn, index, memory, "x", model="another").answered_by == "pgvector"
    assert update(conn, index, model=Another()).sent == {"observations": 1}
    assert {stored.metadata["model"] for stored in world.vectors().values()} == {"another"}
    assert search(conn, index, memory, "x", model="another").answered_by == "pinecone:lightfast"
    # The former model's vectors go once they are not needed: nothing is sent for that.
    conn.execute("DELETE FROM lightfast.observation_vectors WHERE model = 'wordllama-256'")
    assert project(conn, index, Another(), now=NOW).sent == {}


def test_without_a_hosted_index_no_change_is_noted_for_one(
    conn: Connection, memory: Memory
) -> None:
    observation = commit(memory, 1)
    embed_pending(conn, MODEL, PgVectorIndex(conn), max_rows=10)
    make_layers(conn, MODEL)
    conn.execute("UPDATE lightfast.observation_facts SET significance_score = 1")
    conn.execute("DELETE FROM lightfast.observation_facts WHERE id = %s", (observation,))
    assert changes_waiting(conn) == (0, 0)


def test_an_index_that_nobody_kept_up_to_date_for_a_week_is_forgotten(
    conn: Connection, memory: Memory, index: PineconeIndex, world: PineconeWorld
) -> None:
    commit(memory, 1)
    update(conn, index)
    commit(memory, 2)
    embed_pending(conn, MODEL, PgVectorIndex(conn), max_rows=10)
    assert not forget_abandoned(conn, NOW + timedelta(days=6))
    assert changes_waiting(conn) == (1, 0)
    assert forget_abandoned(conn, NOW + timedelta(days=8))
    assert (read_state(conn), changes_waiting(conn)) == (None, (0, 0))
    assert update(conn, index).sent == {"observations": 2}
    assert set(world.vectors()) == ids(conn)


def test_usage_is_counted_by_operation(
    conn: Connection, memory: Memory, index: PineconeIndex
) -> None:
    commit(memory, 1)
    update(conn, index)
    search(conn, index, memory, "Retry")
    used = {usage.purpose: usage for usage in usage_on(conn, NOW.date(), "pinecone")}
    assert (used["upsert"].requests, used["upsert"].vectors, used["upsert"].model) == (
        *(1, 3),
        "lightfast",
    )
    assert (used["search"].requests, used["search"].units) == (1, 5)
