"""Nothing around a signed body counts as signed: trailers, repeated headers, headers in odd spellings.

Raw sockets, as no client library would send these.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from lightfast_pipelines.providers.github.webhooks.signature import sign
from lightfast_pipelines.store.database import Database
from tests.webhook_receiver.serving import (
    SECRET,
    deliver,
    everything_from,
    raw_request,
    ready_receiver,
    signed,
)

BODY = b'{"zen":"x"}'
GENUINE = sign(BODY, SECRET.encode())
FORGED = "sha256=" + "0" * 64

Header = tuple[str, str]


def headers(*changed: Header, without: Sequence[str] = ()) -> list[Header]:
    """Those of a genuine delivery, less `without`, and these after them."""
    kept = [(name, value) for name, value in signed(BODY).items() if name not in without]
    return [*kept, *changed]


def answered(
    database: Database, sent: Sequence[Header], trailers: Sequence[Header] = (), pieces: int = 1
) -> tuple[bytes, list[tuple[str, str]]]:
    """The status line, and (event, delivery id) of what was stored; `pieces`: the trailers come apart."""
    lines = [f"{name}: {value}" for name, value in sent]
    framing = "transfer-encoding: chunked" if trailers else f"content-length: {len(BODY)}"
    head = "\r\n".join(
        ["POST /webhooks/github HTTP/1.1", "host: x", "connection: close", framing, *lines]
    )
    body = BODY.decode()
    if trailers:
        body = f"{len(BODY):x}\r\n{body}\r\n0\r\n"
    end = "".join(f"{name}: {value}\r\n" for name, value in trailers) + "\r\n" if trailers else ""
    with ready_receiver(database.url("receiver")) as client:
        whole = f"{head}\r\n\r\n{body}"
        if pieces == 1:
            whole, end = whole + end, ""
        with raw_request(client, whole) as connection:
            if end:
                # Another request in between: the head was read before the trailers are sent.
                assert deliver(client, b'{"zen":"between"}', "between").status_code == 200
                connection.sendall(end.encode())
            answer = everything_from(connection)
    with database.connect() as conn:
        stored = conn.execute(
            "SELECT event_type, delivery_id FROM lightfast.raw_payloads WHERE delivery_id <> 'between'"
        ).fetchall()
    return answer.split(b"\r\n")[0], [(event, delivery) for event, delivery in stored]


@pytest.mark.parametrize("pieces", [1, 2])
def test_trailers_are_not_headers(database: Database, pieces: int) -> None:
    forged = [
        ("X-GitHub-Event", "push"),
        ("X-GitHub-Delivery", "other"),
        ("X-Hub-Signature-256", FORGED),
        ("Content-Type", "text/plain"),
    ]
    status, stored = answered(database, headers(), forged, pieces)
    assert status == b"HTTP/1.1 200 OK"
    assert stored == [("ping", "one")]


@pytest.mark.parametrize(
    ("missing", "status"),
    [("x-hub-signature-256", b"401"), ("x-github-event", b"400"), ("x-github-delivery", b"400")],
)
def test_a_trailer_does_not_supply_what_the_headers_lack(
    database: Database, missing: str, status: bytes
) -> None:
    trailer = (missing, signed(BODY)[missing])
    line, stored = answered(database, headers(without=[missing]), [trailer])
    assert line.split()[1] == status
    assert stored == []


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ([("x-github-event", "push")], b"400"),
        ([("X-GitHub-Event", "ping")], b"400"),
        ([("x-github-delivery", "two")], b"400"),
        ([("content-type", "application/x-www-form-urlencoded")], b"400"),
        ([("x-hub-signature-256", FORGED)], b"401"),
        ([("X-Hub-Signature-256", GENUINE)], b"401"),
    ],
)
def test_a_repeated_header_that_a_provider_reads_is_refused(
    database: Database, changed: list[Header], status: bytes
) -> None:
    for order in (headers(*changed), [*changed, *headers()]):
        line, stored = answered(database, order)
        assert line.split()[1] == status
        assert stored == []


def test_a_repeated_header_that_no_provider_reads_is_accepted(database: Database) -> None:
    line, stored = answered(database, headers(("x-forwarded-for", "a"), ("x-forwarded-for", "b")))
    assert line.split()[1] == b"200"
    assert stored == [("ping", "one")]


@pytest.mark.parametrize(
    "name", ["x_github_event", "X-GitHub_Event", "x-github-event2", "http-x-github-event"]
)
def test_a_header_with_a_similar_name_is_ignored(database: Database, name: str) -> None:
    line, stored = answered(database, headers((name, "push")))
    assert line.split()[1] == b"200"
    assert stored == [("ping", "one")]
    line, _ = answered(database, headers((name, "push"), without=["x-github-event"]))
    assert line.split()[1] == b"400"


@pytest.mark.parametrize("name", ["X-GITHUB-EVENT", "x-gitHub-eVent"])
def test_header_names_ignore_case(database: Database, name: str) -> None:
    _, stored = answered(database, headers((name, "push"), without=["x-github-event"]))
    assert stored == [("push", "one")]


@pytest.mark.parametrize("name", ["x-github-event ", "x-github-event\t", " x-github-event"])
def test_a_header_name_with_blanks_is_not_read(database: Database, name: str) -> None:
    line, stored = answered(database, headers((name, "push")))
    assert line.split()[1] == b"400"
    assert stored == []
