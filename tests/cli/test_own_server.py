"""On a server of your own each role has its own login, and none is the owner."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from lightfast_pipelines.settings import Settings
from lightfast_pipelines.store.database import Database, open_database
from lightfast_pipelines.store.logins import LoginError
from lightfast_pipelines.store.migrate import MigrationError
from tests.servers.postgres_with_passwords import SUPERUSER_PASSWORD, postgres_with_passwords

OWNER_PASSWORD = "hunter2:of\\the@owner"
IN_ADDRESS = "hunter2%3Aof%5Cthe%40owner"
ROLES = ("receiver", "pipeline", "analyst")


@dataclass
class OwnServer:
    """A database on such a server, and the settings of commands."""

    port: int
    name: str
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def owner(self) -> str:
        return f"postgresql://{self.name}:{IN_ADDRESS}@127.0.0.1:{self.port}/{self.name}"

    def superuser(self, database: str = "postgres") -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user="postgres",
            password=SUPERUSER_PASSWORD,
            dbname=database,
            autocommit=True,
        )

    def run(
        self, *words: str, more: Mapping[str, str], exits: int = 0
    ) -> subprocess.CompletedProcess[str]:
        """Runs a real process, so that everything it prints is seen."""
        done = subprocess.run(
            [sys.executable, "-c", "from lightfast_pipelines.cli import app; app()", *words],
            env={**_plain_environment(), **self.settings, **more},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == exits, (words, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        return done

    def roles(self) -> dict[str, str]:
        """Makes the logins; returns the settings that `db roles` prints."""
        printed = self.run(
            "db", "roles", "--renew", more={"LIGHTFAST_DATABASE_URL": self.owner}
        ).stdout
        return dict(line.split("=", 1) for line in printed.splitlines())


def _plain_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("LIGHTFAST_")}


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with postgres_with_passwords() as port:
        yield port


@pytest.fixture
def own(port: int, tmp_path: Path) -> Iterator[OwnServer]:
    server = OwnServer(port, "memory", {"LIGHTFAST_HOME": str(tmp_path / "home")})
    name = sql.Identifier(server.name)
    with server.superuser() as conn:
        conn.execute(
            sql.SQL("CREATE ROLE {} LOGIN CREATEROLE PASSWORD {}").format(
                name, sql.Literal(OWNER_PASSWORD)
            )
        )
        conn.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, name))
    with server.superuser(server.name) as conn:
        conn.execute("CREATE EXTENSION vector")
    yield server
    with server.superuser() as conn:
        conn.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
        for role in (*(f"lightfast_{role}" for role in ROLES), server.name):
            conn.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(role)))


def test_the_owners_password_is_never_given_to_another_role(own: OwnServer) -> None:
    owner = {"LIGHTFAST_DATABASE_URL": own.owner}
    own.run("workspace", "add", "acme", more=owner)  # one variable is enough to start with
    for words in (
        *(("db", "url", "--role", role) for role in ROLES),
        ("db", "url"),
        ("db", "psql", "-c", "SELECT 1"),
        ("db", "psql", "--role", "receiver", "-c", "SELECT 1"),
        ("db", "run", "env"),
    ):
        done = own.run(*words, exits=1, more=owner)
        assert done.stdout == ""
        assert "hunter2" not in done.stderr
        assert "`lightfast db roles`" in done.stderr
    as_analyst = {**owner, "LIGHTFAST_ANALYST_DATABASE_URL": own.owner.replace("hunter2", "other")}
    assert "logs in as the user of" in own.run("db", "url", exits=1, more=as_analyst).stderr


def test_passwords_are_made_once_and_the_server_never_sees_one(
    own: OwnServer, tmp_path: Path
) -> None:
    owner = {"LIGHTFAST_DATABASE_URL": own.owner}
    file = tmp_path / "roles.env"
    done = own.run("db", "roles", "--to", str(file), more=owner)
    assert done.stdout == ""
    assert file.stat().st_mode & 0o777 == 0o600
    made = dict(line.split("=", 1) for line in file.read_text().splitlines())
    assert [made[f"LIGHTFAST_{role.upper()}_DATABASE_URL"] for role in ROLES] == list(made.values())
    again = own.run("db", "roles", exits=1, more=owner)
    assert "can log in already" in again.stderr
    assert "--renew" in again.stderr
    assert (
        "name a new file" in own.run("db", "roles", "--to", str(file), exits=1, more=owner).stderr
    )
    passwords = [address.split(":")[2].split("@")[0] for address in made.values()]
    with own.superuser() as conn:
        kept = conn.execute(
            "SELECT rolpassword FROM pg_authid WHERE rolname LIKE 'lightfast%'"
        ).fetchall()
    assert len(kept) == 3
    assert all(str(row[0]).startswith("SCRAM-SHA-256$") for row in kept)
    log = Path(_data_folder(own)).parent / "log"
    text = log.read_text(errors="replace")
    assert "ALTER ROLE" in text
    assert not [password for password in passwords if password in text]


def _data_folder(own: OwnServer) -> str:
    with own.superuser() as conn:
        row = conn.execute("SHOW data_directory").fetchone()
    assert row is not None
    return str(row[0])


ATTACKS = (
    "SET ROLE lightfast_pipeline",
    "SET ROLE lightfast_receiver",
    "SET ROLE memory",
    "SET ROLE postgres",
    "SET ROLE NONE; SELECT * FROM lightfast.raw_bodies",
    "RESET ROLE; DELETE FROM lightfast.observation_facts",
    "SET SESSION AUTHORIZATION memory",
    "SELECT body FROM lightfast.raw_bodies",
    "SELECT body FROM lightfast.raw_bodies_default",
    "SELECT pg_read_file('/etc/passwd')",
    "COPY lightfast.workspaces TO PROGRAM 'cat'",
    "COPY (SELECT 1) TO '/tmp/out'",
    "SELECT lo_import('/etc/passwd')",
    "INSERT INTO lightfast.workspaces SELECT * FROM lightfast.workspaces",
    "UPDATE lightfast.schema_version SET version_num = '0001'",
    "ALTER ROLE lightfast_pipeline PASSWORD 'mine'",
    "ALTER ROLE memory PASSWORD 'mine'",
    "ALTER ROLE lightfast_analyst CREATEROLE",
    "GRANT memory TO lightfast_analyst",
    "CREATE TABLE lightfast.mine (a int)",
    "CREATE TABLE public.mine (a int)",
    "CREATE SCHEMA mine",
    "SELECT rolpassword FROM pg_authid",
    "SELECT * FROM dagster.runs",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'memory'",
    "DROP EXTENSION vector",
)


def test_the_analysts_login_has_only_the_analysts_rights(own: OwnServer) -> None:
    made = own.roles()
    login = {"LIGHTFAST_ANALYST_DATABASE_URL": made["LIGHTFAST_ANALYST_DATABASE_URL"]}
    with psycopg.connect(own.owner) as conn:
        conn.execute("SELECT 'a secret of the owner'")
        address = own.run("db", "url", "--role", "analyst", more=login).stdout.strip()
        for attack in ATTACKS:
            with psycopg.connect(address) as analyst, pytest.raises(psycopg.Error) as refused:
                analyst.execute(attack)
            assert refused.value.sqlstate in {"42501", "28000"}, (attack, refused.value)
        seen = own.run(
            "db", "psql", "-Atc", "SELECT query FROM pg_stat_activity", more=login
        ).stdout
    assert "a secret" not in seen
    asked = "SET ROLE NONE; SELECT current_user, session_user"
    assert "lightfast_analyst|lightfast_analyst" in (
        own.run("db", "psql", "-Atc", asked, more=login).stdout
    )
    assert "hunter2" not in own.run("db", "url", "--role", "analyst", more=login).stdout


def test_neither_arguments_nor_environment_of_psql_hold_a_password(own: OwnServer) -> None:
    made = own.roles()
    shell = r"\! tr '\0' '\n' < /proc/$PPID/cmdline; env; cat $PGPASSFILE; ls -l $PGPASSFILE"
    everything = {**made, "LIGHTFAST_DATABASE_URL": own.owner, "PGPASSWORD": "wrong"}
    shown = own.run("db", "psql", "-c", shell, more=everything).stdout
    password = made["LIGHTFAST_ANALYST_DATABASE_URL"].split(":")[2].split("@")[0]
    lines = [line for line in shown.splitlines() if password in line]
    assert lines == [f"*:*:*:*:{password}"]
    assert "hunter2" not in shown
    assert "-rw-------" in shown
    [passfile] = {
        line.split("=")[1] for line in shown.splitlines() if line.startswith("PGPASSFILE")
    }
    assert not Path(passfile).exists()
    dumped = own.run(
        *("db", "run", "--role", "migrator", "psql", "-Atc", "SELECT current_user"),
        more=everything,
    )
    assert dumped.stdout == "memory\n"


def test_processes_work_with_only_their_own_logins(own: OwnServer) -> None:
    made = own.roles()
    for role in ROLES:
        mine = {
            f"LIGHTFAST_{role.upper()}_DATABASE_URL": made[f"LIGHTFAST_{role.upper()}_DATABASE_URL"]
        }
        assert json.loads(own.run("db", "migrate", "--json", more=mine).stdout)["revision"]
        with (
            open_database(Settings.model_validate(mine)) as database,
            database.connect(
                role  # type: ignore[arg-type]
            ) as conn,
        ):
            assert conn.execute("SELECT session_user, current_user").fetchone() == (
                f"lightfast_{role}",
                f"lightfast_{role}",
            )
        for other in (*ROLES, "migrator"):
            if other != role:
                refused = own.run("db", "url", "--role", other, exits=1, more=mine)
                assert "LIGHTFAST_" in refused.stderr
    pipeline = {"LIGHTFAST_PIPELINE_DATABASE_URL": made["LIGHTFAST_PIPELINE_DATABASE_URL"]}
    own.run("workspace", "add", "acme", more=pipeline)
    assert "process" in own.run("process", "--help", more=pipeline).stdout
    own.run("process", more=pipeline)
    assert (
        json.loads(own.run("status", "--json", more=pipeline).stdout)["memory"]["observations"] == 0
    )
    removed = own.run(
        "workspace", "remove", "acme", "--deliveries", "--yes", exits=1, more=pipeline
    )
    assert "needs the owner's login" in removed.stderr


def test_a_login_that_may_not_migrate_reports_a_database_of_another_release(own: OwnServer) -> None:
    made = own.roles()
    with psycopg.connect(own.owner) as conn:
        conn.execute("UPDATE lightfast.schema_version SET version_num = '0001'")
    database = Database(own={"receiver": made["LIGHTFAST_RECEIVER_DATABASE_URL"]})
    with pytest.raises(MigrationError, match=r"at revision 0001, .* `lightfast db migrate`"):
        database.migrate()
    with pytest.raises(LoginError, match="LIGHTFAST_DATABASE_URL"):
        database.url("migrator")
    with pytest.raises(LoginError, match="lightfast db roles"):
        database.url("pipeline")


def test_dagsters_tables_made_by_the_owner_become_the_pipelines_and_stay_in_the_owners_dumps(
    own: OwnServer,
) -> None:
    with psycopg.connect(own.owner) as conn:
        conn.execute("CREATE SCHEMA dagster")
        conn.execute("CREATE TABLE dagster.runs (id serial PRIMARY KEY, body text)")
        conn.execute("INSERT INTO dagster.runs (body) VALUES ('old')")
    made = own.roles()
    pipeline = made["LIGHTFAST_PIPELINE_DATABASE_URL"]
    address = Database(own={"pipeline": pipeline}).dagster_url()
    assert "hunter2" not in address
    with psycopg.connect(address.replace("+psycopg2", "")) as conn:
        conn.execute("INSERT INTO runs (body) VALUES ('new')")
        conn.execute("ALTER TABLE runs ADD COLUMN more text")
        conn.execute("CREATE TABLE event_logs (id serial PRIMARY KEY)")
    with psycopg.connect(own.owner) as conn:
        assert conn.execute("SELECT count(*) FROM dagster.runs").fetchone() == (2,)
        assert conn.execute("SELECT count(*) FROM dagster.event_logs").fetchone() == (0,)


def test_a_role_with_too_many_rights_gets_no_password(own: OwnServer) -> None:
    own.run("db", "migrate", more={"LIGHTFAST_DATABASE_URL": own.owner})
    with own.superuser() as conn:
        conn.execute("GRANT pg_read_all_data TO lightfast_analyst")
    refused = own.run("db", "roles", exits=1, more={"LIGHTFAST_DATABASE_URL": own.owner})
    assert "lightfast_analyst" in refused.stderr
    assert "pg_read_all_data" in refused.stderr


def test_a_wrong_password_is_one_line_that_does_not_contain_it(own: OwnServer) -> None:
    own.roles()
    wrong = f"postgresql://lightfast_pipeline:geheim-{IN_ADDRESS}@127.0.0.1:{own.port}/memory"
    for words in (("status",), ("db", "migrate"), ("process",)):
        stderr = own.run(*words, exits=1, more={"LIGHTFAST_PIPELINE_DATABASE_URL": wrong}).stderr
        assert "password authentication failed" in stderr
        assert "geheim" not in stderr
        assert "hunter2" not in stderr
