"""Vectors of clusters, people and entities: made where something changed, and only there."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lightfast_pipelines.embedding.embedder import EmbeddingUsage, RefusedTextError
from lightfast_pipelines.embedding.index import VIEWS, Vectors
from lightfast_pipelines.embedding.layers import (
    LayersReport,
    layers_due,
    make_hosted_layers,
    make_layers,
)
from lightfast_pipelines.embedding.pgvector import PgVectorIndex
from lightfast_pipelines.embedding.stage import embed_pending
from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
from lightfast_pipelines.inbox.isolation import ServiceUnavailableError
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.hosted_vectors import set_model
from lightfast_pipelines.store.model_usage import usage_on
from lightfast_pipelines.store.stage_failures import StageError, count_workspace
from tests.capture.rows import Memory, hours

DAY = date(2024, 6, 1)
PULL, ISSUE = "github:pr:1#1", "github:issue:1#2"


class CountingEmbedder(WordLlamaEmbedder):
    """Notes the texts that it embeds."""

    def __init__(self, name: str = "wordllama-256") -> None:
        self.name = name
        self.texts: list[str] = []

    def embed(self, texts: Any) -> NDArray[np.float32]:
        self.texts += texts
        return super().embed(texts)


@pytest.fixture
def memory(conn: Connection) -> Memory:
    return Memory(conn)


def update(conn: Connection, embedder: CountingEmbedder | None = None) -> LayersReport:
    """Embeds what waits, then makes the layers."""
    embed_pending(conn, WordLlamaEmbedder(), PgVectorIndex(conn), max_rows=1_000)
    return make_layers(conn, embedder or CountingEmbedder())


def join(memory: Memory, cluster: str, *observations: int, label: str = "Payments") -> None:
    """Puts observations into a cluster, as the stages do."""
    memory.conn.execute(
        """
        INSERT INTO lightfast.clusters (id, workspace_id, topic_label, status, observation_count,
          first_observation_at, last_observation_at, rule_version)
        VALUES (%s, %s, %s, 'open', 1, now(), now(), 1) ON CONFLICT DO NOTHING
        """,
        (cluster, memory.workspace_id, label),
    )
    for observation in observations:
        memory.conn.execute(
            """
            INSERT INTO lightfast.cluster_members
              (observation_id, workspace_id, cluster_id, thread_key, rule_version, is_provisional)
            VALUES (%s, %s, %s, 't', 1, false)
            ON CONFLICT (observation_id) DO UPDATE SET cluster_id = excluded.cluster_id
            """,
            (observation, memory.workspace_id, cluster),
        )


def profile(memory: Memory, actor: str, identity: int, *, kind: str = "person") -> None:
    """Makes the identity an actor with a profile, as the stages do."""
    memory.conn.execute(
        "INSERT INTO lightfast.actors (id, org_id, display_name, kind) VALUES (%s, 'default', %s, %s)",
        (actor, actor.title(), kind),
    )
    memory.conn.execute(
        "UPDATE lightfast.actor_identities SET actor_id = %s WHERE id = %s", (actor, identity)
    )
    memory.conn.execute(
        """
        INSERT INTO lightfast.actor_profiles (workspace_id, actor_id, expertise_domains,
          observation_count, last_active_at, profile_confidence, evidence_hash, rule_version)
        VALUES (%s, %s, '{"directory:src/cart": 0.5, "category:bug_fix": 1}', 1, now(), 0.5, '', 1)
        """,
        (memory.workspace_id, actor),
    )


def vectors(conn: Connection, layer: str) -> dict[str, NDArray[np.float32]]:
    rows = conn.execute(
        "SELECT key, vector::text FROM lightfast.memory_vectors WHERE layer = %s ORDER BY key",
        (layer,),
    ).fetchall()
    return {key: np.fromstring(text[1:-1], np.float32, sep=",") for key, text in rows}


def rows_of(conn: Connection, layer: str) -> list[dict[str, Any]]:
    rows = conn.execute(
        "SELECT to_jsonb(v) FROM lightfast.memory_vectors v WHERE layer = %s ORDER BY key", (layer,)
    ).fetchall()
    return [row for (row,) in rows]


def mean(texts: list[str]) -> NDArray[np.float32]:
    vector = WordLlamaEmbedder().embed(texts).mean(axis=0)
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


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
    assert vectors(conn, "clusters")["c1"] == pytest.approx(mean(texts), abs=1e-5)


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
    assert vectors(conn, "clusters")["c1"] == pytest.approx(mean(texts), abs=1e-5)


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
    assert vectors(conn, "profiles")["ann"] == pytest.approx(mean(["Retry the payment"]), abs=1e-5)
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
    conn.execute("DELETE FROM lightfast.observations WHERE id = %s", (observation,))
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
    before = {row["layer"]: row["model"] for row in map(dict, _all(conn))}
    assert before == dict.fromkeys(("clusters", "profiles", "entities"), "wordllama-256")
    # A change arrives after the model was changed, before the observations have its vectors.
    conn.execute("UPDATE lightfast.clusters SET topic_label = 'Checkout'")
    another = CountingEmbedder("another")
    make_layers(conn, another)
    assert list(vectors(conn, "clusters")) == ["c1"]
    embed_pending(conn, another, PgVectorIndex(conn), max_rows=10)
    make_layers(conn, another)
    after = {row["layer"]: row["model"] for row in map(dict, _all(conn))}
    assert after == dict.fromkeys(("clusters", "profiles", "entities"), "another")


def _all(conn: Connection) -> list[dict[str, Any]]:
    return [
        row
        for (row,) in conn.execute("SELECT to_jsonb(v) FROM lightfast.memory_vectors v").fetchall()
    ]


class HostedEmbedder(CountingEmbedder):
    """As a hosted one, which may be away."""

    provider = "openai"

    def __init__(self) -> None:
        super().__init__("hosted")
        self.is_away = False
        self.refused: str | None = None

    def embed(self, texts: Any) -> NDArray[np.float32]:
        if self.is_away:
            raise ServiceUnavailableError("it does not answer")
        if self.refused is not None and any(self.refused in text for text in texts):
            raise RefusedTextError("400")
        return super().embed(texts)

    def take_usage(self) -> EmbeddingUsage:
        return EmbeddingUsage(requests=1, failures=int(self.is_away))


def test_a_hosted_model_makes_its_own_of_what_it_embedded_and_its_outage_delays_nothing_else(
    conn: Connection, memory: Memory
) -> None:
    hosted = HostedEmbedder()
    set_model(conn, hosted.name)
    first = memory.observation(PULL, "Retry the payment")
    memory.observation(ISSUE, "Insignificant")
    join(memory, "c1", first)
    embed_pending(conn, WordLlamaEmbedder(), PgVectorIndex(conn), max_rows=10)
    PgVectorIndex(conn).upsert(
        Vectors("hosted", [memory.workspace_id] * 3, [first] * 3, VIEWS, hosted.embed(["x"] * 3))
    )
    hosted.texts.clear()
    hosted.is_away = True
    assert make_layers(conn, WordLlamaEmbedder()).written == {"clusters": 1, "entities": 2}
    report = make_hosted_layers(conn, hosted, day=DAY)
    assert report.unavailable == "it does not answer"
    assert (layers_due(conn), layers_due(conn, for_hosted=True) > 0) == (0, True)
    hosted.is_away = False
    assert make_hosted_layers(conn, hosted, day=DAY).written == {"clusters": 1, "entities": 1}
    assert [text.splitlines()[1] for text in hosted.texts] == [PULL]
    assert layers_due(conn, for_hosted=True) == 0
    models = [(row["layer"], row["model"]) for row in _all(conn)]
    assert sorted(models) == [
        *(("clusters", "hosted"), ("clusters", "wordllama-256")),
        *(("entities", "hosted"), ("entities", "wordllama-256"), ("entities", "wordllama-256")),
    ]
    (used,) = usage_on(conn, DAY)
    assert (used.purpose, used.requests, used.failures) == ("entities", 2, 1)
    conn.execute("DELETE FROM lightfast.observations")
    make_layers(conn, WordLlamaEmbedder())
    make_hosted_layers(conn, hosted, day=DAY)
    assert _all(conn) == []


def test_a_text_that_the_hosted_model_refuses_leaves_all_other_vectors_and_the_local_ones(
    conn: Connection, memory: Memory
) -> None:
    hosted = HostedEmbedder()
    set_model(conn, hosted.name)
    memory.observation(PULL, "Retry the payment")
    memory.observation(ISSUE, "Poison")
    embed_pending(conn, WordLlamaEmbedder(), PgVectorIndex(conn), max_rows=10)
    ids = [row[0] for row in conn.execute("SELECT id FROM lightfast.observations")] * 3
    PgVectorIndex(conn).upsert(
        Vectors("hosted", [memory.workspace_id] * 6, ids, VIEWS * 2, hosted.embed(["x"] * 6))
    )
    hosted.refused = "Poison"
    assert make_layers(conn, WordLlamaEmbedder()).written == {"entities": 2}
    report = make_hosted_layers(conn, hosted, day=DAY)
    assert (report.written, report.failures, report.unavailable) == ({"entities": 1}, 0, None)
    assert (layers_due(conn), layers_due(conn, for_hosted=True)) == (0, 0)


def test_a_service_that_refuses_every_text_is_away_and_no_entity_is_at_fault(
    conn: Connection, memory: Memory
) -> None:
    hosted = HostedEmbedder()
    set_model(conn, hosted.name)
    pull = memory.observation(PULL, "Retry the payment")
    embed_pending(conn, WordLlamaEmbedder(), PgVectorIndex(conn), max_rows=10)
    PgVectorIndex(conn).upsert(
        Vectors("hosted", [memory.workspace_id] * 3, [pull] * 3, VIEWS, hosted.embed(["x"] * 3))
    )
    hosted.refused = ""
    make_layers(conn, WordLlamaEmbedder())
    report = make_hosted_layers(conn, hosted, day=DAY)
    assert (report.unavailable, report.failures) == ("no text at all is embedded: 400", 0)
    hosted.refused = None
    assert make_hosted_layers(conn, hosted, day=DAY).written == {"entities": 1}


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
    assert _all(conn) == []
