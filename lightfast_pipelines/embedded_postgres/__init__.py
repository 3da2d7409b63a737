"""The embedded Postgres: one server per LIGHTFAST_HOME, shared by every process that holds a lease.

Finds the binaries, prepares the data folder, starts, watches and stops the server, and creates its
first role and databases. Migrations create the other roles and the tables.
"""

from lightfast_pipelines.embedded_postgres.errors import EmbeddedPostgresError
from lightfast_pipelines.embedded_postgres.server import EmbeddedPostgres, Lease, ServerStatus

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError", "Lease", "ServerStatus"]
