"""Rows and arrays on their way to Postgres arrive as they are."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.staging import array_of, stage
from tests.capture.deliveries import one, rows, workspace_with

_TEXTS = [
    "",
    " ",
    "NULL",
    "null",
    'a "b"',
    "back\\slash",
    "{a,b}",
    "a,b",
    "line\nbreak",
    "\t",
    "é√😀",
]


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("bigint", [1, -2, 2**62]),
        ("bigint", [1, None]),
        ("text", _TEXTS),
        ("text", [*_TEXTS, None]),
        ("text", []),
        ("real", [0.5, 1.0, 0.25]),
        ("boolean", [True, False, None]),
        ("date", [date(2024, 2, 29), None]),
        ("bytea", [b"\x00\xff", b""]),
        (
            "timestamptz",
            [
                datetime(2024, 5, 1, 10, 0, 0, 123456, tzinfo=UTC),
                datetime(1, 1, 1, tzinfo=UTC),
                datetime(2024, 5, 1, 10, tzinfo=timezone(timedelta(hours=5, minutes=30))),
            ],
        ),
    ],
)
def test_an_array_has_the_values_it_was_made_of(
    conn: Connection, kind: str, values: list[Any]
) -> None:
    assert one(conn, f"SELECT %s::{kind}[]", array_of(values)) == values


def test_a_copied_array_has_the_values_it_was_made_of(conn: Connection) -> None:
    staged = stage(conn, "entities", ("key", "aliases"), [("a", array_of(_TEXTS))])
    assert one(conn, f"SELECT aliases FROM {staged}") == _TEXTS


def test_what_is_staged_again_replaces_what_the_transaction_staged_before(
    conn: Connection,
) -> None:
    workspace_with(conn)
    for key in ("first", "second"):
        staged = stage(conn, "entities", ("key",), [(key,)])
    assert rows(conn, f"SELECT key FROM {staged}") == [("second",)]
