"""What a large delivery costs grows with the delivery and no faster: operations and rows are counted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from lightfast_pipelines.clustering.provisional import assign_provisional
from lightfast_pipelines.domain.enrichment import enrich
from lightfast_pipelines.domain.events import Understood
from lightfast_pipelines.embedding.pgvector import PgVectorIndex
from lightfast_pipelines.embedding.stage import embed_pending
from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
from lightfast_pipelines.providers import discover
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.deliveries import Delivery
from lightfast_pipelines.store.digest import digest_lines
from tests.capture.deliveries import NOW, capture_all, delivery, one, receive, workspace_with
from tests.capture.provider_deliveries import linked, provider_delivery
from tests.capture.rows_read import rows_read, rows_written, without_leftovers
from tests.operations import operations
from tests.providers.github import payloads as github
from tests.providers.github.payloads import Json
from tests.providers.linear import payloads as linear
from tests.providers.sentry import payloads as sentry
from tests.providers.vercel import payloads as vercel


def _push(number: int, repo_id: int = 1) -> Json:
    """A push of so many commits by one person to one file within an hour."""
    return github.push(
        [
            github.commit(
                f"Change {n} of {repo_id}", at=f"2024-05-02T10:{n // 60 % 60:02}:{n % 60:02}Z"
            )
            for n in range(number)
        ],
        repo_id=repo_id,
    )


def test_a_push_of_twice_the_commits_takes_at_most_some_twice_the_operations() -> None:
    provider = discover()["github"]
    provider.read("push", _push(10))
    few, many = _push(400), _push(800)
    first = operations(lambda: provider.read("push", few))
    assert operations(lambda: provider.read("push", many)) <= 2.3 * first


def _crowded(number: int) -> dict[str, tuple[str, str, Json]]:
    """Payloads with lists of so many: provider, event, payload."""
    people = tuple(f"person{n}" for n in range(number))
    labels = [{"id": f"l{n}", "name": f"Label {n}"} for n in range(number)]
    pull_request = github.pull_request(assignees=people, reviewers=people, labels=people)
    alert = sentry.metric_alert("critical")
    alert["data"]["metric_alert"]["projects"] = [f"project-{n}" for n in range(number)]
    return {
        "assignees, reviewers and labels": ("github", "pull_request", pull_request),
        "labels": ("linear", "Issue", linear.issue(labels=labels)),
        "projects": ("sentry", "metric_alert", alert),
    }


@pytest.mark.parametrize("lists", _crowded(1))
def test_twice_as_many_in_a_list_take_at_most_some_twice_the_operations(lists: str) -> None:
    def read(number: int) -> int:
        provider, event, payload = _crowded(number)[lists]
        readers = discover()[provider]
        read = readers.read(event, payload)
        assert isinstance(read, Understood)
        return operations(
            lambda: [enrich(one) for one in readers.read(event, payload).statements]  # type: ignore[union-attr]
        )

    read(10)
    assert read(600) <= 2.4 * read(300)


def test_capture_of_a_push_of_twice_the_commits_reads_at_most_some_twice_the_rows(
    conn: Connection,
) -> None:
    workspace_with(conn, "small", 1)
    workspace_with(conn, "large", 2)
    read = []
    # The statistics of a new table say nothing of it, as when much comes at once.
    for repository, commits in ((1, 300), (2, 600)):
        receive(conn, [delivery("push", _push(commits, repository))])
        before = rows_read(conn)
        capture_all(conn)
        read.append(rows_read(conn) - before)
    assert read[1] <= 2.6 * read[0]


def test_capture_finds_rows_by_index_even_while_a_table_is_small(conn: Connection) -> None:
    """A plan for a small table is kept by the session while the table grows."""

    def read_as_a_whole() -> dict[str, int]:
        conn.execute("SELECT pg_stat_force_next_flush()")
        conn.commit()
        found = conn.execute(
            "SELECT relname, seq_tup_read FROM pg_stat_user_tables WHERE schemaname = 'lightfast'"
        ).fetchall()
        conn.rollback()
        # What waits is counted up to the size of a batch; lanes of the queue are few.
        return {table: read for table, read in found if table not in ("raw_queue", "queue_turns")}

    workspace_with(conn)
    receive(conn, [delivery("issues", github.issue("opened", n)) for n in range(1, 30)])
    capture_all(conn)
    receive(conn, [delivery("push", _push(20))])
    receive(conn, [delivery("issues", github.issue("closed", n)) for n in range(1, 30)])
    before = read_as_a_whole()
    capture_all(conn)
    assert read_as_a_whole() == before


@pytest.mark.parametrize("stage", ["embeddings", "clusters"])
def test_a_stage_with_nothing_to_do_reads_none_of_the_finished_rows(
    database: Database, conn: Connection, stage: str
) -> None:
    def run() -> None:
        if stage == "clusters":
            assign_provisional(conn, max_rows=1_000)
        else:
            embed_pending(conn, WordLlamaEmbedder(), PgVectorIndex(conn), max_rows=1_000)

    workspace_with(conn, "small", 1)
    workspace_with(conn, "large", 2)
    read = []
    for repository, commits in ((1, 100), (2, 400)):
        receive(conn, [delivery("push", _push(commits, repository))])
        capture_all(conn)
        run()
        conn.commit()
        with without_leftovers(database, conn):
            before = rows_read(conn)
            run()
            read.append(rows_read(conn) - before)
    assert read[1] <= read[0] + 20


def test_clusters_of_a_push_of_twice_the_commits_read_at_most_some_twice_the_rows(
    conn: Connection,
) -> None:
    workspace_with(conn, "small", 1)
    workspace_with(conn, "large", 2)
    read = []
    for repository, commits in ((1, 150), (2, 300)):
        receive(conn, [delivery("push", _push(commits, repository))])
        capture_all(conn)
        conn.execute("ANALYZE")
        before = rows_read(conn)
        # In two halves: the second looks for what is near among the first.
        for _ in range(2):
            assign_provisional(conn, max_rows=commits // 2)
        read.append(rows_read(conn) - before)
    assert read[1] <= 2.6 * read[0]


def _at(minutes: int) -> datetime:
    return NOW + timedelta(minutes=minutes)


def _moment(minutes: int) -> str:
    return f"{_at(minutes):%Y-%m-%dT%H:%M:%SZ}"


def _issue_of_github(n: int) -> Delivery:
    """Closed and reopened in turn."""
    payload = github.issue("closed" if n % 2 else "reopened", 5)
    payload["issue"] |= {"updated_at": _moment(n), "closed_at": _moment(n) if n % 2 else None}
    return delivery("issues", payload, received_at=_at(n))


def _issue_of_linear(n: int) -> Delivery:
    """Moved forth and back in turn."""
    state, before = ("started", "unstarted") if n % 2 else ("unstarted", "started")
    payload = linear.issue_update({"stateId": f"state-{before}"}, state=state, at=_moment(n))
    return provider_delivery("linear", "Issue", payload, at=_at(n))


def _issue_of_sentry(n: int) -> Delivery:
    payload = sentry.issue("resolved" if n % 2 else "unresolved", last_seen=_moment(n))
    return provider_delivery("sentry", "issue", payload, at=_at(n))


_CHANGING = [_issue_of_github, _issue_of_linear, _issue_of_sentry]
_LINKS = (("github", "1"), ("linear", "team-1"), ("sentry", "42"))
_STATES = "SELECT count(*) FROM lightfast.temporal_states"


@pytest.mark.parametrize("change", _CHANGING)
def test_one_more_change_of_a_state_reads_as_many_rows_after_many_as_after_few(
    database: Database, conn: Connection, change: Callable[[int], Delivery]
) -> None:
    linked(conn, "shop", *_LINKS)
    read = []
    for first, number in ((0, 40), (41, 160)):
        receive(conn, [change(n) for n in range(first, number)])
        capture_all(conn)
        with without_leftovers(database, conn):
            receive(conn, [change(number)])
            before = rows_read(conn, "temporal_states", "state_changes")
            capture_all(conn)
            read.append(rows_read(conn, "temporal_states", "state_changes") - before)
    assert one(conn, _STATES) > 160
    assert read[1] <= read[0] + 5


def test_one_more_statement_of_an_edge_reads_as_many_rows_after_many_as_after_few(
    database: Database, conn: Connection
) -> None:
    linked(conn, "shop", *_LINKS)
    read = []
    for first, number in ((0, 40), (41, 160)):
        receive(conn, [_issue_of_sentry(n) for n in range(first, number)])
        capture_all(conn)
        with without_leftovers(database, conn):
            receive(conn, [_issue_of_sentry(number)])
            before = rows_read(conn, "relationships", "relationship_sources")
            capture_all(conn)
            read.append(rows_read(conn, "relationships", "relationship_sources") - before)
    assert one(conn, "SELECT max(observation_count) FROM lightfast.relationships") > 160
    assert read[1] <= read[0] + 5


@pytest.mark.parametrize("change", _CHANGING)
def test_a_continued_state_equals_one_folded_at_once(
    new_database: Callable[[], Database], change: Callable[[int], Delivery]
) -> None:
    digests = []
    for batch_rows, step in ((1, 1), (3, 5), (100, 20)):
        with new_database().connect() as conn:
            linked(conn, "shop", *_LINKS)
            for first in range(0, 20, step):
                receive(conn, [change(n) for n in range(first, first + step)])
                capture_all(conn, batch_rows=batch_rows)
            assert one(conn, _STATES) > 20
            digests.append(digest_lines(conn, knowledge=True))
    assert digests[0] == digests[1] == digests[2]


def test_one_more_deployment_of_an_environment_writes_only_what_it_changes(
    conn: Connection,
) -> None:
    """Which of them serves is decided from all of them together."""
    linked(conn, "shop", ("vercel", "prj_1"))
    written = []
    for first, number in ((0, 20), (21, 80)):
        for n in range(first, number + 1):
            at = int(_at(n).timestamp() * 1_000)
            payload = vercel.deployment("succeeded", f"dpl_{n}", at=at)
            receive(conn, [provider_delivery("vercel", "deployment.succeeded", payload, at=_at(n))])
            before = rows_written(conn, "temporal_states") if n == number else 0
            if n in (number - 1, number):
                capture_all(conn)
        written.append(rows_written(conn, "temporal_states") - before)
    assert one(conn, _STATES) > 160
    assert written[1] == written[0]
