"""The embedded Postgres: one server per LIGHTFAST_HOME, shared by every process that holds a lease.

Belongs here: finding the binaries, the data folder, starting, watching and stopping the server, its
first roles and databases. Does not: tables, migrations and every role made by a migration.
"""

from lightfast_pipelines.embedded_postgres.errors import EmbeddedPostgresError
from lightfast_pipelines.embedded_postgres.server import EmbeddedPostgres, Lease, ServerStatus

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError", "Lease", "ServerStatus"]
