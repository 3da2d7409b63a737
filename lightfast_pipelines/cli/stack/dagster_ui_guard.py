"""Who may use Dagster's webserver: a browser on the UI's own pages, and programs on this machine.

The UI has no password, and whoever can start a run can run code. So another site must not use the
browser of a person who can reach it: not by a form, a script, a frame or a WebSocket, and not under a
name that was made to point to this machine (DNS rebinding).
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
# A page can make a browser send any other type without a preflight request.
_TYPES_A_FOREIGN_FORM_CANNOT_SEND = frozenset({"application/json", "application/graphql"})
# Addresses that a link on another site must not open; all others are pages of the UI.
_NO_PAGES = frozenset(
    {
        *("graphql", "logs", "notebook", "dagit", "download_debug", "server_info", "dagit_info"),
        *("report_asset_materialization", "report_asset_check", "report_asset_observation"),
    }
)
# They keep other sites from reading the UI in a frame or by a script tag.
_ADDED_HEADERS = {"X-Frame-Options": "SAMEORIGIN", "Cross-Origin-Resource-Policy": "same-origin"}


def is_loopback(host: str) -> bool:
    """Whether only programs on this machine can reach a server that binds to `host`."""
    if host.casefold() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def allowed_names(host: str, names: Sequence[str]) -> list[str]:
    """The names under which the UI answers: this machine's, the bound address, and those in the settings."""
    allowed = [*NAMES_OF_THIS_MACHINE, *names]
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        allowed.append(host)
    else:
        if not address.is_unspecified:
            allowed.append(f"[{address}]" if address.version == 6 else str(address))
    return allowed


def guarded(app: App, names: Sequence[str]) -> App:
    """The application behind the checks; it answers only under `names`."""
    return TrustedHostMiddleware(OwnPagesOnly(app), allowed_hosts=names, www_redirect=False)


class OwnPagesOnly:
    """Refuses requests that another site makes a browser send, and changes disguised as reads."""

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
            # A close before the acceptance becomes a 403.
            await send({"type": "websocket.close", "code": 1008, "reason": ""})
        else:
            await refusal(scope, receive, send)


def _foreign(scope: Scope) -> PlainTextResponse | None:
    """The refusal of a request from another site's page; None for one from the UI or a program."""
    headers = Headers(scope=scope)
    hosts = headers.getlist("host")
    if len(hosts) != 1:
        return _refused(400, "the request must name one host")
    for origin in headers.getlist("origin"):
        if _authority(origin) != _authority(f"{scope.get('scheme', 'http')}://{hosts[0]}"):
            return _refused(
                403,
                f"{origin[:200]!r} is not the address of this UI ({hosts[0]!r}). A proxy in front of it "
                "must pass on the Host that the browser sent.",
            )
    if {"same-origin", "none"} >= set(headers.getlist("sec-fetch-site")):
        return None
    if _is_link_to_a_page(scope, headers):
        return None
    return _refused(403, "another site requested this; open Dagster's UI itself")


def _is_link_to_a_page(scope: Scope, headers: Headers) -> bool:
    return (
        scope["type"] == "http"
        and scope["method"] in {"GET", "HEAD"}
        and headers.getlist("sec-fetch-mode") == ["navigate"]
        and headers.getlist("sec-fetch-dest") == ["document"]
        and str(scope["path"]).strip("/").partition("/")[0] not in _NO_PAGES
    )


def _hidden_change(scope: Scope) -> PlainTextResponse | None:
    """The refusal of a change by an address, or by a form that any page can send."""
    if scope["type"] != "http":
        return None
    if scope["method"] not in {"GET", "HEAD", "OPTIONS"}:
        sent_type = ";".join(Headers(scope=scope).getlist("content-type"))
        if sent_type.partition(";")[0].strip().lower() not in _TYPES_A_FOREIGN_FORM_CANNOT_SEND:
            return _refused(415, "send this with the header `Content-Type: application/json`")
        return None
    if any(_changes(query) for query in QueryParams(scope["query_string"]).getlist("query")):
        return _refused(405, "a mutation must be sent by POST", {"Allow": "POST"})
    return None


def _changes(query: str) -> bool:
    from graphql import GraphQLError, OperationDefinitionNode, OperationType, parse

    try:
        document = parse(query, no_location=True)
    except (GraphQLError, RecursionError):
        # Dagster refuses it and says what is wrong.
        return False
    return any(
        isinstance(definition, OperationDefinitionNode)
        and definition.operation is not OperationType.QUERY
        for definition in document.definitions
    )


def _authority(url: str) -> tuple[str, int] | None:
    """(name, port) of an origin. The scheme is not compared: a proxy that ends TLS changes it."""
    try:
        parts = urlsplit(url.strip().lower())
        port = parts.port
    except ValueError:
        return None
    if not parts.hostname:
        return None
    # A proxy may leave its own port out, so 443 and 80 equal no port.
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
