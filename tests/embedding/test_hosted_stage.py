"""The hosted stage against a real Postgres and OpenAI's client: what is paid for, and what a fault leaves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from lightfast_pipelines.embedding import hosted_stage
from lightfast_pipelines.embedding.pgvector import PgVectorIndex
from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.model_pauses import current_pause
from tests.capture.rows import Memory
from tests.embedding.hosted import Hosted, hosted_memory
from tests.embedding.test_openai_embedder import FAULTS
from tests.servers.serving import Fault


@pytest.fixture
def hosted(conn: Connection) -> Iterator[Hosted]:
    with hosted_memory(conn) as memory:
        yield memory


def _commits(memory: Memory, count: int, *, start: int = 0) -> list[int]:
    return [
        memory.observation(f"github:commit:{number:040}", f"Change {number}", content="Why")
        for number in range(start, start + count)
    ]


def _set_score(conn: Connection, observation: int, score: int) -> None:
    conn.execute(
        "UPDATE lightfast.observation_facts SET significance_score = %s WHERE id = %s",
        (score, observation),
    )


def test_only_significant_observations_get_a_vector_that_costs_money(hosted: Hosted) -> None:
    memory = Memory(hosted.conn)
    below, at_threshold, deleted = _commits(memory, 3)
    _set_score(hosted.conn, below, 29)
    _set_score(hosted.conn, at_threshold, 30)
    hosted.conn.execute(
        "UPDATE lightfast.observation_facts SET is_deleted = true WHERE id = %s", (deleted,)
    )
    strict = Memory(hosted.conn, slug="strict")
    hosted.conn.execute(
        "UPDATE lightfast.workspaces SET settings = '{\"significance_threshold\": 70}' WHERE id = %s",
        (strict.workspace_id,),
    )
    _commits(strict, 1)
    hosted.set_model(hosted.embedder())
    hosted.embed_locally()
    report = hosted.embed()
    assert hosted.embedded() == [at_threshold]
    assert hosted.embedded("wordllama-256") == [below, at_threshold, deleted + 1]
    assert (report.observations, report.vectors, report.requests) == (1, 3, 1)
    [texts] = hosted.account.inputs
    assert texts == ["Change 1", "Why", "Change 1\n\nWhy"]


def test_without_a_key_nothing_is_queued_and_nothing_is_asked(hosted: Hosted) -> None:
    memory = Memory(hosted.conn)
    _commits(memory, 2)
    hosted.set_model(hosted.embedder())
    hosted.set_model(None)
    hosted.embed_locally()
    assert hosted.waiting() == []
    assert hosted.embed().observations == 0
    assert hosted.served.asked == []


def test_what_a_run_used_is_recorded_by_day_and_model_even_if_it_failed(hosted: Hosted) -> None:
    _commits(Memory(hosted.conn), 2)
    hosted.set_model(hosted.embedder())
    hosted.served.faults.append(Fault(status=500))
    report = hosted.embed()
    assert (report.requests, report.tokens) == (2, 2 * len("Change 0" + "Change 0\n\nWhy") + 3)
    [row] = hosted.conn.execute(
        "SELECT provider, model, purpose, requests, failures, input_tokens FROM lightfast.model_usage"
    )
    assert row == ("openai", "text-embedding-3-small-64", "embeddings", 2, 1, report.tokens)


WRONG_ANSWERS = {
    "fewer vectors": {"missing": 1},
    "wrong dimensions": {"dimensions": 8},
}


@pytest.mark.parametrize("name", [*FAULTS, *WRONG_ANSWERS])
def test_a_fault_of_the_service_leaves_all_observations_waiting_and_searchable_by_local_vectors(
    name: str, hosted: Hosted
) -> None:
    memory = Memory(hosted.conn)
    observations = _commits(memory, 5)
    hosted.set_model(hosted.embedder())
    hosted.embed_locally()
    wrong_answers = WRONG_ANSWERS.get(name, {})
    if name in FAULTS:
        hosted.served.faults.append(replace(FAULTS[name], times=100))
    for field, value in wrong_answers.items():
        setattr(hosted.account, field, value)
    # Short only where nothing answers: a busy machine may take long to answer.
    report = hosted.embed(hosted.embedder(timeout_seconds=0.5 if name == "time-out" else 30.0))
    assert report.unavailable is not None
    assert report.observations == 0
    assert hosted.waiting() == observations
    assert len(hosted.served.asked) <= 3, "an outage is not asked about for each part of a page"
    assert hosted.conn.execute("SELECT count(*) FROM lightfast.stage_failures").fetchone() == (0,)
    local = WordLlamaEmbedder()
    [vector] = local.embed(["Change 3"])
    nearest = PgVectorIndex(hosted.conn).search(memory.workspace_id, vector, 3, model=local.name)
    assert nearest[0].observation_id == observations[3]
    hosted.served.faults.clear()
    for field in wrong_answers:
        setattr(hosted.account, field, 0 if field == "missing" else None)
    report = hosted.embed()
    assert (report.unavailable, report.observations) == (None, 5)
    assert hosted.waiting() == []


def test_a_long_pause_that_the_service_asks_for_is_reported(hosted: Hosted) -> None:
    _commits(Memory(hosted.conn), 1)
    hosted.set_model(hosted.embedder())
    hosted.served.faults.append(Fault(status=429, headers={"retry-after": "90"}))
    assert hosted.embed().retry_after == 90
    paused = current_pause(hosted.conn, "openai")
    assert paused is not None
    assert (paused.error, paused.failures) == ("OpenAI answered 429", 1)
    hosted.embed()
    assert current_pause(hosted.conn, "openai") is None


def test_what_was_embedded_before_an_outage_stays(
    hosted: Hosted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosted_stage, "PAGE_OBSERVATIONS", 2)
    observations = _commits(Memory(hosted.conn), 5)
    hosted.set_model(hosted.embedder())
    hosted.served.faults.append(Fault(status=500, times=100, after=1))
    report = hosted.embed()
    assert (report.observations, report.vectors) == (2, 6)
    assert report.unavailable == "OpenAI answered 500"
    assert hosted.embedded() == observations[-2:]
    assert hosted.waiting() == observations[:-2]


@pytest.mark.parametrize("fault", ["not_a_number_for", "refused"])
def test_one_text_that_the_service_cannot_embed_holds_up_no_other_and_is_given_up(
    fault: str, hosted: Hosted
) -> None:
    memory = Memory(hosted.conn)
    observations = _commits(memory, 3)
    poison = memory.observation("github:commit:" + "f" * 40, "unspeakable")
    observations += _commits(memory, 3, start=3)
    hosted.set_model(hosted.embedder())
    setattr(hosted.account, fault, "unspeakable")
    for _ in range(4):
        report = hosted.embed()
        assert report.unavailable is None
        assert hosted.waiting() == [poison]
    assert hosted.embedded() == observations
    asked = len(hosted.served.asked)
    assert hosted.embed().observations == 0
    assert len(hosted.served.asked) == asked, "what was given up is not paid for again"
    [row] = hosted.conn.execute(
        "SELECT observation_id, stage, rules, attempts, error FROM lightfast.stage_failures"
    )
    assert row[:4] == (poison, "hosted_embeddings", "text-embedding-3-small-64", 4)
    assert "unspeakable" not in row[4]


def test_a_text_that_changes_while_it_is_embedded_gets_no_vector_of_the_old_text(
    hosted: Hosted, database: Database
) -> None:
    memory = Memory(hosted.conn)
    changed, kept = _commits(memory, 2)
    hosted.set_model(hosted.embedder())
    hosted.conn.commit()

    embedder = hosted.embedder()
    embed = embedder.embed

    def meanwhile(texts: list[str]) -> object:
        vectors = embed(texts)
        with database.connect() as capture:
            capture.execute(
                "UPDATE lightfast.observation_facts SET title = 'New' WHERE id = %s", (changed,)
            )
        return vectors

    embedder.embed = meanwhile  # type: ignore[method-assign, assignment]
    hosted.embed(embedder)
    assert hosted.embedded() == [kept]
    assert hosted.waiting() == [changed]
    assert hosted.embed().observations == 1
    assert hosted.waiting() == []


def test_what_is_deleted_while_it_waits_is_sent_to_nobody(hosted: Hosted) -> None:
    gone, kept = _commits(Memory(hosted.conn), 2)
    hosted.set_model(hosted.embedder())
    hosted.conn.execute(
        "UPDATE lightfast.observation_facts SET is_deleted = true WHERE id = %s", (gone,)
    )
    hosted.embed()
    assert hosted.embedded() == [kept]
    assert hosted.waiting() == []
    assert not [text for texts in hosted.account.inputs for text in texts if "Change 0" in text]


def test_the_queue_gives_each_workspace_its_share_of_a_page(
    hosted: Hosted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosted_stage, "PAGE_OBSERVATIONS", 4)
    _commits(Memory(hosted.conn, slug="large"), 20)
    small = _commits(Memory(hosted.conn, slug="small"), 2)
    hosted.set_model(hosted.embedder())
    assert hosted.embed(most=4).observations == 4
    assert set(small) <= set(hosted.embedded())
    assert hosted.embed().observations == 18
