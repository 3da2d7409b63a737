"""Structured logs: one JSON object per line on standard error.

A traceback is logged as places and types only: error messages quote values, and a value may be a
body or a secret.
"""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any, TextIO

import msgspec

FLUSH_LINES = 64
FLUSH_SECONDS = 0.2
FIELD_CHARACTERS = 400
# Strangers can cause at most 71 lines in ten seconds.
REPEATS_SECONDS = 10.0
REPEATS_SHOWN = 3
ALL_SHOWN = 50
KINDS_COUNTED = 20

_KIND_FIELDS = ("provider", "status", "reason")
Kind = tuple[tuple[str, object], ...]


class JsonFormatter(logging.Formatter):
    """`{"time", "level", "event", ...}`; pass more fields by `extra={"fields": {...}}`."""

    def __init__(self) -> None:
        super().__init__()
        self._second = (0, "")

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = dict(getattr(record, "fields", None) or {})
        if record.exc_info and record.exc_info[1] is not None:
            fields["error"] = error_type(record.exc_info[1])
            fields["at"] = places(record.exc_info[1])
        return self.line(record.created, record.levelname.lower(), record.getMessage(), fields)

    def line(self, created: float, level: str, event: str, fields: Mapping[str, object]) -> str:
        line = {"time": self._utc(created), "level": level, "event": event, **fields}
        written = msgspec.json.encode(line)
        # No field of a shorter line, such as a delivery's, can be too long.
        if len(written) > FIELD_CHARACTERS:
            written = msgspec.json.encode({name: _cut(value) for name, value in line.items()})
        return _printable(written.decode())

    def _utc(self, created: float) -> str:
        second, millis = divmod(int(created * 1000), 1000)
        if self._second[0] != second:
            self._second = (second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)))
        return f"{self._second[1]}.{millis:03d}Z"


def _cut(value: object) -> object:
    if isinstance(value, str) and len(value) > FIELD_CHARACTERS:
        return f"{value[:FIELD_CHARACTERS]}… ({len(value)} characters)"
    return value


def _printable(line: str) -> str:
    """Escapes what JSON lets through and a terminal obeys: C1 controls and marks of text direction."""
    if line.isprintable():
        return line
    return "".join(letter if letter.isprintable() else json.dumps(letter)[1:-1] for letter in line)


class Repeats:
    """Shows the first lines of each kind and counts the rest, so that a flood does not fill the disk."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ends_at = clock() + REPEATS_SECONDS
        self._shown: Counter[Kind] = Counter()
        self._counted: Counter[Kind] = Counter()

    def is_shown(self, kind: Kind) -> bool:
        """Whether to write the line; if not, it is counted."""
        if self._shown[kind] < REPEATS_SHOWN and self._shown.total() < ALL_SHOWN:
            self._shown[kind] += 1
            return True
        if kind not in self._counted and len(self._counted) >= KINDS_COUNTED:
            kind = (("of", "other kinds"),)
        self._counted[kind] += 1
        return False

    def take_counts(self) -> Counter[Kind]:
        """The counts, once the interval is over; empty before."""
        now = self._clock()
        if now < self._ends_at:
            return Counter()
        self._ends_at = now + REPEATS_SECONDS
        counted, self._counted = self._counted, Counter()
        self._shown.clear()
        return counted


class BatchingHandler(logging.Handler):
    """Writes several lines at once, to save system calls.

    Lines wait until `flush` is called, which the server does several times a second; a warning is
    written at once. Repeated refusals and warnings are counted instead.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.lines = JsonFormatter()
        self.setFormatter(self.lines)
        self._repeats = Repeats(clock)
        self._stream = stream
        self._lines: list[str] = []
        self._writing = Lock()

    def emit(self, record: logging.LogRecord) -> None:
        kind = getattr(record, "kind", None)
        if kind is None and record.levelno >= logging.WARNING:
            kind = (("of", record.getMessage()), ("logger", record.name))
        if kind is not None and not self._repeats.is_shown(kind):
            return
        try:
            line = self.format(record)
        except Exception:
            self.handleError(record)
            return
        self.add(line)
        if record.levelno >= logging.WARNING:
            self.flush()

    def add(self, line: str) -> None:
        self._lines.append(line)
        if len(self._lines) >= FLUSH_LINES:
            self.flush()

    def flush(self) -> None:
        for kind, count in self._repeats.take_counts().items():
            summary = logging.makeLogRecord({"msg": "repeated", "levelno": logging.INFO})
            summary.levelname = "INFO"
            summary.fields = {**dict(kind), "count": count, "seconds": REPEATS_SECONDS}
            self._lines.append(self.format(summary))
        with self._writing:
            lines, self._lines = self._lines, []
            if not lines:
                return
            try:
                self._stream.write("\n".join(lines) + "\n")
                self._stream.flush()
            except (OSError, ValueError):
                # Nobody reads the log any more, but deliveries must still be received.
                return


def configure(level: str, stream: TextIO | None = None) -> BatchingHandler:
    """Makes every logger of the process write JSON lines to `stream` (standard error)."""
    handler = BatchingHandler(stream or sys.stderr)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Its "Started server process" says less than our own line.
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    return handler


def log_delivery(log: logging.Logger, fields: Mapping[str, object]) -> None:
    """Writes the line of a stored delivery as `log.info` would, in a quarter of the time.

    It is the only frequent line. It needs no log record and no search for its caller.
    """
    if not log.isEnabledFor(logging.INFO):
        return
    for handler in logging.getLogger().handlers:
        if isinstance(handler, BatchingHandler):
            handler.add(handler.lines.line(time.time(), "info", "delivery", fields))
        else:
            record = logging.LogRecord(log.name, logging.INFO, "", 0, "delivery", None, None)
            record.fields = fields
            handler.handle(record)


def log_refusal(log: logging.Logger, address: str, fields: Mapping[str, object]) -> None:
    """Writes the line of a refused request; repeated ones are counted."""
    kind = (("of", "delivery"), ("address", address), *((n, fields.get(n)) for n in _KIND_FIELDS))
    log.info("delivery", extra={"fields": {**fields, "address": address}, "kind": kind})


def error_type(error: BaseException) -> str:
    """The types of an error and of its causes, without their messages."""
    names = [type(error).__qualname__]
    while (cause := error.__cause__ or error.__context__) is not None and len(names) < 5:
        names.append(type(cause).__qualname__)
        error = cause
    return " < ".join(names)


def places(error: BaseException) -> list[str]:
    """Where an error was raised, innermost last: `file:line function`."""
    frames = traceback.extract_tb(error.__traceback__)[-8:]
    return [f"{'/'.join(f.filename.split('/')[-2:])}:{f.lineno} {f.name}" for f in frames]


def flush() -> None:
    """Writes what waits in any handler."""
    for handler in logging.getLogger().handlers:
        handler.flush()
