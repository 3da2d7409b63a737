"""Vectors of clusters, people and entities: made where something changed, and only there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lightfast_pipelines.embedding.layers import (
    layers_due,
    make_layers,
)
from lightfast_pipelines.embedding.pgvector import PgVectorIndex
from lightfast_pipelines.embedding.stage import embed_pending
from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.hosted_vectors import set_model
from lightfast_pipelines.store.stage_failures import StageError, count_workspace
from tests.capture.rows import Memory, hours
from tests.embedding.layered import (
    ISSUE,
    PULL,
    CountingEmbedder,
    all_rows,
    join,
    mean,
    memory,
    profile,
    rows_of,
    update,
    vectors,
)

__all__ = ["memory"]


def test_a_cluster_has_the_mean_of_its_members_summaries_without_those_that_have_no_words(
    conn: Connection, memory: Memory
) -> None:
    observations = [
        memory.observation(f"github:commit:{number:040}", title)
        for number, title in enumerate(["Retry the payment", "Cache the cart", ""])
    ]
    join(memory, "c1", *observations)
    report = update(conn)
    assert (report.written, report.deleted) == ({"clusters": 1}, {"clusters": 0})
    texts = ["Retry the payment", "Cache the cart"]
    assert vectors(conn, "clusters")["c1"] == pytest.approx(mean(texts), abs=1e-3)


def test_a_cluster_that_gains_and_one_that_loses_a_member_are_made_again_and_an_empty_one_goes(
    conn: Connection, memory: Memory
) -> None:
    first, second = (
        memory.observation(f"github:commit:{number:040}", title)
        for number, title in enumerate(["Retry the payment", "Cache the cart"])
    )
    join(memory, "c1", first)
    join(memory, "c2", second)
    update(conn)
    join(memory, "c1", second)
    conn.execute("DELETE FROM lightfast.clusters WHERE id = 'c2'")
    report = update(conn)
    assert (report.written, report.deleted) == ({"clusters": 1}, {"clusters": 1})
    texts = ["Retry the payment", "Cache the cart"]
    assert vectors(conn, "clusters")["c1"] == pytest.approx(mean(texts), abs=1e-3)


def test_a_person_has_the_mean_of_what_they_authored_and_a_bot_none(
    conn: Connection, memory: Memory
) -> None:
    ann, bot = memory.identity("github", "1"), memory.identity("github", "2")
    commit = "github:commit:" + "1" * 40
    memory.observation(commit, "Retry", content="Retry the payment", author=ann)
    memory.observation(commit, "Merged", transition="merged", content="x", author=bot, actor=ann)
    profile(memory, "ann", ann)
    profile(memory, "bot", bot, kind="bot")
    update(conn)
    assert list(vectors(conn, "profiles")) == ["ann"]
    assert vectors(conn, "profiles")["ann"] == pytest.approx(mean(["Retry the payment"]), abs=1e-3)
    row = rows_of(conn, "profiles")[0]
    assert row["title"] == "Ann"
    assert row["snippet"] == "category:bug_fix, directory:src/cart"
    conn.execute("UPDATE lightfast.actors SET display_name = 'Ann Lee' WHERE id = 'ann'")
    update(conn)
    assert rows_of(conn, "profiles")[0]["title"] == "Ann Lee"


def test_an_entity_is_embedded_by_what_it_is_what_happened_and_what_it_is_related_to(
    conn: Connection, memory: Memory
) -> None:
    memory.observation(
        *(PULL, "[PR Opened] Retry the payment"),
        transition="opened",
        source_type="pull-request.opened",
    )
    memory.observation(
        *(PULL, "[PR Merged] Retry the payment"),
        at=hours(30),
        transition="merged",
        source_type="pull-request.merged",
    )
    memory.observation(ISSUE, "[Issue Opened] Charged twice", source_type="issue.opened")
    memory.edge(PULL, "fixes", ISSUE)
    conn.execute(
        "UPDATE lightfast.entities SET value = CASE key WHEN %s THEN 'Retry the payment' "
        "ELSE 'Charged twice' END",
        (PULL,),
    )
    embedder = CountingEmbedder()
    update(conn, embedder)
    text = next(text for text in embedder.texts if text.startswith("pull request"))
    assert text == (
        "pull request: Retry the payment\n"
        "github:pr:1#1\n"
        "\n"
        "Began 2024-05-01 pull-request.opened: [PR Opened] Retry the payment\n"
        "Seen from 2024-05-01 to 2024-05-01, 1 events\n"
        "\n"
        "Then 2024-05-02 pull-request.merged: [PR Merged] Retry the payment\n"
        "Then 2024-05-01 pull-request.opened: [PR Opened] Retry the payment\n"
        "\n"
        "fixes Charged twice"
    )
    row = rows_of(conn, "entities")[1]
    assert (row["key"], row["kind"], row["source"], row["significance"]) == (
        *(PULL, "pull_request"),
        *("github", 40),
    )


def test_only_things_with_a_history_are_embedded(conn: Connection, memory: Memory) -> None:
    memory.observation("github:commit:" + "1" * 40, "A commit")
    memory.observation("github:branch:1:main", "A branch", source_type="branch.created")
    memory.observation("github:ref:acme/shop#7", "A stub")
    memory.observation("sentry:issue:1:2", "TypeError: x is undefined")
    update(conn)
    assert list(vectors(conn, "entities")) == ["sentry:issue:1:2"]


def test_a_new_event_embeds_the_entity_and_its_neighbours_but_nothing_that_did_not_change(
    conn: Connection, memory: Memory
) -> None:
    memory.observation(PULL, "Retry the payment", source_type="pull-request.opened")
    memory.observation(ISSUE, "Charged twice", source_type="issue.opened")
    memory.observation("github:issue:1#3", "Another", source_type="issue.opened")
    update(conn)
    embedder = CountingEmbedder()
    memory.edge(PULL, "fixes", ISSUE)
    conn.execute("UPDATE lightfast.entities SET value = 'Retry' WHERE key = %s", (PULL,))
    memory.observation(PULL, "Retry it", at=hours(1), transition="merged", source_type="x.y")
    report = update(conn, embedder)
    assert report.written["entities"] == 2
    assert [text.splitlines()[1] for text in embedder.texts] == [ISSUE, PULL]
    assert "<- fixes Retry" in embedder.texts[0]
    # Noted as changed, but it says the same.
    conn.execute(
        "INSERT INTO lightfast.layer_changes (workspace_id, layer, key) VALUES (%s, 'entities', %s)",
        (memory.workspace_id, PULL),
    )
    assert update(conn, embedder).written["entities"] == 0
    assert len(embedder.texts) == 2


def test_with_nothing_changed_nothing_is_read_or_written(conn: Connection, memory: Memory) -> None:
    memory.observation(PULL, "Retry the payment")
    assert layers_due(conn) == 0
    embed_pending(conn, WordLlamaEmbedder(), PgVectorIndex(conn), max_rows=10)
    assert layers_due(conn) == 1
    update(conn)
    assert layers_due(conn) == 0
    report = update(conn)
    assert (report.changes, report.written, report.deleted) == (0, {}, {})


def test_the_vectors_of_deleted_rows_are_deleted(conn: Connection, memory: Memory) -> None:
    observation = memory.observation(PULL, "Retry the payment")
    join(memory, "c1", observation)
    update(conn)
    assert len(vectors(conn, "entities")) == len(vectors(conn, "clusters")) == 1
    conn.execute("DELETE FROM lightfast.observation_facts WHERE id = %s", (observation,))
    update(conn)
    assert (vectors(conn, "entities"), vectors(conn, "clusters")) == ({}, {})


def test_another_model_makes_all_again_and_the_former_vectors_stay_until_then(
    conn: Connection, memory: Memory
) -> None:
    ann = memory.identity("github", "1")
    first = memory.observation(PULL, "Retry the payment", author=ann)
    join(memory, "c1", first)
    profile(memory, "ann", ann)
    update(conn)
    before = {row["layer"]: row["model"] for row in map(dict, all_rows(conn))}
    assert before == dict.fromkeys(("clusters", "profiles", "entities"), "wordllama-256")
    # A change arrives after the model was changed, before the observations have its vectors.
    conn.execute("UPDATE lightfast.clusters SET topic_label = 'Checkout'")
    another = CountingEmbedder("another")
    make_layers(conn, another)
    assert list(vectors(conn, "clusters")) == ["c1"]
    embed_pending(conn, another, PgVectorIndex(conn), max_rows=10)
    make_layers(conn, another)
    after = {row["layer"]: row["model"] for row in map(dict, all_rows(conn))}
    assert after == dict.fromkeys(("clusters", "profiles", "entities"), "another")


def test_newer_rules_make_all_again(
    conn: Connection, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lightfast_pipelines.embedding import layers, layers_entities, layers_means

    join(memory, "c1", memory.observation(PULL, "Retry the payment"))
    update(conn)
    for module in (layers, layers_entities, layers_means):
        monkeypatch.setattr(module, "RULE_VERSION", 2)
    assert layers_due(conn) == 1
    assert update(conn).written == {"clusters": 1, "entities": 1}
    assert layers_due(conn) == 0


def test_older_rules_are_no_work_for_what_was_given_up_or_no_model_is_on_for(
    conn: Connection, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lightfast_pipelines.embedding import layers, layers_entities, layers_means

    set_model(conn, "hosted")
    set_model(conn, None)
    memory.observation(PULL, "Retry the payment")
    update(conn)
    conn.execute(
        """
        INSERT INTO lightfast.memory_vectors
        SELECT (jsonb_populate_record(v, '{"model": "hosted"}')).* FROM lightfast.memory_vectors v
        """
    )
    for module in (layers, layers_entities, layers_means):
        monkeypatch.setattr(module, "RULE_VERSION", 2)
    update(conn)
    assert layers_due(conn) == 0
    for module in (layers, layers_entities, layers_means):
        monkeypatch.setattr(module, "RULE_VERSION", 3)
    assert layers_due(conn) == 1
    for _ in range(4):
        count_workspace(conn, "layers", "3", memory.workspace_id, StageError("Error", "failed"))
    assert layers_due(conn) == 0
    assert update(conn).changes == 0


def test_a_failing_embedder_loses_no_change(conn: Connection, memory: Memory) -> None:
    class Failing(CountingEmbedder):
        def embed(self, texts: Any) -> NDArray[np.float32]:
            raise ConnectionError("the model is away")

    memory.observation(PULL, "Retry the payment")
    conn.commit()
    with pytest.raises(ConnectionError):
        update(conn, Failing())
    assert layers_due(conn) == 1
    assert update(conn).written == {"entities": 1}


def test_a_removed_workspace_leaves_no_change_behind(conn: Connection, memory: Memory) -> None:
    join(memory, "c1", memory.observation(PULL, "Retry the payment"))
    update(conn)
    conn.execute("DELETE FROM lightfast.workspaces WHERE id = %s", (memory.workspace_id,))
    assert conn.execute("SELECT count(*) FROM lightfast.layer_changes").fetchone() == (0,)
    assert all_rows(conn) == []
