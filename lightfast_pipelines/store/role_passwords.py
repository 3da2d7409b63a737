"""Gives each of the three roles a password, as the owner, on a server of your own.

The server receives only SCRAM verifiers, so its log holds no password.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import psycopg
from psycopg import sql

from lightfast_pipelines.settings.addresses import with_login
from lightfast_pipelines.store.logins import LoginError, Role

LOGIN_ROLES: Sequence[Role] = ("receiver", "pipeline", "analyst")


def make_logins(
    connection: psycopg.Connection[Any],
    owner_address: str,
    *,
    renew: bool,
    new_password: Callable[[], str],
) -> Mapping[Role, str]:
    """Sets a new password for each role, all or none, and returns the roles' addresses. Commits.

    Raises LoginError if a role can log in already (unless `renew`) or has more rights than it should.
    """
    for problem in connection.execute(_TOO_MIGHTY, (_names(),)).fetchall():
        raise LoginError(
            f"the role {problem[0]} of that server has more rights than it should ({problem[1]}): "
            "take that away before it gets a password"
        )
    taken = connection.execute(_CAN_LOG_IN, (_names(),)).fetchall()
    if taken and not renew:
        raise LoginError(
            f"{', '.join(row[0] for row in taken)} can log in already, on the whole server: use the "
            "addresses that were printed then, or give all three new passwords with --renew, which "
            "ends the old ones for every database of that server"
        )
    addresses: dict[Role, str] = {}
    try:
        for role in LOGIN_ROLES:
            name = f"lightfast_{role}"
            password = new_password()
            verifier = connection.pgconn.encrypt_password(
                password.encode(), name.encode(), b"scram-sha-256"
            )
            connection.execute(
                sql.SQL("ALTER ROLE {} WITH LOGIN PASSWORD {}").format(
                    sql.Identifier(name), sql.Literal(verifier.decode())
                )
            )
            addresses[role] = with_login(owner_address, name, password)
    except psycopg.errors.InsufficientPrivilege:
        connection.rollback()
        refused = True
    else:
        connection.commit()
        refused = False
    if refused:
        # Raised outside the handler, because the caught error quotes the statement.
        raise LoginError(
            "the user of LIGHTFAST_DATABASE_URL may not give the roles a password: let an administrator "
            f"run GRANT {', '.join(_names())} TO that user WITH ADMIN OPTION, and give it CREATEROLE"
        )
    return addresses


def other_databases(connection: psycopg.Connection[Any]) -> list[str]:
    """Other databases of the server that the analyst, like every user there, may connect to."""
    return [
        str(row[0])
        for row in connection.execute(
            """
            SELECT datname::text FROM pg_catalog.pg_database
            WHERE datallowconn AND datname <> current_database()
              AND has_database_privilege('lightfast_analyst', oid, 'CONNECT')
            ORDER BY datname
            """
        ).fetchall()
    ]


def _names() -> list[str]:
    return [f"lightfast_{role}" for role in LOGIN_ROLES]


_CAN_LOG_IN = (
    "SELECT rolname::text FROM pg_catalog.pg_roles WHERE rolname = ANY(%s) AND rolcanlogin"
)

_TOO_MIGHTY = """
    SELECT r.rolname::text, CASE
        WHEN r.rolsuper THEN 'it is superuser'
        WHEN r.rolcreaterole THEN 'it may create roles'
        WHEN r.rolreplication THEN 'it may replicate'
        WHEN r.rolbypassrls THEN 'it passes row security'
        ELSE 'it is a member of ' || g.rolname
      END
    FROM pg_catalog.pg_roles r
    LEFT JOIN pg_catalog.pg_auth_members m ON m.member = r.oid
    LEFT JOIN pg_catalog.pg_roles g ON g.oid = m.roleid
    WHERE r.rolname = ANY(%s)
      AND (r.rolsuper OR r.rolcreaterole OR r.rolreplication OR r.rolbypassrls OR g.oid IS NOT NULL)
"""
