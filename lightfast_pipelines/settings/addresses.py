"""Checks server addresses before anything connects, and shows them without secrets.

libpq's own messages quote what they cannot parse, which may be the password. libpq, SQLAlchemy and
urllib all read an address that passes here in the same way.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from pydantic import AfterValidator, SecretStr

Network = IPv4Network | IPv6Network

FORM = "postgresql://USER:PASSWORD@HOST:5432/DATABASE"

# `*.acme.com` is allowed; `*` alone would allow every name.
_HOST_NAME = re.compile(r"(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?|\[[0-9A-Fa-f:.]+\]")
_WRONG_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})|%00")


def postgres_address(secret: SecretStr | None) -> SecretStr | None:
    """The address, if libpq can read it. Raises ValueError; its message holds only the scheme."""
    return None if secret is None else SecretStr(_checked(secret.get_secret_value().strip()))


def dagster_address(secret: SecretStr | None) -> SecretStr | None:
    """Like `postgres_address`; the scheme may name a driver, as in SQLAlchemy."""
    if secret is None:
        return None
    scheme, separator, rest = secret.get_secret_value().strip().partition("://")
    plain = "postgresql" if scheme.startswith("postgresql+") else scheme
    return SecretStr(_checked(f"{plain}{separator}{rest}"))


def api_address(url: str | None) -> str | None:
    """The address of a provider's API. Raises ValueError."""
    if url is None:
        return None
    parts = urlsplit(url.strip())
    if parts.scheme not in {"https", "http"} or not parts.hostname:
        raise ValueError("an address such as https://HOST")
    if parts.username or parts.password:
        raise ValueError("an address without user and password: credentials are stored sealed")
    return url.strip().rstrip("/")


ApiAddress = Annotated[str | None, AfterValidator(api_address)]
"""The type of a setting that holds the address of an API."""


def networks(text: str) -> list[Network]:
    """Addresses or networks, separated by commas. Raises ValueError."""
    return [ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip()]


def proxies(text: str | None) -> str | None:
    """The text, if it is such a list. Raises ValueError."""
    try:
        networks(text or "")
    except ValueError as error:
        raise ValueError("addresses or networks by comma, as 10.0.0.7,192.168.4.0/24") from error
    return text


def host_and_port(text: str) -> tuple[str, int] | None:
    """The parts of an address such as 127.0.0.1:4101 or [::1]:4101; None for `off`. Raises ValueError."""
    if text == "off":
        return None
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError("a host and a port, as 127.0.0.1:4101, or off")
    return host.strip("[]"), int(port)


def listening_address(text: str) -> str:
    """The text, if it is such an address. Raises ValueError."""
    host_and_port(text)
    return text


def with_query(address: str, query: Iterable[tuple[str, str]]) -> str:
    """The address with its query replaced. (`urlunsplit` would drop the slashes of an address without
    a host, such as postgresql:///memory?host=/run/postgresql.)"""
    parts = urlsplit(address)
    encoded = urlencode(list(query), quote_via=quote)
    return f"{parts.scheme}://{parts.netloc}{parts.path}{f'?{encoded}' if encoded else ''}"


def with_options(address: str, options: str) -> str:
    """The address with these session options added to its own."""
    query = dict(parse_qsl(urlsplit(address).query))
    query["options"] = f"{query.get('options', '')} {options}".strip()
    return with_query(address, query.items())


def user_of(address: str) -> str | None:
    """The user that the address names, if any."""
    parts = urlsplit(address)
    login = parts.netloc.rpartition("@")[0]
    return dict(parse_qsl(parts.query)).get("user") or unquote(login.partition(":")[0]) or None


# Parts that belong to the address's own user: a certificate's key is as good as a password.
_OF_ONE_USER = ("user", "password", "passfile", "sslkey", "sslcert", "sslpassword", "options")


def with_login(address: str, user: str, password: str) -> str:
    """The address of the same server and database with another login."""
    parts = urlsplit(address)
    query = {n: v for n, v in parse_qsl(parts.query) if n not in _OF_ONE_USER}
    where = parts.netloc.rpartition("@")[2]
    login = f"{quote(user, safe='')}:{quote(password, safe='')}"
    return with_query(f"{parts.scheme}://{login}@{where}{parts.path}", query.items())


def shown(address: str) -> str:
    """The address to show to a person: host, port and database, without user and password."""
    parts = urlsplit(address)
    query = dict(parse_qsl(parts.query))
    host = parts.netloc.rpartition("@")[2] or query.get("host", "localhost")
    return f"{unquote(host)}{unquote(parts.path)}"


def _checked(address: str) -> str:
    scheme, separator, rest = address.partition("://")
    if not separator:
        raise ValueError(f"an address of the form {FORM}")
    if scheme.startswith(("postgresql+", "postgres+")):
        raise ValueError(
            f"{FORM}, without the driver's name that SQLAlchemy writes behind the plus"
        )
    if scheme not in {"postgresql", "postgres"}:
        given = scheme if re.fullmatch(r"[a-z][a-z0-9+.-]*", scheme) else "something else"
        raise ValueError(f"the address of a Postgres, {FORM}; this one is of {given}")
    # Each reader cuts a password at one of these characters, in its own way, unless it is escaped.
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    behind = rest[len(authority) :]
    user = authority.rpartition("@")[0]
    if "@" in user or "@" in behind or "#" in behind or set("[]") & set(user) or not user.isascii():
        raise ValueError(
            f"{FORM}, in which a password's own @ / ? # % : [ ] are written %40 %2F %3F %23 %25 "
            "%3A %5B %5D, and characters outside ASCII as escaped UTF-8"
        )
    if _WRONG_ESCAPE.search(address):
        raise ValueError(f"{FORM}, in which a % of the password itself is written %25")
    if re.search(r"[\s\x00-\x1f]", address):
        raise ValueError(f"{FORM}, without a blank (written %20 where it belongs to the password)")
    for host in authority.rpartition("@")[2].split(","):
        port = host.rpartition("]")[2].partition(":")[2] if "[" in host else host.partition(":")[2]
        if port and not (port.isdigit() and 0 < int(port) < 65536):
            raise ValueError(f"{FORM}, whose port is a number from 1 to 65535")
    if not address.isascii() or authority.count("[") != authority.count("]"):
        raise ValueError(FORM)
    query = urlsplit(address).query
    if any("=" not in part for part in query.split("&") if part):
        raise ValueError(f"{FORM}?NAME=VALUE&NAME=VALUE")
    return address


def host_names(text: str) -> str:
    """The text, if it lists host names as a browser shows them, without scheme and port."""
    for name in filter(None, (part.strip() for part in text.split(","))):
        if not _HOST_NAME.fullmatch(name):
            raise ValueError(f"names by comma, without scheme and port; {name!r} is none")
    return text
