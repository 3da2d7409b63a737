"""Counts, over one connection of the guardian, the clients that use the server without a lease."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg


class Activity:
    def __init__(self, socket_dir: Path) -> None:
        self._socket_dir = socket_dir
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None
        self._sessions: int | None = None

    def clients(self) -> int:
        return self._look()[0]

    def seen(self) -> bool:
        """True if a client is connected, or connected and left since the last check."""
        clients, sessions = self._look()
        had_clients = sessions != self._sessions
        self._sessions = sessions
        return clients > 0 or had_clients

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _look(self) -> tuple[int, int | None]:
        import psycopg

        from lightfast_pipelines.embedded_postgres.bootstrap import connect

        try:
            if self._connection is None or self._connection.closed:
                self._connection = connect(self._socket_dir, "postgres")
            row = self._connection.execute(
                "select (select count(*) from pg_stat_activity"
                " where backend_type = 'client backend' and pid <> pg_backend_pid()),"
                " (select sum(sessions)::bigint from pg_stat_database)"
            ).fetchone()
        except psycopg.OperationalError:
            # Recovering or out of connections: not idle either way.
            self.close()
            return 1, None
        return row if row is not None else (1, None)
