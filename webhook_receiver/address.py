"""Turns a libpq URL into one that asyncpg accepts.

asyncpg passes every parameter it does not know to the server, which then refuses the connection.
"""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

from lightfast_pipelines.settings.addresses import with_query

# Client-side parameters that only libpq knows, checked against asyncpg 0.32's connect_utils.
_LIBPQ_ONLY = frozenset(
    {
        "channel_binding",
        "connect_timeout",
        "gssencmode",
        "keepalives",
        "keepalives_count",
        "keepalives_idle",
        "keepalives_interval",
        "load_balance_hosts",
        "require_auth",
        "sslcertmode",
        "sslcompression",
        "sslsni",
        "tcp_user_timeout",
    }
)


def driver_address(libpq_url: str) -> str:
    query = parse_qsl(urlsplit(libpq_url).query)
    return with_query(
        libpq_url, ((name, value) for name, value in query if name not in _LIBPQ_ONLY)
    )
