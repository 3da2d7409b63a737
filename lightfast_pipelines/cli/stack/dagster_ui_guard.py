"""Who may ask Dagster's webserver: a browser that is on its own pages, and programs on this machine.

The UI has no password of its own, and whoever can start a run runs code. So no other site may use the
browser of somebody who can reach it: not by a form, a script, a frame or a WebSocket, and not under a
name that points here meanwhile (DNS rebinding).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

NAMES_OF_THIS_MACHINE = ("localhost", "127.0.0.1", "[::1]")
# A page can have a browser send any of the others without asking first.
_TYPES_A_FOREIGN_FORM_CANNOT_SEND = frozenset({"application/json", "application/graphql"})
# What a link on another site may not open; all other addresses are the UI's pages.
_NO_PAGES = frozenset(
    {
        *("graphql", "logs", "notebook", "dagit", "download_debug", "server_info", "dagit_info"),
        *("report_asset_materialization", "report_asset_check", "report_asset_observation"),
    }
)
# Scripts that read other sites' pages by frame or by tag find nothing.
_ADDED_HEADERS = {"X-Frame-Options": "SAMEORIGIN", "Cross-Origin-Resource-Policy": "same-origin"}


def is_loopback(host: str) -> bool:
    """Whether only programs of this machine reach a server that binds to `host`."""
    if host.casefold() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def known_names(host: str, names: Sequence[str]) -> list[str]:
    """The names under which the UI answers: this machine's own, what it binds to, and those set."""
    known = [*NAMES_OF_THIS_MACHINE, *names]
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        known.append(host)
    else:
        if not address.is_unspecified:
            known.append(f"[{address}]" if address.version == 6 else str(address))
    return known


def guarded(app: App, names: Sequence[str]) -> App:
    """The application behind the checks; `names` are the only ones it answers under."""
    return TrustedHostMiddleware(OwnPagesOnly(app), allowed_hosts=names, www_redirect=False)


class OwnPagesOnly:
    """Refuses what another site has a browser send, and what changes something without saying so."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        refusal = _foreign(scope) or _hidden_change(scope)
        if refusal is None:
            await self._app(scope, receive, _with_headers(send))
        elif scope["type"] == "websocket":
            # Before it is accepted a close is answered as 403.
            await send({"type": "websocket.close", "code": 1008, "reason": ""})
        else:
            await refusal(scope, receive, send)


def _foreign(scope: Scope) -> PlainTextResponse | None:
    """The answer to what another site's page asks for; None for what comes from the UI or a program."""
    headers = Headers(scope=scope)
    hosts = headers.getlist("host")
    if len(hosts) != 1:
        return _refused(400, "the request must name one host")
    for origin in headers.getlist("origin"):
        if _authority(origin) != _authority(f"{scope.get('scheme', 'http')}://{hosts[0]}"):
            return _refused(
                403,
                f"{origin[:200]!r} is not where this UI is ({hosts[0]!r}). A proxy in front of it has to "
                "pass on the Host that the browser sent.",
            )
    if {"same-origin", "none"} >= set(headers.getlist("sec-fetch-site")):
        return None
    if _is_link_to_a_page(scope, headers):
        return None
    return _refused(403, "another site asked for this; open Dagster's UI itself")


def _is_link_to_a_page(scope: Scope, headers: Headers) -> bool:
    return (
        scope["type"] == "http"
        and scope["method"] in {"GET", "HEAD"}
        and headers.getlist("sec-fetch-mode") == ["navigate"]
        and headers.getlist("sec-fetch-dest") == ["document"]
        and str(scope["path"]).strip("/").partition("/")[0] not in _NO_PAGES
    )


def _hidden_change(scope: Scope) -> PlainTextResponse | None:
    """The answer to a change that stands in an address, or in a form that any page can send."""
    if scope["type"] != "http":
        return None
    if scope["method"] not in {"GET", "HEAD", "OPTIONS"}:
        sent_type = ";".join(Headers(scope=scope).getlist("content-type"))
        if sent_type.partition(";")[0].strip().lower() not in _TYPES_A_FOREIGN_FORM_CANNOT_SEND:
            return _refused(415, "send this with the header `Content-Type: application/json`")
        return None
    if any(_changes(query) for query in QueryParams(scope["query_string"]).getlist("query")):
        return _refused(405, "a mutation is sent by POST", {"Allow": "POST"})
    return None


def _changes(query: str) -> bool:
    from graphql import GraphQLError, OperationDefinitionNode, OperationType, parse

    try:
        document = parse(query, no_location=True)
    except (GraphQLError, RecursionError):
        # Dagster says what is wrong with it, and does nothing.
        return False
    return any(
        isinstance(definition, OperationDefinitionNode)
        and definition.operation is not OperationType.QUERY
        for definition in document.definitions
    )


def _authority(url: str) -> tuple[str, int] | None:
    """(name, port) of an origin. Its scheme is not compared: a proxy that ends TLS changes it."""
    try:
        parts = urlsplit(url.strip().lower())
        port = parts.port
    except ValueError:
        return None
    if not parts.hostname:
        return None
    # A proxy's own port need not stand in what it passes on: 443 and 80 are told as none.
    return parts.hostname, 0 if port in {None, 80, 443} else port or 0


def _refused(status: int, reason: str, headers: dict[str, str] | None = None) -> PlainTextResponse:
    return PlainTextResponse(f"Refused: {reason}\n", status, headers=headers)


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=message.setdefault("headers", []))
            for name, value in _ADDED_HEADERS.items():
                headers[name] = value
        await send(message)

    return sending
