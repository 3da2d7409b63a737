"""Ingests files of JSON lines: stores each line as a `manual` delivery and links its resource.

`jsonlines.py` reads the files. Only the route of a payload is read here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any

import msgspec

from lightfast_pipelines.domain.events import Route
from lightfast_pipelines.domain.secrets.masking import mask
from lightfast_pipelines.inbox.jsonlines import Line, UnreadableLine
from lightfast_pipelines.providers import json_bounds
from lightfast_pipelines.providers.malformed_body import MalformedBody
from lightfast_pipelines.providers.webhook_contract import Provider
from lightfast_pipelines.store.body_partitions import make_months_soon
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.deliveries import Delivery, insert_deliveries, partition_date_of
from lightfast_pipelines.store.linked_resources import LinkRefusedError, Workspace, link_resource

VERIFIED_BY = "manual"
CHUNK_LINES = 1000
CHUNK_BYTES = 8 * 1024 * 1024

# These describe the body as it came over HTTP; the body stored here is always JSON.
_HEADERS_OF_THE_WIRE = frozenset({"content-type", "content-length", "content-encoding"})
# HTTP servers limit headers as well: decoding makes an object of every value.
_LARGEST_HEADERS = 64 * 1024
# Kinds of routes that lead to a connection: there is no resource to link.
_NOT_LINKED = frozenset({"installation", "organization"})


class _LineEnvelope(msgspec.Struct):
    event: str
    payload: msgspec.Raw
    delivery_id: str | None = None
    received_at: str | None = None
    headers: msgspec.Raw = msgspec.Raw(b"null")


@dataclass(slots=True)
class IngestReport:
    """Counts of the lines: each was `stored`, `repeated` (stored before) or one of the `problems`.

    A file that breaks off counts as a problem but not as a line.
    """

    lines: int = 0
    stored: int = 0
    repeated: int = 0
    problems: int = 0
    clamped: int = 0
    """Lines with a time of receipt in the future, which were stored as received now."""
    refused: dict[str, str] = field(default_factory=dict)
    """Resource that could not be linked -> why. Its deliveries are stored and will be parked."""
    linked: list[str] = field(default_factory=list)


class BadLine(ValueError):
    """A line that cannot be stored; the message says why without quoting the payload."""


def ingest(
    conn: Connection,
    workspace: Workspace,
    provider: Provider,
    lines: Iterable[Line | UnreadableLine],
    *,
    start: date,
    now: datetime,
    on_problem: Callable[[Line | UnreadableLine, str], None],
    progress: Callable[[int], None] | None = None,
) -> IngestReport:
    """Stores every valid line and links the resources named in them; commits chunk by chunk.

    `start` is the first daily partition; `now` is the time of receipt of a line that gives none.
    `on_problem` is called with each bad line and each line whose resource cannot be linked, `progress`
    with the number of lines done since its last call.
    """
    report = IngestReport()
    links = _Links(conn, workspace, provider, report, on_problem)
    chunk: list[Delivery] = []
    size = read = 0
    months: set[date] = set()

    def flush() -> None:
        nonlocal chunk, size, read
        # Only for days that have partitions: a line may claim any time, and each month is a table.
        new_months = {
            day.replace(day=1)
            for delivery in chunk
            if start <= (day := delivery.received_at.date()) <= now.date()
        } - months
        if new_months:
            make_months_soon(conn, new_months)
            months.update(new_months)
        new = insert_deliveries(conn, chunk)
        conn.commit()
        report.stored += new
        report.repeated += len(chunk) - new
        if progress is not None:
            progress(read)
        chunk, size, read = [], 0, 0

    for line in lines:
        if isinstance(line, UnreadableLine):
            report.lines += line.is_a_line
            report.problems += 1
            on_problem(line, line.reason)
            continue
        report.lines += 1
        read += 1
        try:
            delivery, route = _delivery(line.text, workspace, provider, start=start, now=now)
        except BadLine as error:
            report.problems += 1
            on_problem(line, str(error))
            continue
        if route is not None:
            links.ensure(route, line)
        if delivery.received_at > now:
            report.clamped += 1
            delivery = replace(delivery, received_at=now)
        chunk.append(delivery)
        size += len(delivery.body)
        if len(chunk) >= CHUNK_LINES or size >= CHUNK_BYTES:
            flush()
    flush()
    return report


class _Links:
    """Links each resource once, before its first delivery is stored."""

    def __init__(
        self,
        conn: Connection,
        workspace: Workspace,
        provider: Provider,
        report: IngestReport,
        on_problem: Callable[[Line | UnreadableLine, str], None],
    ) -> None:
        self._conn, self._workspace, self._provider = conn, workspace, provider
        self._report, self._on_problem = report, on_problem
        self._seen: set[str] = set()

    def ensure(self, route: Route, line: Line) -> None:
        key = route.resource_key
        if route.by_hand or key in self._seen or key.split(":")[1] in _NOT_LINKED:
            return
        self._seen.add(key)
        try:
            with self._conn.transaction():
                made = link_resource(
                    self._conn,
                    self._workspace,
                    self._provider.name,
                    route.resource_id,
                    name=route.resource_name,
                    meta=dict(route.resource_meta),
                    connected_by="ingest",
                )
            # At once, because capture waits while a link is being made.
            self._conn.commit()
        except LinkRefusedError as error:
            self._report.refused[key] = str(error)
            self._on_problem(line, str(error))
        else:
            if made.created:
                self._report.linked.append(key)


def _delivery(
    line: bytes, workspace: Workspace, provider: Provider, *, start: date, now: datetime
) -> tuple[Delivery, Route | None]:
    envelope, body, given = _open(line)
    headers = _headers(given, provider.kept_headers)
    try:
        route = _route(provider, envelope.event, provider.decode(body, {}))
    except MalformedBody as error:
        raise BadLine(f"payload: {error}") from error
    received_at = _received_at(envelope.received_at, now)
    try:
        delivery = Delivery(
            provider=provider.name,
            delivery_id=envelope.delivery_id or hashlib.sha256(body).hexdigest(),
            event_type=envelope.event,
            body=body,
            headers=headers,
            received_at=received_at,
            partition_date=partition_date_of(received_at, start=start, now=now),
            ingestion_source="manual",
            verified_by=VERIFIED_BY,
            org_id=workspace.org_id,
        )
    except ValueError as error:
        raise BadLine(str(error).replace("event_type", "event")) from error
    return delivery, route


def _route(provider: Provider, event: str, payload: Mapping[str, Any]) -> Route | None:
    """The payload's route; None if it has none or the provider fails to read it.

    Such a delivery is stored like any other, and capture makes it a dead letter with the reason.
    """
    try:
        return mask(provider.route(event, payload))
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _open(line: bytes) -> tuple[_LineEnvelope, bytes, Mapping[str, Any]]:
    """The line's envelope, the bytes of its payload, and its headers.

    The payload loses its white space and keeps every number and escape as written.
    """
    try:
        line.decode()
    except UnicodeDecodeError as error:
        raise BadLine(
            f"not UTF-8: byte {error.start + 1} of the line is {line[error.start]:#04x}"
        ) from error
    try:
        envelope = msgspec.json.decode(line, type=_LineEnvelope)
        body = bytes(msgspec.json.format(bytes(envelope.payload), indent=-1))
        headers = _decoded_headers(envelope.headers)
    except msgspec.ValidationError as error:
        raise BadLine(_wrong_shape(str(error))) from error
    except msgspec.DecodeError as error:
        # JavaScript writes lone surrogates into JSON; msgspec refuses them, Python's parser does not.
        return _open_slowly(line, str(error))
    except RecursionError as error:
        raise BadLine("nested too deeply") from error
    if not body.startswith(b"{"):
        raise BadLine("payload must be an object")
    return envelope, body, headers


def _decoded_headers(raw: msgspec.Raw) -> Mapping[str, Any]:
    if len(bytes(raw)) > _LARGEST_HEADERS:
        raise BadLine(f"headers: longer than {_LARGEST_HEADERS:,} bytes")
    return msgspec.json.decode(raw, type=dict[str, Any] | None) or {}


def _open_slowly(line: bytes, message: str) -> tuple[_LineEnvelope, bytes, Mapping[str, Any]]:
    try:
        # This parser makes an object of every value, needed or not.
        json_bounds.check(line)
        decoded = json.loads(line, parse_constant=_no_constants)
        raws = {"payload": msgspec.Raw(b"{}"), "headers": msgspec.Raw(b"null")}
        envelope = msgspec.convert({**decoded, **raws}, type=_LineEnvelope)
        payload, headers = decoded["payload"], decoded.get("headers") or {}
    except MalformedBody as error:
        raise BadLine(str(error)) from error
    except RecursionError as error:
        raise BadLine("nested too deeply") from error
    except (ValueError, TypeError, KeyError) as error:
        raise BadLine(f"not JSON: {message}") from error
    if not isinstance(payload, dict):
        raise BadLine("payload must be an object")
    if not isinstance(headers, dict):
        raise BadLine("headers: expected object")
    return envelope, json.dumps(payload, separators=(",", ":")).encode(), headers


def _no_constants(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _wrong_shape(message: str) -> str:
    """msgspec's message in terms of the file format: `event: expected str, got int`."""
    what, _, where = message.partition(" - at ")
    what = what.replace("`", "").removeprefix("Object ")
    where = where.strip("`").removeprefix("$").removeprefix(".")
    if what.startswith("missing required field "):
        return f"{what.removeprefix('missing required field ')} is missing"
    return f"{where or 'the line'}: {what[0].lower()}{what[1:]}"


def _headers(given: Mapping[str, Any], kept: frozenset[str]) -> dict[str, str]:
    wanted = kept - _HEADERS_OF_THE_WIRE
    lowered = ((name.lower(), value) for name, value in given.items())
    return {name: value for name, value in lowered if name in wanted and isinstance(value, str)}


def _received_at(text: str | None, now: datetime) -> datetime:
    if text is None:
        return now
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadLine(f"received_at: {text[:40]!r} is not an ISO 8601 time") from error
