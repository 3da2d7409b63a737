"""A sweep finds deleted things by their absence, within a share of the hour's limit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from lightfast_pipelines.recovery.sweep_cycle import SweepCycle, SweepReport
from lightfast_pipelines.recovery.sweeps import sweep
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.sources import Source, find_sources
from lightfast_pipelines.store.sweeps import list_sweeps
from tests.backfill.conftest import PlainApis
from tests.capture.deliveries import capture_all, delivery, receive, rows
from tests.providers.github import more_payloads as more
from tests.providers.github import payloads
from tests.recovery.existing import Existing
from tests.recovery.hooks import HookProviderApi
from tests.servers.serving import Fault, Served, serve

Run = Callable[..., dict[str, SweepReport]]
ISSUES, COMMENTS = 210, 110


@pytest.fixture
def remembered(conn: Connection, source: Source) -> Existing:
    """Issues, comments and a deployment, both stored and at GitHub."""
    said: list[tuple[str, dict[str, Any]]] = [
        ("issues", payloads.issue("opened", number)) for number in range(1, ISSUES + 1)
    ]
    said += [
        ("issue_comment", {**more.issue_comment(f"Comment {number}", comment_id=number)})
        for number in range(1_001, 1_001 + COMMENTS)
    ]
    said.append(("deployment", more.deployment()))
    receive(conn, [delivery(event, payload) for event, payload in said])
    capture_all(conn)
    return Existing(set(range(1, ISSUES + 1)), set(range(1_001, 1_001 + COMMENTS)), {40})


@contextmanager
def sweeps(database: Database, existing: Existing) -> Iterator[tuple[Served, Run]]:
    """The server, and a function that runs the sweep against it, `later` than now."""
    with serve(existing) as served:
        apis = PlainApis(database, served.url, HookProviderApi())

        def run(share: float = 0.05, later: timedelta = timedelta()) -> dict[str, SweepReport]:
            cycle = SweepCycle(
                database=database,
                apis=apis,
                clock=lambda: datetime.now(UTC) + later,
                first_day=date(2008, 1, 1),
                share=share,
                actor="schedule:test",
            )
            with database.connect() as conn:
                return {report.kind: report for report in sweep(cycle, find_sources(conn))}

        yield served, run


def an_hour_later(conn: Connection, shift: str = "- interval '1 hour'") -> None:
    conn.execute(f"UPDATE lightfast.id_sweeps SET hour_from = hour_from {shift}")
    conn.commit()


def deleted(conn: Connection) -> set[str]:
    deleted_rows = rows(
        conn,
        """
        SELECT entity_id FROM lightfast.temporal_states
        WHERE state_type = 'existence' AND state_value = 'deleted' AND is_current
        """,
    )
    return {row[0] for row in deleted_rows}


def test_every_deletion_is_marked_within_two_sweeps_and_a_twentieth_of_the_budget(
    database: Database, conn: Connection, remembered: Existing
) -> None:
    gone_issues, gone_comments = set(range(5, ISSUES, 9)), set(range(1_003, 1_110, 5))
    remembered.issues -= gone_issues
    remembered.comments -= gone_comments
    remembered.deployments.clear()
    with sweeps(database, remembered) as (served, run):
        for hour in range(2):
            asked = served.count()
            run()
            assert served.count() - asked <= 250, hour
            capture_all(conn)
            an_hour_later(conn)
    assert deleted(conn) == {
        *(f"github:issue:1#{number}" for number in gone_issues),
        *(f"github:comment:comment:{number}" for number in gone_comments),
        "github:deployment:1:40",
    }
    still = rows(conn, "SELECT count(DISTINCT subject_key) FROM lightfast.remembered")
    # The comments are on issue 5, which is gone, and with it they are.
    assert still == [(ISSUES - len(gone_issues),)]


def test_nothing_is_marked_and_little_is_asked_where_everything_exists(
    database: Database, conn: Connection, remembered: Existing
) -> None:
    with sweeps(database, remembered) as (served, run):
        reports = run()
        assert served.count() == 3 + 1 + 2 + 3 + 1 + 1
    assert [report.gone for report in reports.values() if report.gone] == []
    assert {report.status for report in reports.values()} == {"whole"}
    assert reports["issue"].known == reports["issue"].listed == ISSUES
    assert deleted(conn) == set()


@pytest.mark.parametrize(
    "shift", ["- interval '1 hour'", "+ interval '400 days'"], ids=["later", "clock was ahead"]
)
def test_a_sweep_stops_at_its_share_and_resumes_in_the_next_hour(
    database: Database, conn: Connection, remembered: Existing, shift: str
) -> None:
    remembered.limit = 1_000
    remembered.issues -= {209, 210}
    with sweeps(database, remembered) as (served, run):
        run(share=1.0)
        an_hour_later(conn, shift)
        remembered.issues -= {207, 208}
        asked = served.count("graphql")
        first = run(share=0.002)
        assert first["issue"].status == "paused"
        assert served.count("graphql") - asked == 2
        assert run(share=0.002)["issue"].requests == 0
        an_hour_later(conn, shift)
        second = run(share=0.004)
        assert (second["issue"].status, second["issue"].listed) == ("whole", 206)
    capture_all(conn)
    assert deleted(conn) == {f"github:issue:1#{number}" for number in (207, 208, 209, 210)}


def test_what_the_share_does_not_suffice_to_confirm_is_gone_when_missing_twice(
    database: Database, conn: Connection, remembered: Existing
) -> None:
    remembered.limit = 1_000
    remembered.issues -= {10, 20, 30}
    with sweeps(database, remembered) as (_, run):
        with database.connect() as other:
            other.execute(
                """
                INSERT INTO lightfast.api_budgets (installation_id, pool, limit_, remaining)
                VALUES (1, 'core', 1, 1000), (1, 'graphql', 1000, 1000)
                """
            )
            other.commit()
        first = run(share=0.5)["issue"]
        assert (first.gone, first.left, first.asked) == ([], 3, 0)
        an_hour_later(conn)
        second = run(share=0.5)["issue"]
        assert (len(second.gone), second.left) == (3, 0)
    capture_all(conn)
    assert deleted(conn) == {f"github:issue:1#{number}" for number in (10, 20, 30)}


def test_an_issue_that_moved_to_another_repository_is_not_deleted(
    database: Database, conn: Connection, remembered: Existing
) -> None:
    remembered.issues -= {7, 8}
    remembered.moved = {7: "/repositories/2/issues/7"}
    with sweeps(database, remembered) as (served, run):
        served.faults.append(Fault("GET /repositories/2/issues/7", 1, 200, body={"number": 7}))
        assert run()["issue"].gone == ["github:issue:1#8"]
        assert served.count("repositories/2/") == 1
        capture_all(conn)
        an_hour_later(conn)
        assert run()["issue"].gone == []
        assert served.count("repositories/2/") == 1
    capture_all(conn)
    assert deleted(conn) == {"github:issue:1#8"}


def test_issues_that_are_switched_off_are_not_deleted(
    database: Database, conn: Connection, remembered: Existing
) -> None:
    remembered.issues.clear()
    remembered.has_issues = False
    with sweeps(database, remembered) as (_, run):
        report = run()["issue"]
    assert report.gone == []
    assert report.error is not None
    assert "issues are switched off" in report.error


def test_all_issues_of_a_repository_can_be_deleted_at_once(
    database: Database, conn: Connection, remembered: Existing
) -> None:
    remembered.issues.clear()
    with sweeps(database, remembered) as (_, run):
        report = run(share=0.5)["issue"]
    assert (len(report.gone), report.error) == (ISSUES, None)


@pytest.mark.parametrize("status", [403, 451])
def test_a_thing_that_may_not_be_read_is_not_deleted(
    database: Database, conn: Connection, remembered: Existing, status: int
) -> None:
    remembered.issues -= {7, 8}
    with sweeps(database, remembered) as (served, run):
        served.faults.append(
            Fault("GET /repositories/1/issues/7", 1, status, body={"message": "no"})
        )
        report = run()["issue"]
    assert (report.gone, report.left) == (["github:issue:1#8"], 0)


def test_an_answer_about_another_thing_deletes_nothing(
    database: Database, conn: Connection, remembered: Existing
) -> None:
    remembered.comments -= {1_007, 1_008}
    with sweeps(database, remembered) as (served, run):
        other = {"id": 1_009}
        served.faults.append(Fault("issues/comments/1007", 1, 200, body=other))
        report = run()["comment"]
    assert report.gone == ["github:comment:comment:1008"]
    assert "answers with id 1009" in (report.error or "")


def test_nothing_is_deleted_where_a_listed_thing_is_reported_missing_too(
    database: Database, conn: Connection, remembered: Existing
) -> None:
    """As when the repository is deleted during a sweep, or a token may read only lists."""
    remembered.comments -= {1_007, 1_008}
    with sweeps(database, remembered) as (served, run):
        missing = Fault("GET /repositories/1/issues/comments/", 99, 404, body={"message": "no"})
        served.faults.append(missing)
        report = run()["comment"]
    assert (report.status, report.gone) == ("failed", [])
    assert "missing when it is asked for alone" in (report.error or "")


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Fault("/issues/comments?", 99, 404, body={"message": "Not Found"}), "answered 404"),
        (Fault("/issues/comments?", 99, 403, body={"message": "no"}), "answered 403"),
        (Fault("/issues/comments?", 99, 503), "answered 503"),
        (Fault("/issues/comments?", 99, 200, body={"a": 1}), "is not a list"),
        (Fault("GET /repositories/1/issues/comments/", 99, 500), "answered 500"),
    ],
)
def test_a_list_that_fails_marks_nothing_and_leaves_other_sweeps_alone(
    database: Database, conn: Connection, remembered: Existing, fault: Fault, message: str
) -> None:
    remembered.comments.discard(1_001)
    remembered.issues.discard(3)
    with sweeps(database, remembered) as (served, run):
        served.faults.append(fault)
        reports = run()
        assert reports["comment"].status == "failed"
        assert message in (reports["comment"].error or "")
        assert reports["issue"].gone == ["github:issue:1#3"]
    with database.connect() as other:
        [row] = [swept for swept in list_sweeps(other) if swept.kind == "comment"]
    assert row.error is not None
    assert row.finished_at is None


def test_a_deletion_that_waits_to_be_captured_is_not_written_twice(
    database: Database, conn: Connection, remembered: Existing
) -> None:
    remembered.issues.discard(3)
    with sweeps(database, remembered) as (_, run):
        run()
        an_hour_later(conn)
        run(later=timedelta(hours=1))
    assert rows(
        conn, "SELECT count(*) FROM lightfast.raw_payloads WHERE ingestion_source = 'api'"
    ) == [(1,)]


def test_nothing_is_asked_with_a_refused_credential(
    database: Database, conn: Connection, remembered: Existing
) -> None:
    conn.execute("UPDATE lightfast.tokens SET status = 'refused', status_reason = 'revoked'")
    conn.commit()
    with sweeps(database, remembered) as (served, run):
        assert run() == {}
        assert served.count() == 0
