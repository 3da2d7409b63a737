"""Structured logs: one JSON object a line on standard error.

A traceback is logged as places and types only: messages of errors quote values, and a value may be
a body or a secret.
"""

from __future__ import annotations

import logging
import sys
import time
import traceback
from threading import Lock
from typing import Any, TextIO

import msgspec

FLUSH_LINES = 64
FLUSH_SECONDS = 0.2


class JsonFormatter(logging.Formatter):
    """`{"time", "level", "event", ...}`; more fields come by `extra={"fields": {...}}`."""

    def __init__(self) -> None:
        super().__init__()
        self._second = (0, "")

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": self._utc(record.created),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        fields = getattr(record, "fields", None)
        if fields:
            line.update(fields)
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = error_type(record.exc_info[1])
            line["at"] = places(record.exc_info[1])
        return msgspec.json.encode(line).decode()

    def _utc(self, created: float) -> str:
        second, millis = divmod(int(created * 1000), 1000)
        if self._second[0] != second:
            self._second = (second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)))
        return f"{self._second[1]}.{millis:03d}Z"


class BatchingHandler(logging.Handler):
    """Writes lines together, to save a system call for each.

    Lines wait for more until `flush` is called (the server does, several times a second); a warning
    is written at once.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._lines: list[str] = []
        self._writing = Lock()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._lines.append(self.format(record))
        except Exception:
            self.handleError(record)
            return
        if len(self._lines) >= FLUSH_LINES or record.levelno >= logging.WARNING:
            self.flush()

    def flush(self) -> None:
        with self._writing:
            lines, self._lines = self._lines, []
            if not lines:
                return
            try:
                self._stream.write("\n".join(lines) + "\n")
                self._stream.flush()
            except (OSError, ValueError):
                # Nobody reads the log any more; deliveries are still to be taken.
                return


def configure(level: str, stream: TextIO | None = None) -> BatchingHandler:
    """Makes every logger of the process write JSON lines to `stream` (standard error)."""
    handler = BatchingHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Its "Started server process" says less than our own lines.
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    return handler


def error_type(error: BaseException) -> str:
    """Types of an error and of what caused it, without their messages."""
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
