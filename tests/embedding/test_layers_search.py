"""Searches go to the hosted index where it can answer, else to Postgres, with the same hits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lightfast_pipelines.embedding.index import Filters
from lightfast_pipelines.embedding.pinecone_index import PineconeIndex
from lightfast_pipelines.store.database import Connection
from tests.capture.rows import Memory, hours
from tests.embedding.pinecone_clients import FAULTS, connect, served, world
from tests.embedding.projected import (
    PULL,
    commit,
    external_id,
    index,
    memory,
    search,
    update,
)
from tests.servers.pinecone import PineconeWorld
from tests.servers.serving import Served

__all__ = ["connect", "index", "memory", "served", "world"]


@pytest.mark.parametrize("name", FAULTS)
def test_a_search_during_a_fault_is_answered_by_postgres(
    name: str, conn: Connection, memory: Memory, index: PineconeIndex, served: Served
) -> None:
    observation = commit(memory, 1)
    update(conn, index)
    served.faults.append(replace(FAULTS[name], match="/query"))
    answer = search(conn, index, memory, "Retry the payment")
    assert (answer.answered_by, answer.hits[0].key) == ("pgvector", external_id(conn, observation))
    assert "Pinecone" in (answer.why or "")


def test_both_indexes_give_the_same_hits_with_and_without_filters(
    conn: Connection, memory: Memory, index: PineconeIndex
) -> None:
    ann = memory.identity("github", "1")
    for number, title in enumerate(["Retry the payment", "Cache the cart", "Refund payments"]):
        commit(memory, number, title, at=hours(number), author=ann if number else None)
    memory.observation(PULL, "Payment is retried", source_type="pull-request.opened")
    update(conn, index)
    for filters in (
        Filters(),
        Filters(since=hours(1)),
        Filters(before=hours(1)),
        Filters(kinds=["commit.pushed"]),
        Filters(identities=["github:1", "git:x"]),
        Filters(sources=["linear"]),
        Filters(least_significance=41),
    ):
        for layer in ("observations", "entities"):
            options = {"filters": filters, "layer": layer}
            ours = search(conn, None, memory, "retry a payment", **options)
            theirs = search(conn, index, memory, "retry a payment", **options)
            assert theirs.answered_by == "pinecone:lightfast"
            assert [hit.key for hit in ours.hits] == [hit.key for hit in theirs.hits], filters
            assert np.allclose(
                [hit.similarity for hit in ours.hits],
                [hit.similarity for hit in theirs.hits],
                atol=1e-5,
            )


def test_a_hit_whose_row_is_gone_is_left_out(
    conn: Connection, memory: Memory, index: PineconeIndex
) -> None:
    observation = commit(memory, 1)
    kept = commit(memory, 2, "Cache the cart")
    update(conn, index)
    conn.execute("DELETE FROM lightfast.observation_facts WHERE id = %s", (observation,))
    answer = search(conn, index, memory, "Retry the payment")
    assert answer.answered_by == "pinecone:lightfast"
    assert [hit.key for hit in answer.hits] == [external_id(conn, kept)]


def test_an_index_of_another_dimension_gets_nothing_and_search_says_why(
    conn: Connection, memory: Memory, index: PineconeIndex, world: PineconeWorld
) -> None:
    world.dimension = 1024
    commit(memory, 1)
    report = update(conn, index)
    assert "dimension 1024, the embedder makes 256: create an index" in (report.error or "")
    assert world.vectors() == {}
    answer = search(conn, index, memory, "Retry the payment")
    assert answer.answered_by == "pgvector"
    assert answer.why == "pinecone:lightfast is being filled"
