"""`lightfast process` with a key, whose service is away: everything is stored, observed and clustered."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest

from lightfast_pipelines.embedding.pgvector import PgVectorIndex
from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
from lightfast_pipelines.processing import ProcessReport, process
from lightfast_pipelines.settings import Settings
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.model_usage import usage_on
from tests.arriving import arrive, count, link
from tests.embedding.hosted import Hosted, hosted_memory
from tests.sensors.test_work_outside_runs import Silent
from tests.servers.serving import Fault

NOW = datetime(2024, 6, 1, tzinfo=UTC)


@pytest.fixture
def hosted(conn: Connection) -> Iterator[Hosted]:
    with hosted_memory(conn) as memory:
        yield memory


def _process(database: Database, hosted: Hosted) -> ProcessReport:
    return process(
        database,
        Settings(),
        WordLlamaEmbedder(),
        PgVectorIndex,
        Silent(),
        hosted=hosted.embedder(),
        clock=lambda: NOW,
    )


def test_an_outage_of_the_hosted_model_leaves_nothing_undone_but_its_own_vectors(
    hosted: Hosted, database: Database
) -> None:
    conn = hosted.conn
    link(conn)
    arrive(conn, [date(2024, 5, 1), date(2024, 5, 2)], each=3)
    hosted.served.faults.append(Fault(status=500, times=1_000))
    report = _process(database, hosted)
    assert report.waits.total == 0
    assert report.deliveries == count(conn, "raw_payloads") == 6
    assert report.embedded == count(conn, "observations") > 0
    assert (report.hosted, report.hosted_unavailable) == (0, "OpenAI answered 500")
    unclustered = conn.execute(
        "SELECT count(*) FROM lightfast.observations WHERE cluster_id IS NULL"
    ).fetchone()
    assert unclustered == (0,)
    waiting = len(hosted.waiting())
    assert waiting > 0
    hosted.served.faults.clear()
    report = _process(database, hosted)
    assert (report.hosted, report.hosted_unavailable) == (waiting, None)
    assert hosted.waiting() == []
    purposes = {usage.purpose for usage in usage_on(conn, NOW.date())}
    assert purposes == {"embeddings", "entities"}, "usage counts on the day of the clock"


def test_clusters_are_the_same_with_and_without_a_hosted_model(
    hosted: Hosted, database: Database
) -> None:
    conn = hosted.conn
    link(conn)
    arrive(conn, [date(2024, 5, 1), date(2024, 5, 9)], each=4)
    process(database, Settings(), WordLlamaEmbedder(), PgVectorIndex, Silent())
    members = "SELECT observation_id, cluster_id FROM lightfast.cluster_members ORDER BY 1"
    without = conn.execute(members).fetchall()
    conn.commit()
    assert _process(database, hosted).hosted > 0
    conn.execute("UPDATE lightfast.consolidation_marks SET changes = changes + 1")
    conn.commit()
    assert _process(database, hosted).workspaces == 1
    assert conn.execute(members).fetchall() == without
