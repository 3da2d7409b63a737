"""The queue of the hosted model: who is in it, how a new model takes over, and what a kill costs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lightfast_pipelines.store import hosted_vectors
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.hosted_vectors import (
    HostedProgress,
    current_model,
    days_waiting,
    examine_again,
    examine_more,
    hosted_progress,
    remove_retired,
    serving_model,
    set_model,
)
from tests.capture.rows import START, Memory
from tests.embedding.hosted import Hosted, hosted_memory
from tests.servers.serving import Fault

SMALL, LARGE = "text-embedding-3-small-64", "text-embedding-3-large-96"


@pytest.fixture
def hosted(conn: Connection) -> Iterator[Hosted]:
    with hosted_memory(conn) as memory:
        yield memory


def _commits(memory: Memory, count: int, *, start: int = 0) -> list[int]:
    return [
        memory.observation(f"github:commit:{number:040}", f"Change {number}")
        for number in range(start, start + count)
    ]


def test_a_new_model_takes_over_when_it_covers_the_workspace_and_the_old_one_serves_until_then(
    hosted: Hosted,
) -> None:
    memory = Memory(hosted.conn)
    observations = _commits(memory, 6)
    assert serving_model(hosted.conn, memory.workspace_id) is None
    hosted.set_model(hosted.embedder())
    hosted.embed()
    assert serving_model(hosted.conn, memory.workspace_id) == SMALL
    large = hosted.embedder("text-embedding-3-large", 96)
    hosted.set_model(large)
    assert current_model(hosted.conn) == LARGE
    hosted.embed(large, most=4)
    assert serving_model(hosted.conn, memory.workspace_id) == SMALL
    assert hosted_progress(hosted.conn) == HostedProgress(LARGE, 1, 0, 2, is_examined=True)
    assert remove_retired(hosted.conn, at_most=100) == 0
    hosted.embed(large)
    assert serving_model(hosted.conn, memory.workspace_id) == LARGE
    assert hosted_progress(hosted.conn) == HostedProgress(LARGE, 1, 1, 0, is_examined=True)
    assert hosted.embedded(SMALL) == observations
    assert remove_retired(hosted.conn, at_most=100, page=5) == 18
    assert hosted.embedded(SMALL) == []
    assert hosted.embedded(LARGE) == observations
    rows = hosted.conn.execute("SELECT model FROM lightfast.hosted_models").fetchall()
    assert rows == [(LARGE,)]


def test_a_workspace_that_is_added_in_an_outage_is_searched_by_local_vectors(
    hosted: Hosted,
) -> None:
    first = Memory(hosted.conn)
    _commits(first, 1)
    hosted.set_model(hosted.embedder())
    hosted.embed()
    added = Memory(hosted.conn, "added")
    _commits(added, 2)
    hosted.embed_locally()
    hosted.served.faults.append(Fault(times=3))
    assert hosted.embed().unavailable is not None
    assert serving_model(hosted.conn, added.workspace_id) is None
    hosted.embed()
    assert serving_model(hosted.conn, added.workspace_id) == SMALL
    assert serving_model(hosted.conn, first.workspace_id) == SMALL


def test_removing_old_vectors_is_bounded_and_goes_on(hosted: Hosted) -> None:
    memory = Memory(hosted.conn)
    _commits(memory, 4)
    hosted.embed_locally()
    hosted.set_model(hosted.embedder())
    hosted.embed()
    large = hosted.embedder("text-embedding-3-large", 96)
    hosted.set_model(large)
    hosted.embed(large)
    assert remove_retired(hosted.conn, at_most=5, page=5) == 5
    assert remove_retired(hosted.conn, at_most=5, page=5) == 5
    assert remove_retired(hosted.conn, at_most=5, page=5) == 2
    counts = hosted.conn.execute(
        "SELECT model, count(*) FROM lightfast.observation_vectors GROUP BY 1 ORDER BY 1"
    ).fetchall()
    assert counts == [(LARGE, 12), ("wordllama-256", 12)]


def test_old_vectors_of_an_observation_that_capture_rewrites_are_left_to_the_next_night(
    database: Database, hosted: Hosted
) -> None:
    memory = Memory(hosted.conn)
    _commits(memory, 2)
    hosted.set_model(hosted.embedder())
    hosted.embed()
    large = hosted.embedder("text-embedding-3-large", 96)
    hosted.set_model(large)
    hosted.embed(large)
    with database.connect("pipeline") as capturing:
        capturing.execute(
            "UPDATE lightfast.observation_facts SET title = 'Retold'"
            " WHERE id = (SELECT max(id) FROM lightfast.observation_facts)"
        )
        hosted.conn.execute("SET lock_timeout = '1s'")
        assert remove_retired(hosted.conn, at_most=99) == 3
        capturing.rollback()
    assert remove_retired(hosted.conn, at_most=99) == 3


def test_examining_goes_on_where_it_was_ended(
    hosted: Hosted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosted_vectors, "_WALK", 2)
    observations = _commits(Memory(hosted.conn), 5)
    set_model(hosted.conn, SMALL)
    assert examine_more(hosted.conn)
    hosted.conn.rollback()
    assert hosted.waiting() == observations[:2]
    # A run meanwhile does not take the part for the whole.
    hosted.embed()
    assert serving_model(hosted.conn, 1) is None
    set_model(hosted.conn, SMALL)
    assert examine_more(hosted.conn)
    assert not examine_more(hosted.conn)
    assert not examine_more(hosted.conn)
    assert hosted.waiting() == observations[2:]


@pytest.mark.parametrize("count", [0, 4])
def test_examining_ends_also_where_the_last_part_is_empty(
    hosted: Hosted, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(hosted_vectors, "_WALK", 2)
    memory = Memory(hosted.conn)
    observations = _commits(memory, count)
    hosted.set_model(hosted.embedder())
    assert hosted.waiting() == observations
    hosted.embed()
    assert serving_model(hosted.conn, memory.workspace_id) == SMALL


def test_an_observation_whose_text_changed_waits_again(hosted: Hosted) -> None:
    memory = Memory(hosted.conn)
    first, _second = _commits(memory, 2)
    hosted.set_model(hosted.embedder())
    hosted.embed_locally()
    hosted.embed()
    hosted.conn.execute(
        "UPDATE lightfast.observation_facts SET title = 'New' WHERE id = %s", (first,)
    )
    hosted.conn.commit()
    assert not examine_more(hosted.conn)
    hosted.embed_locally()
    assert hosted.waiting() == [first]
    assert serving_model(hosted.conn, memory.workspace_id) == SMALL


def test_an_observation_that_became_significant_is_found_by_the_nightly_look(
    hosted: Hosted,
) -> None:
    memory = Memory(hosted.conn)
    [observation] = _commits(memory, 1)
    hosted.conn.execute("UPDATE lightfast.observation_facts SET significance_score = 10")
    hosted.set_model(hosted.embedder())
    hosted.embed()
    hosted.conn.execute("UPDATE lightfast.observation_facts SET significance_score = 80")
    hosted.conn.commit()
    assert not examine_more(hosted.conn)
    examine_again(hosted.conn)
    while examine_more(hosted.conn):
        pass
    assert hosted.waiting() == [observation]
    assert serving_model(hosted.conn, memory.workspace_id) == SMALL


def test_a_key_that_was_taken_away_and_came_back_is_caught_up_with(hosted: Hosted) -> None:
    memory = Memory(hosted.conn)
    _commits(memory, 2)
    hosted.set_model(hosted.embedder())
    hosted.embed()
    hosted.set_model(None)
    assert serving_model(hosted.conn, memory.workspace_id) is None
    assert hosted_progress(hosted.conn) is None
    [missed] = _commits(memory, 1, start=2)
    hosted.embed_locally()
    hosted.set_model(hosted.embedder())
    assert hosted.waiting() == [missed]
    assert serving_model(hosted.conn, memory.workspace_id) is None
    hosted.embed()
    assert serving_model(hosted.conn, memory.workspace_id) == SMALL
    assert len(hosted.account.inputs) == 2, "vectors that are there are not paid for again"


def test_the_newest_days_that_wait_are_counted(hosted: Hosted) -> None:
    memory = Memory(hosted.conn)
    _commits(memory, 2)
    later = START.date().replace(day=9)
    memory.observation("github:commit:" + "f" * 40, "Later", day=later)
    hosted.set_model(hosted.embedder())
    assert days_waiting(hosted.conn, SMALL, 100) == {START.date(): 2, later: 1}
    assert days_waiting(hosted.conn, SMALL, 2) == {START.date(): 1, later: 1}
