"""The same body once more, under whatever id: only its first receipt states anything.

A signature covers a body, not the id, the event's name or the time that come beside it. So whoever
holds a delivery can send it again with fresh ones, and what it says must not become true anew. Which
receipt is the first depends on the time of receipt alone, not on the order in which they are captured.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from lightfast_pipelines.capture.reading import RawPayload, ReadPayload, load, read
from lightfast_pipelines.capture.routing import Outcome
from lightfast_pipelines.domain.events import Filtered, Lifecycle
from lightfast_pipelines.store.database import Connection

REPEATED = "the same body was received before"

# What an API told is read by ourselves: its times stand beside the body, and nobody else sends it.
_SENT_BY_OTHERS = frozenset({"webhook", "manual"})

# (workspace, verified for, provider, SHA-256 of the body)
_Place = tuple[int | None, str, str, bytes]
# (time, delivery id, id): the least is the first receipt.
_Receipt = tuple[datetime, str, int]


def without_repeated_changes(
    conn: Connection, readings: Sequence[ReadPayload]
) -> tuple[list[ReadPayload], list[ReadPayload]]:
    """Readings whose body the same secret verified before change nothing that is dated by receipt:
    neither connections and resources nor undated names.

    Beside them those captured earlier, which turn out to be repeats: their names are withdrawn.
    """
    places: list[tuple[int, _Place]] = [
        (reading.raw.id, (None, _verified_for(reading.raw), *_body(reading.raw)))
        for reading in readings
        if reading.raw.ingestion_source in _SENT_BY_OTHERS and _is_dated_by_receipt(reading)
    ]
    raws = {reading.raw.id: reading.raw for reading in readings}
    later, displaced = _later_receipts(conn, raws, places, of_workspaces=False)
    withdrawn = [read(raw) for raw in load(conn, dict.fromkeys(displaced, 0))]
    return [
        _changing_nothing(reading) if (reading.raw.id, None) in later else reading
        for reading in readings
    ], withdrawn


def without_repeats(
    conn: Connection, raws: Mapping[int, RawPayload], outcomes: Sequence[Outcome]
) -> list[Outcome]:
    """Outcomes by which a body states its facts once in each workspace: at its first receipt there.

    A receipt that was filtered there, as by a pause, is no first one.
    """
    places = [
        (one.raw_payload_id, (one.workspace_id, "", *_body(raws[one.raw_payload_id])))
        for one in outcomes
        if one.status == "delivered"
        and one.workspace_id is not None
        and raws[one.raw_payload_id].ingestion_source in _SENT_BY_OTHERS
    ]
    repeated, _ = _later_receipts(conn, raws, places, of_workspaces=True)
    return [
        replace(one, status="filtered", reason=REPEATED, statements=())
        if one.status == "delivered" and (one.raw_payload_id, one.workspace_id) in repeated
        else one
        for one in outcomes
    ]


def _body(raw: RawPayload) -> tuple[str, bytes]:
    return raw.provider, raw.body_sha256


def _verified_for(raw: RawPayload) -> str:
    return raw.verified_by if raw.org_id is None else f"{raw.verified_by} {raw.org_id}"


def _is_dated_by_receipt(reading: ReadPayload) -> bool:
    return isinstance(reading.reading, Lifecycle) or (
        reading.route is not None and any(name.at is None for name in reading.route.names)
    )


def _changing_nothing(reading: ReadPayload) -> ReadPayload:
    return replace(
        reading,
        reading=Filtered(REPEATED) if isinstance(reading.reading, Lifecycle) else reading.reading,
        route=replace(reading.route, names=()) if reading.route is not None else None,
    )


def _later_receipts(
    conn: Connection,
    raws: Mapping[int, RawPayload],
    places: Sequence[tuple[int, _Place]],
    *,
    of_workspaces: bool,
) -> tuple[set[tuple[int, int | None]], set[int]]:
    """(payload, workspace) of those whose body was received before; notes the first receipts.

    Payloads captured earlier that are the first no longer are returned too: they wait again, to be
    decided anew.
    """
    held = _held(conn, raws, (place for _, place in places), of_workspaces=of_workspaces)
    candidates: dict[_Place, list[_Receipt]] = defaultdict(list)
    for identifier, place in places:
        raw = raws[identifier]
        candidates[place].append((raw.received_at, raw.delivery_id, identifier))
    first: dict[_Place, int] = {}
    displaced: set[int] = set()
    for place, receipts in candidates.items():
        known = held.get(place)
        if known is not None and known[2] not in raws:
            first[place] = min(known, *receipts)[2]
            displaced |= {known[2]} - {first[place]}
        else:
            first[place] = min(receipts)[2]
    # What is decided anew and states nothing any more is no first receipt. Without its bytes it is
    # decided as it was.
    gone = [
        place
        for place, (_, _, identifier) in held.items()
        if place not in first and identifier in raws and raws[identifier].body is not None
    ]
    _forget(conn, gone)
    _note(conn, {p: one for p, one in first.items() if p not in held or held[p][2] != one})
    _decide_again(conn, displaced)
    return {(one, place[0]) for one, place in places if first[place] != one}, displaced


def _held(
    conn: Connection,
    raws: Mapping[int, RawPayload],
    places: Iterable[_Place],
    *,
    of_workspaces: bool,
) -> dict[_Place, _Receipt]:
    """The first receipts known of these places, and those that these payloads are."""
    columns = list(zip(*places, strict=True)) or [(), (), (), ()]
    rows = conn.execute(
        """
        WITH ours AS (
          SELECT f.* FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::bytea[])
            AS k (workspace_id, verified_for, provider, body_sha256)
          JOIN lightfast.first_receipts f
            ON f.body_sha256 = k.body_sha256 AND f.provider = k.provider
            AND f.verified_for = k.verified_for AND f.workspace_id IS NOT DISTINCT FROM k.workspace_id
          UNION
          SELECT f.* FROM lightfast.first_receipts f
          WHERE f.raw_payload_id = ANY(%s) AND (f.workspace_id IS NOT NULL) = %s
        )
        SELECT o.workspace_id, o.verified_for, o.provider, o.body_sha256,
               p.received_at, p.delivery_id, p.id
        FROM ours o JOIN lightfast.raw_payloads p ON p.id = o.raw_payload_id
        """,
        (*(list(column) for column in columns), list(raws), of_workspaces),
        binary=True,
    )
    return {(row[0], row[1], row[2], row[3]): (row[4], row[5], row[6]) for row in rows}


def _forget(conn: Connection, places: Sequence[_Place]) -> None:
    if places:
        conn.execute(
            """
            DELETE FROM lightfast.first_receipts f
            USING unnest(%s::bigint[], %s::text[], %s::text[], %s::bytea[])
              AS k (workspace_id, verified_for, provider, body_sha256)
            WHERE f.body_sha256 = k.body_sha256 AND f.provider = k.provider
              AND f.verified_for = k.verified_for AND f.workspace_id IS NOT DISTINCT FROM k.workspace_id
            """,
            [list(column) for column in zip(*places, strict=True)],
        )


def _note(conn: Connection, first: Mapping[_Place, int]) -> None:
    if first:
        columns = [list(column) for column in zip(*first, strict=True)]
        conn.execute(
            """
            INSERT INTO lightfast.first_receipts
              (workspace_id, verified_for, provider, body_sha256, raw_payload_id)
            SELECT * FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::bytea[], %s::bigint[])
            ON CONFLICT (body_sha256, provider, verified_for, workspace_id)
            DO UPDATE SET raw_payload_id = excluded.raw_payload_id
            """,
            [*columns, list(first.values())],
        )


def _decide_again(conn: Connection, payloads: Iterable[int]) -> None:
    conn.execute(
        """
        INSERT INTO lightfast.raw_queue (raw_payload_id, partition_date)
        SELECT id, partition_date FROM lightfast.raw_payloads WHERE id = ANY(%s)
        ORDER BY id ON CONFLICT DO NOTHING
        """,
        (sorted(payloads),),
    )
