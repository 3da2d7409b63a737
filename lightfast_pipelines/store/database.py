"""How to reach the memory's database: addresses and connections per role.

Tables stand in `tables.py`, the embedded server in `embedded/`. Nothing here knows a query.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import psycopg

from lightfast_pipelines.settings import Settings
from lightfast_pipelines.store.embedded import EmbeddedPostgres, Lease
from lightfast_pipelines.store.migrate import migrate as migrate_schema

Role = Literal["receiver", "pipeline", "analyst", "migrator"]
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

    @property
    def is_embedded(self) -> bool:
        return self._lease is not None

    def url(self, role: Role = "pipeline") -> str:
        """A libpq URL that connects with the rights of `role`."""
        if self._lease is not None:
            return self._lease.url(database=self._name, user=f"lightfast_{role}")
        assert self._address is not None
        if role == "migrator":
            return self._address
        parts = urlsplit(self._address)
        query = dict(parse_qsl(parts.query))
        query["options"] = f"{query.get('options', '')} -c role=lightfast_{role}".strip()
        return urlunsplit(parts._replace(query=urlencode(query, quote_via=quote)))

    def dagster_url(self) -> str:
        """SQLAlchemy URL of Dagster's own storage. The driver is named: bare `postgresql://` means
        psycopg 3 to SQLAlchemy 2.1, with which dagster-postgres cannot write an event."""
        if self._dagster is not None:
            address = self._dagster
        elif self._lease is not None:
            address = self._lease.url(database="dagster", user="lightfast_migrator")
        else:
            assert self._address is not None
            parts = urlsplit(self._address)
            # Where no second database may be made, a schema of its own keeps Dagster's tables apart.
            query = dict(parse_qsl(parts.query))
            query["options"] = f"{query.get('options', '')} -c search_path=dagster".strip()
            address = urlunsplit(parts._replace(query=urlencode(query, quote_via=quote)))
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
            application_name=application_name,
            connect_timeout=30,
        )

    def migrate(self) -> str:
        """Brings the schema up to date; returns the revision."""
        revision = migrate_schema(self.url("migrator"), roles_log_in=self.is_embedded)
        if not self.is_embedded and self._dagster is None:
            with self.connect("migrator", autocommit=True) as connection:
                connection.execute("CREATE SCHEMA IF NOT EXISTS dagster")
        return revision

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
        database = Database(lease=EmbeddedPostgres(settings.home).acquire(), dagster=dagster)
    if migrate:
        database.migrate()
    return database
