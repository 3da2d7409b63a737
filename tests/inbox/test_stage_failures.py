"""What a stage after capture cannot do is tried a bounded number of times, seen, and put back; an outage
counts against nobody."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psycopg
import pytest

from lightfast_pipelines.clustering import provisional as clustering
from lightfast_pipelines.clustering.provisional import assign_provisional
from lightfast_pipelines.embedding.pgvector import PgVectorIndex
from lightfast_pipelines.embedding.stage import embed_pending
from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
from lightfast_pipelines.inbox.pending import days_with_work, waiting
from lightfast_pipelines.inbox.requeue import requeue_days
from lightfast_pipelines.inbox.rule_versions import CLUSTER_RULES
from lightfast_pipelines.inbox.waiting import waiting_for_you
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.stage_failures import MOST_ATTEMPTS, try_again
from lightfast_pipelines.store.status import read_status
from lightfast_pipelines.store.time_limit import TimeLimit
from tests import poison
from tests.capture.deliveries import NOW, capture_all, one, receive, rows
from tests.capture.rows import Memory
from tests.inbox.stages import FAILURES, alarm_when_stuck, cluster, embed, two_tenants

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

STAGES: dict[str, Callable[[Connection], int]] = {"embeddings": embed, "clusters": cluster}
# Where a write of a stage can fail.
TABLES = {
    "observation_vectors": "embeddings",
    "cluster_members": "clusters",
}
KINDS = list(poison.KINDS)


class Model(WordLlamaEmbedder):
    """Asks before each call whether it fails."""

    def __init__(self, fails: Callable[[int, Sequence[str]], Exception | None]) -> None:
        self.calls = 0
        self._fails = fails

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.calls += 1
        error = self._fails(self.calls, texts)
        if error is not None:
            raise error
        return super().embed(texts)


def _work(conn: Connection) -> tuple[object, ...]:
    return days_with_work(conn, model="wordllama-256", cluster_rule_version=CLUSTER_RULES).days


@pytest.mark.parametrize("table", TABLES)
def test_work_that_fails_in_any_way_is_tried_four_times_and_then_listed_and_counted(
    database: Database, conn: Connection, table: str
) -> None:
    stage = TABLES[table]
    _, bad = two_tenants(conn, *(f"A poison {way}." for way in KINDS))
    poison.refuse_in(database, table, *KINDS)
    assert STAGES[stage](conn) == 20
    for _ in range(MOST_ATTEMPTS - 1):
        assert waiting_for_you(conn, now=NOW).stuck == []
        assert STAGES[stage](conn) == 0
    found = rows(
        conn,
        "SELECT observation_id, stage, attempts, error_class <> '', length(error) <= 250"
        " FROM lightfast.stage_failures ORDER BY 1",
    )
    assert found == [(each, stage, MOST_ATTEMPTS, True, True) for each in bad]
    listed = waiting_for_you(conn, now=NOW).stuck
    assert sum(row.observations for row in listed) == len(KINDS)
    assert {(row.workspace, row.stage) for row in listed} == {("org-1/attacker", stage)}
    assert {row.command for row in listed} == {
        f"lightfast replay --stage {stage} --workspace org-1/attacker"
    }
    for _, reason in (poison.KINDS[way] for way in KINDS):
        assert any(reason in row.cause for row in listed)
    counted = read_status(conn, datetime.now(UTC))["given_up_by_stages"]
    assert (counted[stage], counted["tried_again"]) == (len(KINDS), 0)


@pytest.mark.parametrize("table", TABLES)
def test_an_observation_that_exceeds_its_time_is_counted_and_the_others_are_done(
    database: Database, conn: Connection, table: str
) -> None:
    stage = TABLES[table]
    attacker, _ = two_tenants(conn, honest=2)
    assert STAGES[stage](conn) == 4
    bad = attacker.observation("github:commit:" + "b" * 40, "A poison forever.")
    attacker.observation("github:commit:" + "c" * 40, "An honest change")
    conn.commit()
    poison.refuse_in(database, table, poison.FOREVER)
    limit = TimeLimit(batch=600, row=0)
    with alarm_when_stuck(database):
        if stage == "embeddings":
            index = PgVectorIndex(conn)
            report = embed_pending(conn, WordLlamaEmbedder(), index, max_rows=9, time_limit=limit)
            assert (report.observations, report.failures) == (1, 1)
        else:
            done = assign_provisional(conn, max_rows=9, time_limit=limit)
            assert (done.observations, done.failures) == (1, 1)
    assert rows(
        conn, "SELECT observation_id, attempts, error_class FROM lightfast.stage_failures"
    ) == [(bad, 1, "QueryCanceled")]


def test_a_day_has_no_work_because_of_observations_that_were_given_up(
    database: Database, conn: Connection
) -> None:
    two_tenants(conn, "A poison constraint.")
    for table in TABLES:
        poison.refuse_in(database, table, "constraint")
    for _ in range(MOST_ATTEMPTS):
        assert _work(conn)
        embed(conn)
        cluster(conn)
    assert _work(conn) == ()
    left = waiting(conn, model="wordllama-256", cluster_rule_version=CLUSTER_RULES)
    assert (left.unembedded, left.unclustered) == (0, 0)
    conn.commit()
    attempts = "SELECT stage, attempts FROM lightfast.stage_failures ORDER BY 1"
    before = rows(conn, attempts)
    assert (embed(conn), cluster(conn)) == (0, 0)
    assert before == rows(conn, attempts)
    assert before == [("clusters", MOST_ATTEMPTS), ("embeddings", MOST_ATTEMPTS)]


def test_the_only_observation_of_all_can_be_given_up(database: Database, conn: Connection) -> None:
    Memory(conn).observation("github:commit:" + "1" * 40, "A poison constraint.")
    conn.commit()
    for table in TABLES:
        poison.refuse_in(database, table, "constraint")
    for _ in range(MOST_ATTEMPTS):
        embed(conn)
        cluster(conn)
    assert _work(conn) == ()


def _refuses(text: str) -> Callable[[int, Sequence[str]], Exception | None]:
    return lambda _, texts: (
        ConnectionError(f"the model hung up; token ghp_{'a1B2' * 9}") if text in texts else None
    )


def test_a_text_that_the_model_never_accepts_is_given_up_and_its_error_contains_no_secret(
    conn: Connection,
) -> None:
    _, [bad] = two_tenants(conn, "What the model does not take")
    model = Model(_refuses("What the model does not take"))
    assert embed(conn, model) == 20
    for _ in range(MOST_ATTEMPTS - 1):
        embed(conn, model)
    assert rows(
        conn, "SELECT observation_id, attempts, error_class FROM lightfast.stage_failures"
    ) == [(bad, MOST_ATTEMPTS, "ConnectionError")]
    calls = model.calls
    assert embed(conn, model) == 0
    assert model.calls == calls
    error = one(conn, "SELECT error FROM lightfast.stage_failures")
    assert "hung up" in error
    assert "a1B2" not in error


@pytest.mark.parametrize(
    "error", [ConnectionError("down"), ValueError("no JSON"), KeyError("data")]
)
@pytest.mark.parametrize(
    "fails",
    [
        pytest.param(lambda call: True, id="always"),
        pytest.param(lambda call: call % 2 == 0, id="every second call"),
        pytest.param(lambda call: call % 3 > 0, id="two calls of three"),
        pytest.param(lambda call: call > 3, id="from some call on"),
        pytest.param(lambda call: call < 10, id="until some call"),
    ],
)
@pytest.mark.parametrize("warm", [True, False])
def test_an_outage_of_the_model_counts_against_no_observation(
    conn: Connection,
    monkeypatch: pytest.MonkeyPatch,
    fails: Callable[[int], bool],
    error: Exception,
    warm: bool,
) -> None:
    from lightfast_pipelines.embedding import stage as embedding

    monkeypatch.setattr(embedding, "BATCH_OBSERVATIONS", 4)
    if warm:
        Memory(conn, "early").observation("github:commit:" + "e" * 40, "Embedded before")
        conn.commit()
        assert embed(conn) == 1
    two_tenants(conn)
    model = Model(lambda call, _: error if fails(call) else None)
    for _ in range(3 * MOST_ATTEMPTS):
        try:
            embed(conn, model)
        except type(error):
            conn.rollback()
        assert one(conn, FAILURES) == 0
    while embed(conn):
        pass
    assert one(conn, "SELECT count(*) FROM lightfast.observation_vectors WHERE view = 'title'") == (
        21 if warm else 20
    )


@pytest.mark.parametrize("table", TABLES)
def test_a_full_disk_counts_against_nobody(
    database: Database, conn: Connection, table: str
) -> None:
    stage = TABLES[table]
    two_tenants(conn)
    # All are done, so that some are known to have gone through.
    assert STAGES[stage](conn) == 20
    memory = Memory(conn, "late", "org-3")
    for n in range(5):
        memory.observation(f"github:commit:{n:040}", "Late")
    conn.commit()
    with database.connect("migrator", autocommit=True) as owner:
        owner.execute(
            """
            CREATE FUNCTION lightfast.full() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE 'could not extend' USING ERRCODE = '53100'; END $$
            """
        )
        owner.execute(
            f"CREATE TRIGGER is_full BEFORE INSERT OR UPDATE ON lightfast.{table}"
            " FOR EACH ROW EXECUTE FUNCTION lightfast.full()".encode()
        )
    for _ in range(MOST_ATTEMPTS):
        with pytest.raises(psycopg.errors.DiskFull):
            STAGES[stage](conn)
        conn.rollback()
    assert one(conn, FAILURES) == 0
    with database.connect("migrator", autocommit=True) as owner:
        owner.execute(f"DROP TRIGGER is_full ON lightfast.{table}".encode())
    assert STAGES[stage](conn) == 5


def test_another_model_and_other_rules_try_it_again(
    database: Database, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, [bad] = two_tenants(conn, "A poison constraint.")
    for table in TABLES:
        poison.refuse_in(database, table, "constraint")
    for _ in range(MOST_ATTEMPTS):
        embed(conn)
        cluster(conn)

    class Another(WordLlamaEmbedder):
        name = "another"

    exactly = days_with_work(conn, model="another", cluster_rule_version=1, exactly=True)
    assert sum(day.unembedded for day in exactly.days) == 21
    embed(conn, Another())
    monkeypatch.setattr(clustering, "RULE_VERSION", 99)
    cluster(conn)
    attempts = "SELECT stage, rules, attempts FROM lightfast.stage_failures ORDER BY 1"
    assert rows(conn, attempts) == [
        ("clusters", "99", 1),
        ("embeddings", "another", 1),
    ]
    poison.allow_again(database, *TABLES)
    embed(conn, Another())
    cluster(conn)
    assert one(conn, FAILURES) == 0
    assert one(
        conn,
        "SELECT cluster_id IS NOT NULL AND embedding_title_id IS NOT NULL"
        " FROM lightfast.observations WHERE id = %s",
        bad,
    )


def test_replay_retries_only_that_stage_and_workspace(database: Database, conn: Connection) -> None:
    attacker, _ = two_tenants(conn, "A poison constraint.")
    Memory(conn, "third", "org-3").observation("github:commit:" + "c" * 40, "A poison constraint.")
    conn.commit()
    for table in TABLES:
        poison.refuse_in(database, table, "constraint")
    for _ in range(MOST_ATTEMPTS):
        embed(conn)
        cluster(conn)
    poison.allow_again(database, *TABLES)
    assert try_again(conn, ["clusters"], attacker.workspace_id) == {"clusters": 1}
    conn.commit()
    assert (embed(conn), cluster(conn)) == (0, 1)
    assert try_again(conn, ["embeddings"]) == {"embeddings": 2}
    conn.commit()
    assert (embed(conn), cluster(conn)) == (2, 0)
    assert try_again(conn, ["clusters"]) == {"clusters": 1}
    conn.commit()
    assert (embed(conn), cluster(conn)) == (0, 1)


def test_a_new_text_of_an_observation_is_tried_at_once_and_the_same_text_is_not(
    database: Database, conn: Connection
) -> None:
    poison.tenants(conn)
    receive(conn, [poison.opened(2, 1, "A poison constraint."), poison.opened(3, 1, "Honest")])
    capture_all(conn)
    poison.refuse_in(database, "observation_vectors", "constraint")
    for _ in range(MOST_ATTEMPTS):
        embed(conn)
    for left in (1, 0):
        requeue_days(conn, [poison.DAY])
        conn.commit()
        capture_all(conn)
        assert one(conn, FAILURES) == left
        # As an older rule may have made it.
        conn.execute(
            "UPDATE lightfast.observation_facts SET title = 'Older' WHERE title LIKE '%poison%'"
        )
        conn.commit()
    poison.allow_again(database, "observation_vectors")
    assert embed(conn) == 1
