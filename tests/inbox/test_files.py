"""Each valid line of a file becomes one delivery, whatever the other lines are."""

from __future__ import annotations

import gzip
import io
import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lightfast_pipelines.inbox.files import IngestReport, ingest
from lightfast_pipelines.inbox.jsonlines import Line, UnreadableLine, read_lines
from lightfast_pipelines.providers import discover
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.linked_resources import Workspace, add_workspace

START = date(2008, 1, 1)
NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)


def payload(repository: int = 7, **more: Any) -> dict[str, Any]:
    return {"repository": {"id": repository, "full_name": f"acme/{repository}"}, **more}


def line(**more: Any) -> bytes:
    return json.dumps({"event": "push", "delivery_id": "d1", "payload": payload(), **more}).encode()


@pytest.fixture
def workspace(conn: Connection) -> Workspace:
    made = add_workspace(conn, "acme")
    conn.commit()
    return made


class Ingesting:
    """Ingests bytes and remembers the problems of lines."""

    def __init__(self, conn: Connection, workspace: Workspace) -> None:
        self.conn, self.workspace = conn, workspace
        self.problems: list[tuple[int, str]] = []

    def __call__(self, content: bytes, *, max_bytes: int = 1 << 20) -> IngestReport:
        return ingest(
            self.conn,
            self.workspace,
            discover()["github"],
            read_lines(io.BytesIO(content), "file", max_bytes=max_bytes),
            start=START,
            now=NOW,
            on_problem=lambda at, reason: self.problems.append((at.number, reason)),
        )

    def stored(self, columns: str) -> list[tuple[Any, ...]]:
        return self.conn.execute(
            f"SELECT {columns} FROM lightfast.raw_payloads p "
            "JOIN lightfast.raw_bodies b ON b.raw_payload_id = p.id ORDER BY p.id"
        ).fetchall()


@pytest.fixture
def ingesting(conn: Connection, workspace: Workspace) -> Ingesting:
    return Ingesting(conn, workspace)


def test_a_line_is_stored_as_a_manual_delivery_of_the_organisation_and_waits(
    ingesting: Ingesting,
) -> None:
    report = ingesting(
        line(
            received_at="2026-10-03T23:30:00-02:00",
            headers={"X-GitHub-Hook-ID": "9", "Cookie": "c"},
        )
    )
    assert (report.lines, report.stored, report.problems) == (1, 1, 0)
    assert ingesting.stored(
        "org_id, delivery_id, event_type, ingestion_source, verified_by, p.received_at, partition_date, headers"
    ) == [
        (
            "default",
            "d1",
            "push",
            "manual",
            "manual",
            datetime(2026, 10, 4, 1, 30, tzinfo=UTC),
            date(2026, 10, 4),
            {"x-github-hook-id": "9"},
        )
    ]
    assert ingesting.conn.execute("SELECT partition_date FROM lightfast.raw_queue").fetchall() == [
        (date(2026, 10, 4),)
    ]


def test_repeated_lines_are_counted_whatever_their_white_space(ingesting: Ingesting) -> None:
    ingesting(line())
    spaced = json.dumps(json.loads(line()), indent=1).replace("\n", " ").encode()
    report = ingesting(spaced + b"\r\n\n" + line())
    assert (report.lines, report.stored, report.repeated) == (2, 0, 2)


def test_numbers_and_escapes_of_the_payload_are_kept_as_written(ingesting: Ingesting) -> None:
    text = '{"a": 1.0, "b": 12345678901234567890123, "c": 1e400, "d": "\\u00e9", "a": 2}'
    ingesting(f'{{"event": "push", "delivery_id": "x", "payload": {text}}}'.encode())
    assert ingesting.stored("body") == [(text.replace(" ", "").encode(),)]


def test_a_lone_surrogate_stays_escaped(ingesting: Ingesting) -> None:
    report = ingesting(b'{"event":"push","delivery_id":"x","payload":{"t":"\\ud800"}}')
    assert (report.stored, ingesting.problems) == (1, [])
    assert ingesting.stored("body") == [(b'{"t":"\\ud800"}',)]


def test_without_a_delivery_id_the_body_is_its_identity(ingesting: Ingesting) -> None:
    without = json.dumps({"event": "push", "payload": payload()}).encode()
    other = json.dumps({"event": "push", "payload": payload(ref="x")}).encode()
    report = ingesting(b"\n".join((without, other, without)))
    assert (report.stored, report.repeated) == (2, 1)


@pytest.mark.parametrize(
    ("given", "day"),
    [
        ("1999-01-01T00:00:00Z", START),
        ("2031-01-01T00:00:00Z", NOW.date()),
        ("2026-05-01", date(2026, 5, 1)),
        (None, NOW.date()),
    ],
)
def test_the_day_lies_between_the_first_partition_and_today(
    ingesting: Ingesting, given: str | None, day: date
) -> None:
    ingesting(line(received_at=given))
    assert ingesting.stored("partition_date") == [(day,)]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"nope", "not JSON"),
        (b"[1]", "the line: expected object"),
        (b'{"event": "push"}', "payload is missing"),
        (b'{"payload": {}}', "event is missing"),
        (b'{"event": 5, "payload": {}}', "event: expected str"),
        (b'{"event": "", "payload": {}}', "event is empty"),
        (b'{"event": "push", "payload": []}', "payload must be an object"),
        (b'{"event": "push", "payload": {"a": NaN}}', "not JSON"),
        (b'{"event": "push", "payload": {"a": "\xff"}}', "not UTF-8: byte 37"),
        (b'{"event": "push", "payload": {}, "received_at": "soon"}', "received_at: 'soon' is not"),
        (
            b'{"event": "push", "payload": {}, "delivery_id": "' + b"x" * 1001 + b'"}',
            "delivery_id is longer",
        ),
        (
            b'{"event": "push", "payload": ' + b'{"a":' * 3000 + b"1" + b"}" * 3001,
            "nested too deeply",
        ),
        (b'{"event": "push", "payload": {"a": "' + b"x" * 30_000 + b'"}}', "longer than"),
    ],
)
def test_a_bad_line_is_reported_by_number_and_the_rest_is_stored(
    ingesting: Ingesting, bad: bytes, reason: str
) -> None:
    report = ingesting(b"\n".join((line(), b"", bad, line(delivery_id="d2"))), max_bytes=28_000)
    assert (report.lines, report.stored, report.problems) == (3, 2, 1)
    [(number, problem)] = ingesting.problems
    assert number == 3
    assert reason in problem


@pytest.mark.parametrize(
    ("hostile", "reason"),
    [
        (
            b'{"event":"push\\ud800","x":[' + b"[]," * 1_000_000 + b'1],"payload":{}}',
            "more values than are read of one body",
        ),
        (
            b'{"event":"push","headers":{"a":[' + b"[]," * 30_000 + b'1]},"payload":{}}',
            "headers: longer than 65,536 bytes",
        ),
    ],
    ids=["beside the payload", "headers"],
)
def test_a_line_of_a_million_values_is_refused_before_they_become_objects(
    ingesting: Ingesting, hostile: bytes, reason: str
) -> None:
    report = ingesting(b"\n".join((hostile, line())), max_bytes=1 << 23)
    assert (report.stored, report.problems) == (1, 1)
    assert reason in ingesting.problems[0][1]


def test_a_gzip_file_that_is_cut_off_is_read_up_to_there_and_reported(ingesting: Ingesting) -> None:
    whole = gzip.compress(b"\n".join(line(delivery_id=f"d{n}", note="x" * n) for n in range(3000)))
    report = ingesting(whole[: len(whole) // 2])
    assert 0 < report.stored < 3000
    assert report.stored == report.lines
    assert "cut off" in ingesting.problems[-1][1]


def test_a_damaged_gzip_file_is_reported(ingesting: Ingesting) -> None:
    whole = bytearray(gzip.compress(line()))
    whole[12] ^= 0xFF
    ingesting(bytes(whole))
    assert "damaged" in ingesting.problems[-1][1]


def test_resources_are_linked_once_and_before_their_deliveries(ingesting: Ingesting) -> None:
    lines = [line(delivery_id=f"{r}-{n}", payload=payload(r)) for r in (7, 8) for n in range(3)]
    report = ingesting(b"\n".join(lines))
    assert sorted(report.linked) == ["github:repository:7", "github:repository:8"]
    assert ingesting(b"\n".join(lines)).linked == []
    names = ingesting.conn.execute(
        "SELECT resource_name FROM lightfast.resources ORDER BY 1"
    ).fetchall()
    assert names == [("acme/7",), ("acme/8",)]


def test_a_secret_in_a_resources_name_is_masked(ingesting: Ingesting) -> None:
    token = "ghp_" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eFabcd"
    repository = {"id": 7, "full_name": f"acme/{token}", "owner": {"login": f"acme-{token}"}}
    ingesting(line(payload={"repository": repository}))
    [(resource,)] = ingesting.conn.execute("SELECT r::text FROM lightfast.resources r").fetchall()
    assert "acme/ghp_" in resource
    assert token not in resource


def test_another_organisations_resource_is_not_linked_and_the_rest_is_stored(
    ingesting: Ingesting, conn: Connection
) -> None:
    ingesting(line())
    ingesting.workspace = add_workspace(conn, "other", "elsewhere")
    report = ingesting(
        b"\n".join((line(), line(delivery_id="d2"), line(delivery_id="d3", payload=payload(9))))
    )
    assert list(report.refused) == ["github:repository:7"]
    assert report.linked == ["github:repository:9"]
    assert [number for number, _ in ingesting.problems] == [1]
    assert "another organisation" in ingesting.problems[0][1]
    assert ingesting.stored("org_id") == [
        ("default",),
        ("elsewhere",),
        ("elsewhere",),
        ("elsewhere",),
    ]


def test_an_event_of_an_installation_or_an_unknown_one_is_stored_and_links_nothing(
    ingesting: Ingesting,
) -> None:
    installed = line(event="installation", payload={"action": "deleted", "installation": {"id": 5}})
    unknown = line(
        event="never_heard_of", delivery_id="d2", payload={"repository": "not an object"}
    )
    report = ingesting(installed + b"\n" + unknown)
    assert (report.stored, report.linked, report.problems) == (2, [], 0)


def test_many_lines_are_stored_chunk_by_chunk_and_counted(ingesting: Ingesting) -> None:
    done: list[int] = []
    lines = read_lines(
        io.BytesIO(b"\n".join(line(delivery_id=f"d{n}") for n in range(2500))),
        "f",
        max_bytes=1 << 20,
    )
    report = ingest(
        ingesting.conn,
        ingesting.workspace,
        discover()["github"],
        lines,
        start=START,
        now=NOW,
        on_problem=lambda at, reason: pytest.fail(reason),
        progress=done.append,
    )
    assert report.stored == sum(done) == 2500
    assert len(done) > 2


@example([b"\xef\xbb\xbf", b"{}", b"\xef\xbb\xbf", b"\xef\xbb\xbf{}"], b"\n")
@given(st.lists(st.binary(max_size=60), max_size=20), st.sampled_from([b"\n", b"\r\n"]))
def test_any_bytes_give_every_line_that_is_not_blank_once(parts: list[bytes], end: bytes) -> None:
    clean = [part.replace(b"\n", b"").removeprefix(b"\x1f") for part in parts]
    lines_read = list(read_lines(io.BytesIO(end.join(clean)), "f", max_bytes=30))
    expected = [
        n
        for n, part in enumerate(clean, 1)
        if part.removeprefix(b"\xef\xbb\xbf").strip() or len(part) > 30
    ]
    assert [
        item.number for item in lines_read if isinstance(item, Line | UnreadableLine)
    ] == expected


def test_bodies_of_past_years_are_stored_in_the_partitions_of_their_months(
    ingesting: Ingesting, conn: Connection
) -> None:
    times = ["2023-01-31T23:59:59Z", "2023-02-01T00:30:00+01:00", "2024-06-10", "0203-01-01"]
    ingesting(b"\n".join(line(delivery_id=at, received_at=at) for at in times))
    rows = conn.execute(
        "SELECT tableoid::regclass::text, count(*) FROM lightfast.raw_bodies GROUP BY 1"
    )
    assert {str(name).removeprefix("lightfast."): count for name, count in rows} == {
        "raw_bodies_2023_01": 2,
        "raw_bodies_2024_06": 1,
        "raw_bodies_default": 1,
    }


def test_a_line_received_in_the_future_counts_as_received_now(
    conn: Connection, ingesting: Ingesting
) -> None:
    report = ingesting(
        line(received_at="2028-01-01T00:00:00Z")
        + b"\n"
        + line(delivery_id="d2", received_at="2026-11-20T00:00:00Z")
    )
    assert (report.stored, report.clamped) == (2, 1)
    rows = conn.execute(
        "SELECT received_at, partition_date FROM lightfast.raw_payloads ORDER BY delivery_id"
    ).fetchall()
    assert rows == [(NOW, NOW.date()), (datetime(2026, 11, 20, tzinfo=UTC), date(2026, 11, 20))]
