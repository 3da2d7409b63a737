"""Lost deliveries come back: sent again by the provider, or taken from its log."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from lightfast_pipelines.providers.api_contract import AppKeys
from lightfast_pipelines.recovery.cycle import LogReport, RecoveryCycle
from lightfast_pipelines.recovery.lost_deliveries import recover
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.outages import list_checks, list_outages
from lightfast_pipelines.store.sources import Source, find_sources
from tests.backfill.conftest import PlainApis
from tests.depth import size
from tests.providers.github import payloads
from tests.recovery.hooks import HookProviderApi, Hooks, post_under_id
from tests.servers.serving import Fault, Served, serve
from tests.webhook_receiver.serving import ready_receiver, stored_ids

Cycle = Callable[..., list[LogReport]]


@pytest.fixture(scope="module")
def keys() -> AppKeys:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    return AppKeys(client_id="12345", private_key=pem.decode().replace("\n", "\\n"))


@pytest.fixture
def app(source: Source, conn: Connection) -> Source:
    """The linked repository, connected by an App."""
    conn.execute("UPDATE lightfast.tokens SET kind = 'github_app'")
    conn.commit()
    return find_sources(conn)[0]


@contextmanager
def cycles(
    database: Database, hooks: Hooks, keys: AppKeys, *, patience: float = 1.0
) -> Iterator[tuple[Served, Cycle]]:
    """The log's server, and a function that runs one cycle against it."""
    with serve(hooks) as served:
        apis = PlainApis(database, served.url, HookProviderApi())

        def cycle(sources: list[Source] | None = None) -> list[LogReport]:
            with database.connect() as conn:
                linked = find_sources(conn) if sources is None else sources
            recovery_cycle = RecoveryCycle(
                database=database,
                apis=apis,
                app_keys=lambda _: keys,
                clock=lambda: datetime.now(UTC),
                # A delivery that is sent again arrives before the request for it is answered.
                sleep=lambda _: None,
                first_day=date(2008, 1, 1),
                actor="schedule:test",
                patience_seconds=patience,
            )
            return recover(recovery_cycle, linked)

        yield served, cycle


def issue(number: int) -> dict[str, Any]:
    return payloads.issue("opened", number)


def ago(**passed: float) -> datetime:
    return datetime.now(UTC) - timedelta(**passed)


def test_all_dropped_deliveries_are_recovered_in_one_cycle(
    database: Database, app: Source, keys: AppKeys
) -> None:
    hooks, total = Hooks(), size(200, 1_000)
    lost_number = total // 10
    with ready_receiver(database.url("migrator")) as receiver:
        for number in range(1, total + 1):
            dropped = total // 2 - lost_number < number <= total // 2
            at = ago(hours=2) + timedelta(seconds=number)
            hooks.deliver(None if dropped else receiver, "issues", issue(number), at)
        hooks.receiver = str(receiver.base_url)
        lost = [attempt for attempt in hooks.tries if attempt.status == 502]
        assert len(stored_ids(database)) == total - lost_number
        with cycles(database, hooks, keys) as (served, cycle):
            [report] = cycle()
            assert served.count("POST") == lost_number
            assert {attempt.guid for attempt in hooks.tries} == stored_ids(database)
            assert (report.missed, report.redelivered, report.by_api) == (
                lost_number,
                lost_number,
                0,
            )
            assert (report.recovered, report.missing, report.error) == (lost_number, 0, None)
            assert (report.down_from, report.down_until) == (lost[0].at, lost[-1].at)
            [again] = cycle()
            assert (again.missed, served.count("POST")) == (0, lost_number)
    with database.connect() as conn:
        [outage] = list_outages(conn)
        activity_rows = conn.execute(
            "SELECT action, actor, message FROM lightfast.activity WHERE provider = 'github' AND action LIKE 'outage%'"
        ).fetchall()
    assert (outage.missed, outage.recovered, list(outage.deliveries)) == (
        lost_number,
        lost_number,
        [],
    )
    assert (outage.down_from, outage.down_until) == (lost[0].at, lost[-1].at)
    [(action, actor, message)] = activity_rows
    assert (action, actor) == ("outage.recovered", "schedule:test")
    assert (
        f"{lost_number} deliveries missed, {lost_number} recovered"
        f" ({lost_number} sent again, 0 taken from the log)"
    ) in message


def test_the_app_authorizes_itself_to_read_its_log(
    database: Database, app: Source, keys: AppKeys
) -> None:
    hooks = Hooks()
    with cycles(database, hooks, keys) as (_, cycle):
        cycle()
    assert len(hooks.authorizations) == 1
    [given] = hooks.authorizations
    assert given.startswith("Bearer ey")


def test_a_delivery_that_does_not_arrive_again_is_taken_from_the_log(
    database: Database, app: Source, keys: AppKeys
) -> None:
    hooks = Hooks()
    attempt = hooks.deliver(None, "issues", issue(1), ago(hours=1))
    with cycles(database, hooks, keys, patience=0.6) as (_, cycle):
        [report] = cycle()
    assert (report.missed, report.redelivered, report.by_api, report.missing) == (1, 0, 1, 0)
    with database.connect() as conn:
        row = conn.execute(
            """
            SELECT p.delivery_id, p.ingestion_source, p.org_id, p.verified_by, p.event_type,
                   b.headers->>'content-type', b.headers ? 'first-sent-at'
            FROM lightfast.raw_payloads p JOIN lightfast.raw_bodies b ON b.raw_payload_id = p.id
            """
        ).fetchone()
    verified_by = f"credential:{app.installation_id}"
    assert row == (attempt.guid, "api", "default", verified_by, "issues", "application/json", True)


def test_a_delivery_that_arrives_after_the_cycle_counts_as_sent_again(
    database: Database, app: Source, keys: AppKeys
) -> None:
    hooks = Hooks()
    hooks.deliver(None, "issues", issue(1), ago(hours=1))
    with cycles(database, hooks, keys, patience=0.0) as (served, cycle):
        served.faults.append(Fault("GET /app/hook/deliveries/", times=99, status=503))
        [report] = cycle()
        assert (report.missing, report.by_api) == (1, 0)
        assert report.error is not None
        assert "answered 503" in report.error
        with ready_receiver(database.url("migrator")) as receiver:
            hooks.receiver = str(receiver.base_url)
            receiver.post("/webhooks/github")
            attempt = hooks.tries[0]
            hooks.deliver(receiver, attempt.event, attempt.payload, attempt.at)
            [report] = cycle()
    assert (report.missed, report.redelivered, report.missing) == (0, 1, 0)
    with database.connect() as conn:
        [outage] = list_outages(conn)
    assert (outage.missed, outage.redelivered, outage.recovered) == (1, 1, 1)


@pytest.mark.parametrize("status", [404, 422])
def test_a_redelivery_that_is_refused_is_taken_from_the_log(
    database: Database, app: Source, keys: AppKeys, status: int
) -> None:
    hooks = Hooks()
    attempt = hooks.deliver(None, "issues", issue(1), ago(hours=1))
    with cycles(database, hooks, keys, patience=0.0) as (served, cycle):
        served.faults.append(Fault("POST ", status=status, body={"message": "no"}))
        [report] = cycle()
    assert (report.by_api, report.missing) == (1, 0)
    [note] = report.notes
    assert note.startswith(f"{attempt.guid} is not sent again: ")
    assert f"answered {status}: no" in note


def test_a_delivery_whose_body_the_log_lost_stays_missing_and_holds_nothing_up(
    database: Database, app: Source, keys: AppKeys
) -> None:
    hooks = Hooks()
    attempt = hooks.deliver(None, "issues", issue(1), ago(hours=1))
    other = hooks.deliver(None, "issues", issue(2), ago(minutes=50))
    hooks.gone = {attempt.id}
    with cycles(database, hooks, keys, patience=0.0) as (_, cycle):
        [report] = cycle()
        assert (report.missed, report.by_api, report.missing) == (2, 1, 1)
        assert any("cannot be taken from the log" in note for note in report.notes)
        assert report.error is None
    with database.connect() as conn:
        [outage] = list_outages(conn)
        [check] = list_checks(conn)
    assert list(outage.deliveries) == [attempt.guid]
    assert check.checked_until is not None
    assert other.guid in stored_ids(database)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Fault("GET /app", 99, 404, body={"message": "Not Found"}), "answered 404: Not Found"),
        (Fault("GET /app", 99, 403, body={"message": "no right"}), "answered 403: no right"),
        (Fault("GET /app", 99, 503), "answered 503"),
        (Fault("GET /app", 99, 200, body={"a": 1}), "is not a list"),
        (Fault("GET /app", 99, 200, truncated=True), "not JSON"),
    ],
)
def test_an_unreadable_log_is_reported_and_compared_from_the_same_moment_next_time(
    database: Database, app: Source, keys: AppKeys, fault: Fault, message: str
) -> None:
    hooks = Hooks()
    hooks.deliver(None, "issues", issue(1), ago(hours=1))
    with cycles(database, hooks, keys, patience=0.0) as (served, cycle):
        served.faults.append(fault)
        [report] = cycle()
        assert report.error is not None
        assert message in report.error
        with database.connect() as conn:
            [check] = list_checks(conn)
        assert (check.checked_until, check.error) == (None, report.error)
        served.faults.clear()
        [report] = cycle()
        assert (report.error, report.by_api) == (None, 1)


def test_a_log_that_was_read_under_a_clock_that_was_ahead_is_read_again(
    database: Database, app: Source, keys: AppKeys
) -> None:
    hooks = Hooks()
    with cycles(database, hooks, keys, patience=0.0) as (_, cycle):
        cycle()
        with database.connect() as conn:
            conn.execute(
                "UPDATE lightfast.delivery_checks SET checked_until = checked_until + interval '400 days'"
            )
        hooks.deliver(None, "issues", issue(1), ago(hours=1))
        [report] = cycle()
        assert (report.missed, report.error) == (1, None)
        with database.connect() as conn:
            [check] = list_checks(conn)
    assert check.checked_until is not None
    assert check.checked_until < ago(hours=-1)


def test_an_app_without_its_key_names_the_missing_setting(database: Database, app: Source) -> None:
    with cycles(database, Hooks(), AppKeys()) as (served, cycle):
        [report] = cycle()
        assert served.count() == 0
    assert report.error is not None
    assert "GITHUB_APP_PRIVATE_KEY" in report.error


def test_two_cycles_at_once_ask_for_nothing_twice(
    database: Database, app: Source, keys: AppKeys
) -> None:
    hooks = Hooks()
    for number in range(20):
        hooks.deliver(None, "issues", issue(number + 1), ago(minutes=90 - number))
    with (
        cycles(database, hooks, keys, patience=0.5) as (served, cycle),
        ThreadPoolExecutor(2) as pool,
    ):
        list(pool.map(lambda _: cycle(), range(2)))
        assert served.count("POST") == 20
    with database.connect() as conn:
        [outage] = list_outages(conn)
    assert (outage.missed, outage.recovered) == (20, 20)


def test_losses_far_apart_are_two_outages(database: Database, app: Source, keys: AppKeys) -> None:
    hooks = Hooks()
    hooks.deliver(None, "issues", issue(1), ago(hours=30))
    hooks.deliver(None, "issues", issue(2), ago(hours=2))
    with cycles(database, hooks, keys, patience=0.0) as (_, cycle):
        cycle()
    with database.connect() as conn:
        assert [outage.missed for outage in list_outages(conn)] == [1, 1]


def test_a_repositorys_own_hook_is_read_where_it_sends_to_a_receiver(
    database: Database, source: Source, keys: AppKeys
) -> None:
    hooks = Hooks(log="/repositories/1/hooks/7/deliveries")
    hooks.hooks = [
        {"id": 6, "config": {"url": "https://chat.example/hook"}},
        {"id": 7, "config": {"url": "https://memory.acme.test/webhooks/github"}},
    ]
    hooks.deliver(None, "issues", issue(1), ago(hours=1))
    with cycles(database, hooks, keys, patience=0.0) as (served, cycle):
        [report] = cycle()
        assert served.count("/hooks/6/") == 0
    assert (report.log, report.missed, report.by_api) == ("hook acme/shop 7", 1, 1)


def test_hooks_that_may_not_be_read_are_reported_with_the_permission_to_give(
    database: Database, source: Source, keys: AppKeys
) -> None:
    with cycles(database, Hooks(), keys) as (served, cycle):
        served.faults.append(Fault("/hooks", 9, 404, body={"message": "Not Found"}))
        [report] = cycle()
    assert report.error is not None
    assert "admin:repo_hook" in report.error


def test_a_source_without_a_credential_is_left_alone(
    database: Database, source: Source, conn: Connection, keys: AppKeys
) -> None:
    conn.execute("DELETE FROM lightfast.tokens")
    conn.commit()
    with cycles(database, Hooks(), keys) as (served, cycle):
        assert cycle() == []
        assert served.count() == 0


@pytest.mark.parametrize("event", ["issues", "pull_request"])
@pytest.mark.parametrize("patience", [0.0, 1.0])
def test_another_delivery_under_the_id_of_a_lost_one_does_not_keep_it_from_being_recovered(
    database: Database, app: Source, keys: AppKeys, event: str, patience: float
) -> None:
    hooks = Hooks()
    lost = hooks.deliver(None, "issues", issue(1), ago(hours=1))
    other = issue(2) if event == "issues" else payloads.pull_request("opened", 3)
    with (
        ready_receiver(database.url("migrator")) as receiver,
        cycles(database, hooks, keys, patience=patience) as (served, cycle),
    ):
        post_under_id(receiver, lost.guid, event, other)
        [report] = cycle()
        assert served.count("POST") == 1
        [again] = cycle()
    assert (report.missed, report.by_api, report.missing) == (1, 1, 0)
    assert (again.missed, again.missing) == (0, 0)
    with database.connect() as conn:
        bodies = conn.execute(
            """
            SELECT b.body FROM lightfast.raw_payloads p
            JOIN lightfast.raw_bodies b ON b.raw_payload_id = p.id WHERE p.ingestion_source = 'api'
            """
        ).fetchall()
    assert [json.loads(body) for (body,) in bodies] == [lost.payload]


def test_a_delivery_that_is_stored_though_its_answer_was_late_is_not_lost(
    database: Database, app: Source, keys: AppKeys
) -> None:
    hooks = Hooks()
    with (
        ready_receiver(database.url("migrator")) as receiver,
        cycles(database, hooks, keys, patience=0.0) as (served, cycle),
    ):
        late = hooks.deliver(receiver, "issues", issue(1), ago(hours=1))
        late.status = 0
        [report] = cycle()
        assert served.count("POST") == 0
    assert (report.read, report.missed, report.error) == (1, 0, None)


def test_a_log_that_does_not_answer_leaves_open_whether_a_stored_delivery_is_the_lost_one(
    database: Database, app: Source, keys: AppKeys
) -> None:
    hooks = Hooks()
    with (
        ready_receiver(database.url("migrator")) as receiver,
        cycles(database, hooks, keys, patience=0.0) as (served, cycle),
    ):
        lost = hooks.deliver(None, "issues", issue(1), ago(hours=1))
        post_under_id(receiver, lost.guid, "issues", issue(2))
        served.faults.append(Fault("GET /app/hook/deliveries/", times=99, status=503))
        [report] = cycle()
        assert report.error is not None
        served.faults.clear()
        [report] = cycle()
    assert (report.missed, report.by_api, report.error) == (1, 1, None)
