"""Who starts the server, who keeps it running, and when it stops."""

import json
import os
import time

import psycopg
import pytest

from tests.embedded_postgres.homes import Home, eventually, gone


def test_processes_that_start_at_once_share_one_server(fresh_home: Home) -> None:
    clients = [fresh_home.client() for _ in range(4)]
    answers = [json.loads(client.stdout.readline()) for client in clients if client.stdout]
    assert len(answers) == 4
    assert len({tuple(answer) for answer in answers}) == 1
    assert len(fresh_home.postmasters()) == 1
    assert len(fresh_home.guardians()) == 1
    assert fresh_home.server().status().users == 4


def test_a_first_start_creates_what_migrations_need(fresh_home: Home) -> None:
    lease = fresh_home.acquire()
    with psycopg.connect(lease.url(user="lightfast_migrator"), autocommit=True) as connection:
        connection.execute("create database copied template template1")
        owners = connection.execute(
            "select datname, rolname, datlocale, pg_encoding_to_char(encoding)"
            " from pg_database join pg_roles r on r.oid = datdba"
            " where datname in ('lightfast', 'dagster') order by 1"
        ).fetchall()
        settings = connection.execute(
            "select current_setting('listen_addresses'), current_setting('timezone'),"
            " current_setting('fsync'), rolsuper, rolcreaterole, rolcreatedb"
            " from pg_roles where rolname = current_user"
        ).fetchone()
    assert owners == [
        ("dagster", "lightfast_migrator", "C.UTF-8", "UTF8"),
        ("lightfast", "lightfast_migrator", "C.UTF-8", "UTF8"),
    ]
    assert settings == ("", "UTC", "off", False, True, True)
    for database in ("lightfast", "copied"):
        with psycopg.connect(lease.url(database, "lightfast_migrator")) as connection:
            assert connection.execute("select '[1,2]'::vector <-> '[1,2]'").fetchone() == (0.0,)


def test_the_server_stops_after_the_last_user_and_keeps_its_rows(home: Home) -> None:
    with home.acquire(idle_seconds=1) as lease:
        _write_row(lease.url("postgres", "postgres"))
        [postmaster] = home.postmasters()
    eventually(lambda: not home.guardians())
    assert gone(postmaster)
    assert not home.server().status().running
    assert _rows(home.acquire().url("postgres", "postgres")) == [(1,)]


def test_a_client_that_has_only_the_address_keeps_the_server_running(home: Home) -> None:
    with home.acquire(idle_seconds=0.5) as lease:
        connection = psycopg.connect(lease.url("postgres", "postgres"), autocommit=True)
    with connection:
        until = time.monotonic() + 2
        while time.monotonic() < until:
            assert connection.execute("select 1").fetchone() == (1,)
        assert not home.server().stop()
    eventually(lambda: not home.guardians())


def test_a_killed_client_does_not_keep_the_server_alive(home: Home) -> None:
    client = home.client(idle_seconds=1)
    assert client.stdout is not None
    assert client.stdout.readline()
    assert not home.server().stop()
    client.kill()
    eventually(lambda: not home.guardians())
    assert not home.postmasters()


def test_a_forked_child_that_releases_does_not_end_its_parents_lease(home: Home) -> None:
    lease = home.acquire()
    child = os.fork()
    if child == 0:
        lease.release()
        os._exit(0)
    os.waitpid(child, 0)
    assert not home.server().stop()
    lease.release()
    assert home.server().stop()


def test_stop_disconnects_users_only_by_force(home: Home) -> None:
    lease = home.acquire()
    assert not home.server().stop()
    assert home.server().stop(force=True)
    assert not home.postmasters()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(lease.url("postgres", "postgres"))
    assert home.server().stop(), "stopping a stopped server is no error"


def _write_row(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("drop table if exists kept")
        connection.execute("create table kept as select 1 as number")


def _rows(url: str) -> list[tuple[int]]:
    with psycopg.connect(url) as connection:
        return connection.execute("select number from kept").fetchall()
