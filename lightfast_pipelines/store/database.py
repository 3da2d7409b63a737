"""How to reach the memory's database: addresses and connections per role.

Tables stand in `tables.py`, the embedded server in `embedded/`. Nothing here knows a query.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, Literal, Self

import psycopg

from lightfast_pipelines.settings import Settings, the_home
from lightfast_pipelines.settings.addresses import shown, with_options
from lightfast_pipelines.settings.home import problem_of
from lightfast_pipelines.store.embedded import EmbeddedPostgres, EmbeddedPostgresError, Lease
from lightfast_pipelines.store.migrate import current_revision
from lightfast_pipelines.store.migrate import migrate as migrate_schema
from lightfast_pipelines.store.requirements import EXTENSION_SCHEMAS, check_server

Role = Literal["receiver", "pipeline", "analyst", "migrator"]

# What a foreign server may have set otherwise, for itself, the database or the user. Casts of times to
# text, and days counted in SQL, depend on these.
_SESSION = "-c timezone=UTC -c datestyle=ISO -c intervalstyle=postgres"
_SEARCH_PATH = f"-c search_path={','.join(EXTENSION_SCHEMAS)}"
Connection = psycopg.Connection[tuple[Any, ...]]


class Database:
    """A Postgres that holds the memory: the embedded one (a lease on it) or one given by address."""

    def __init__(
        self,
        *,
        lease: Lease | None = None,
        address: str | None = None,
        name: str = "lightfast",
        dagster: str | None = None,
    ) -> None:
        if (lease is None) == (address is None):
            raise ValueError("a database is either embedded (lease) or given by address")
        self._lease = lease
        self._address = address
        self._name = name
        self._dagster = dagster
        self.run_id: str | None = None
        """The run on whose behalf connections are made: part of their name."""

    @property
    def is_embedded(self) -> bool:
        return self._lease is not None

    def url(self, role: Role = "pipeline") -> str:
        """A libpq URL that connects with the rights of `role`."""
        if self._lease is not None:
            return self._lease.url(database=self._name, user=f"lightfast_{role}")
        assert self._address is not None
        if role == "migrator":
            return with_options(self._address, _SESSION)
        return with_options(self._address, f"-c role=lightfast_{role} {_SESSION} {_SEARCH_PATH}")

    def describe(self) -> str:
        """Where it is, for a person: no user, no password."""
        if self._lease is not None:
            return f"embedded, in {self._lease.home}"
        assert self._address is not None
        return shown(self._address)

    def dagster_url(self) -> str:
        """SQLAlchemy URL of Dagster's own storage. The driver is named: bare `postgresql://` means
        psycopg 3 to SQLAlchemy 2.1, with which dagster-postgres cannot write an event."""
        if self._dagster is not None:
            address = self._dagster
        elif self._lease is not None:
            address = self._lease.url(database="dagster", user="lightfast_migrator")
        else:
            assert self._address is not None
            # Where no second database may be made, a schema of its own keeps Dagster's tables apart.
            address = with_options(self._address, f"{_SESSION} -c search_path=dagster")
        return "postgresql+psycopg2://" + address.partition("://")[2]

    def connect(
        self,
        role: Role = "pipeline",
        *,
        autocommit: bool = False,
        application_name: str = "lightfast",
    ) -> Connection:
        """A new connection; the session's time zone is UTC."""
        return psycopg.connect(
            self.url(role),
            autocommit=autocommit,
            application_name=(
                f"{application_name} {short_run_id(self.run_id)}"
                if self.run_id
                else application_name
            ),
            connect_timeout=30,
        )

    def migrate(self) -> str:
        """Brings the schema up to date; returns the revision."""
        revision = migrate_schema(self.url("migrator"), roles_log_in=self.is_embedded)
        if not self.is_embedded and self._dagster is None:
            with self.connect("migrator", autocommit=True) as connection:
                connection.execute("CREATE SCHEMA IF NOT EXISTS dagster")
        return revision

    def is_empty(self) -> bool:
        """Whether nothing was ever migrated there."""
        return current_revision(self.url("migrator")) is None

    def lacking(self) -> list[str]:
        """What the server lacks for a first migration, each with what to do about it."""
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


def short_run_id(run_id: str) -> str:
    """What a connection's name holds of a run's id, so that others find the sessions of the run."""
    return run_id[:8]


def url_where_it_runs(settings: Settings) -> str | None:
    """The pipeline's URL of the database that the settings name, without starting an embedded one:
    None where that does not run."""
    if settings.database_url is not None:
        return Database(address=settings.database_url.get_secret_value()).url()
    return EmbeddedPostgres(settings.home).url_if_running()


def open_database(settings: Settings, *, migrate: bool = True) -> Database:
    """The database that the settings name; starts the embedded server where they name none."""
    dagster = (
        settings.dagster_database_url.get_secret_value() if settings.dagster_database_url else None
    )
    if settings.database_url is not None:
        database = Database(address=settings.database_url.get_secret_value(), dagster=dagster)
    else:
        problem = problem_of(settings.home, named=the_home().named)
        if problem is not None:
            raise EmbeddedPostgresError(problem)
        database = Database(lease=EmbeddedPostgres(settings.home).acquire(), dagster=dagster)
    if migrate:
        database.migrate()
    return database
