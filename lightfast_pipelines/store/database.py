"""How to reach the memory's database: addresses and connections per role.

`tables/` defines the tables, `embedded_postgres/` runs the embedded server.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg.rows import dict_row

from lightfast_pipelines.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError, Lease
from lightfast_pipelines.settings import Settings, the_home
from lightfast_pipelines.settings.addresses import shown, with_options
from lightfast_pipelines.settings.home import problem_of
from lightfast_pipelines.store.dagster_schema import prepare_dagster_schema
from lightfast_pipelines.store.logins import SETTINGS, Role, check_logins, no_login
from lightfast_pipelines.store.meanwhile import WorkingConnection
from lightfast_pipelines.store.migrate import check_revision, current_revision
from lightfast_pipelines.store.migrate import migrate as migrate_schema
from lightfast_pipelines.store.requirements import EXTENSION_SCHEMAS, check_server

# A server may set other defaults for itself, the database or the user. Casts of times to text, and days
# computed in SQL, depend on these.
_SESSION = "-c timezone=UTC -c datestyle=ISO -c intervalstyle=postgres"
_SEARCH_PATH = f"-c search_path={','.join(EXTENSION_SCHEMAS)}"
# What the analyst's role sets for itself: a server may have refused that, and SET ROLE does not read it.
_OF_ANALYSTS = "-c join_collapse_limit=20 -c from_collapse_limit=20"
# By default a server notices only between statements that its client is gone. Postgres on Windows
# cannot check during a statement, and refuses a session that asks for it.
CHECK_SECONDS = 2.0
_CHECK = "client_connection_check_interval"
# Either side notices after a minute that the other machine has vanished.
_KEEPALIVES = "-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3"
# Ends the session of a process that was suspended within a transaction. The longest computation
# between two statements takes some minutes.
_STOPPED = "-c idle_in_transaction_session_timeout=1h"
Connection = psycopg.Connection[tuple[Any, ...]]


class Database:
    """The Postgres that holds the memory: the embedded one (by a lease) or another (by address).

    `address` is the owner's; `own` holds the addresses of the roles with a login of their own. A
    process whose role has one needs no other address.
    """

    def __init__(
        self,
        *,
        lease: Lease | None = None,
        address: str | None = None,
        own: Mapping[Role, str] | None = None,
        name: str = "lightfast",
        dagster: str | None = None,
        check_seconds: float = CHECK_SECONDS,
    ) -> None:
        """`check_seconds`: how often the server checks, during a statement, that its client is alive."""
        if (lease is None) == (address is None and not own):
            raise ValueError("a database is either embedded (lease) or given by address")
        check_logins(address, own or {})
        self._lease = lease
        self._address = address
        self._own = dict(own or {})
        self._name = name
        self._dagster = dagster
        self._check: str | None = f"-c {_CHECK}={check_seconds * 1000:.0f}"
        self.run_id: str | None = None
        """The Dagster run that uses this database; its id becomes part of the connections' names."""

    @property
    def is_embedded(self) -> bool:
        return self._lease is not None

    @property
    def home(self) -> Path | None:
        """The home of the embedded server; None for another one."""
        return self._lease.home if self._lease is not None else None

    def url(self, role: Role = "pipeline") -> str:
        """A libpq URL that connects with the rights of `role`, for the project's own processes.

        For a role without its own login, the owner logs in and takes the role. A person must not get
        such a URL, because it holds the owner's password (see `login_url`).
        """
        if self._lease is not None:
            return self._lease.url(database=self._name, user=f"lightfast_{role}")
        if role == "migrator":
            if self._address is None:
                raise no_login(role)
            return with_options(self._address, _SESSION)
        options = f"-c role=lightfast_{role} {_SESSION} {_SEARCH_PATH}"
        if role == "analyst":
            options = f"{options} {_OF_ANALYSTS}"
        return with_options(self._address_of(role), options)

    def login_url(self, role: Role) -> str:
        """A libpq URL to hand out: nobody can do more with it than the role may. Raises LoginError."""
        if self._lease is None and role != "migrator" and role not in self._own:
            raise no_login(role)
        return self.url(role)

    def without_own_login(self) -> list[str]:
        """The unset settings of the processes' roles: those processes hold the owner's login."""
        if self._lease is not None:
            return []
        roles: tuple[Role, ...] = ("receiver", "pipeline")
        return [SETTINGS[role] for role in roles if role not in self._own]

    def _address_of(self, role: Role) -> str:
        address = self._own.get(role, self._address)
        if address is None:
            raise no_login(role)
        return address

    def _any_url(self) -> str:
        """A URL for what every role may see."""
        if self._lease is not None or self._address is not None:
            return self.url("migrator")
        return self.url(next(iter(self._own)))

    def describe(self) -> str:
        """Where the database is, to show to a person: no user, no password."""
        if self._lease is not None:
            return f"embedded, in {self._lease.home}"
        return shown(self._address or next(iter(self._own.values())))

    def dagster_url(self) -> str:
        """SQLAlchemy URL of Dagster's own storage. It names the driver, because SQLAlchemy 2.1 reads a
        bare `postgresql://` as psycopg 3, with which dagster-postgres cannot write an event."""
        if self._dagster is not None:
            address = self._dagster
        elif self._lease is not None:
            address = self._lease.url(database="dagster", user="lightfast_migrator")
        else:
            # The user may not be able to create a second database, so Dagster's tables get a schema.
            address = with_options(
                self._address_of("pipeline"),
                f"-c role=lightfast_pipeline {_SESSION} -c search_path=dagster",
            )
        return "postgresql+psycopg2://" + address.partition("://")[2]

    def dagster_address(self) -> str:
        """libpq URL of Dagster's own storage, for the project's own processes."""
        return "postgresql://" + self.dagster_url().partition("://")[2]

    def connect(
        self,
        role: Role = "pipeline",
        *,
        autocommit: bool = False,
        application_name: str = "lightfast",
    ) -> Connection:
        """A new connection in time zone UTC. Its session ends soon after its process does."""
        name = (
            f"{application_name} {short_run_id(self.run_id)}" if self.run_id else application_name
        )
        if self._check is not None:
            try:
                return self._connect(role, autocommit, name, self._check)
            except psycopg.OperationalError as error:
                if _CHECK not in str(error):
                    raise
                self._check = None
        return self._connect(role, autocommit, name, "")

    def _connect(self, role: Role, autocommit: bool, name: str, check: str) -> Connection:
        options = f"{check} {_STOPPED}" if self.is_embedded else f"{check} {_STOPPED} {_KEEPALIVES}"
        return WorkingConnection.connect(
            with_options(self.url(role), options),
            autocommit=autocommit,
            application_name=name,
            connect_timeout=30,
            keepalives_idle=30,
            keepalives_interval=10,
            keepalives_count=3,
        )

    def migrate(self) -> str:
        """Brings the schema up to date and returns the revision. Without the owner's login it only checks
        that the schema is up to date. Raises MigrationError."""
        if self._lease is None and self._address is None:
            return check_revision(self._any_url())
        revision = migrate_schema(self.url("migrator"), roles_log_in=self.is_embedded)
        if not self.is_embedded and self._dagster is None:
            with self.connect("migrator") as connection:
                prepare_dagster_schema(connection)
        return revision

    def is_empty(self) -> bool:
        """Whether no migration ever ran there."""
        return current_revision(self._any_url()) is None

    def lacking(self) -> list[str]:
        """What the server lacks for a first migration, each with the remedy."""
        if self._lease is None and self._address is None:
            return [f"run `lightfast db migrate` where {SETTINGS['migrator']} is set"]
        with self.connect("migrator") as connection:
            return check_server(connection)

    def close(self) -> None:
        if self._lease is not None:
            self._lease.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def dict_rows(
    conn: Connection, query: str, parameters: Sequence[Any] | Mapping[str, Any] = ()
) -> list[dict[str, Any]]:
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, parameters).fetchall()


def short_run_id(run_id: str) -> str:
    """The part of a run's id in its connections' names, by which its sessions are found."""
    return run_id[:8]


def url_where_it_runs(settings: Settings) -> str | None:
    """The pipeline's URL of the configured database; None if that is embedded and not running."""
    if not settings.is_embedded:
        return _by_address(settings, None).url()
    return EmbeddedPostgres(settings.home).url_if_running()


def open_database(settings: Settings, *, migrate: bool = True) -> Database:
    """The configured database; starts the embedded server if no address is set."""
    dagster = (
        settings.dagster_database_url.get_secret_value() if settings.dagster_database_url else None
    )
    if not settings.is_embedded:
        database = _by_address(settings, dagster)
    else:
        problem = problem_of(settings.home, named=the_home().named)
        if problem is not None:
            raise EmbeddedPostgresError(problem)
        database = Database(lease=EmbeddedPostgres(settings.home).acquire(), dagster=dagster)
    if migrate:
        database.migrate()
    return database


def _by_address(settings: Settings, dagster: str | None) -> Database:
    owner = settings.database_url
    return Database(
        address=owner.get_secret_value() if owner is not None else None,
        own={role: address for role, address in settings.addresses_of_roles().items()},  # noqa: C416 - to the wider Role
        dagster=dagster,
    )
