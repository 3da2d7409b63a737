"""Turns a libpq URL into one that asyncpg takes.

asyncpg hands every parameter it does not know to the server, which refuses the connection.
"""

from __future__ import annotations

from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

# What only libpq knows, of its client side. Read in asyncpg 0.32's connect_utils.
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
    parts = urlsplit(libpq_url)
    query = [(k, v) for k, v in parse_qsl(parts.query) if k not in _LIBPQ_ONLY]
    return urlunsplit(parts._replace(query=urlencode(query, quote_via=quote)))
