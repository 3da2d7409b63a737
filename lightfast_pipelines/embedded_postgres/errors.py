"""The error of the embedded Postgres: its message says what failed, where, and what to do."""


class EmbeddedPostgresError(RuntimeError):
    """The embedded Postgres cannot be started, reached or stopped."""
