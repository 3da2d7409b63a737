"""Finds bodies that were received before, under whatever id: only the first receipt states anything.

A signature covers the body, not the id, the event's name or the time that come with it. So anybody who
has a delivery can send it again with new ones, and what it states must not become true again. Which
receipt is the first depends on the times of receipt, not on the order in which they are captured.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from msgspec import structs

from lightfast_pipelines.capture.raw_payloads import RawPayload, load_raw_payloads
from lightfast_pipelines.capture.reading import ReadPayload, read_payloads
from lightfast_pipelines.capture.routing import RoutedPayloads
from lightfast_pipelines.capture.writers.rows import columns_of
from lightfast_pipelines.domain.events import Filtered, Lifecycle
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.staging import array_of

REPEATED = "the same body was received before"

# What is read from an API is left out: nobody else can send it, and its times accompany the body.
_SENT_BY_OTHERS = frozenset({"webhook", "manual"})

# (workspace, verified for, provider, SHA-256 of the body). The workspace is None for changes besides facts.
_Occasion = tuple[int | None, str, str, bytes]
# (time, delivery id, id): the smallest is the first receipt.
_Receipt = tuple[datetime, str, int]


def without_repeats(
    conn: Connection, routed: RoutedPayloads
) -> tuple[RoutedPayloads, list[ReadPayload]]:
    """Removes the facts that repeated bodies state, and their changes that are dated by receipt.

    In each workspace a body states its facts once, at its first receipt there; a receipt that was filtered
    there, for example by a pause, does not count as the first. A body that one secret verified changes
    connections, resources and undated names once.

    Returns also the payloads captured earlier that turn out to be repeats: their names are withdrawn.
    """
    raws = {payload.raw.id: payload.raw for payload in routed.payloads}
    occasions: list[tuple[int, _Occasion]] = [
        (payload.raw.id, (None, _verified_for(payload.raw), *_body(payload.raw)))
        for payload in routed.payloads
        if payload.raw.ingestion_source in _SENT_BY_OTHERS and _is_dated_by_receipt(payload)
    ]
    occasions += (
        (outcome.raw_payload_id, (outcome.workspace_id, "", *_body(raws[outcome.raw_payload_id])))
        for outcome in routed.outcomes
        if outcome.status == "delivered"
        and outcome.workspace_id is not None
        and raws[outcome.raw_payload_id].ingestion_source in _SENT_BY_OTHERS
    )
    repeats, displaced = _compare_receipts(conn, raws, occasions)
    repeated_changes = {raw_id for raw_id, workspace in repeats if workspace is None}
    repeated_lifecycles = {
        payload.raw.id
        for payload in routed.payloads
        if payload.raw.id in repeated_changes and isinstance(payload.reading, Lifecycle)
    }
    return RoutedPayloads(
        [
            _without_changes(payload) if payload.raw.id in repeated_changes else payload
            for payload in routed.payloads
        ],
        routed.reached,
        [
            replace(outcome, status="filtered", reason=REPEATED, statements=())
            if outcome.raw_payload_id in repeated_lifecycles
            or (
                outcome.status == "delivered"
                and (outcome.raw_payload_id, outcome.workspace_id) in repeats
            )
            else outcome
            for outcome in routed.outcomes
        ],
    ), read_payloads(load_raw_payloads(conn, dict.fromkeys(displaced, 0)))


def _body(raw: RawPayload) -> tuple[str, bytes]:
    return raw.provider, raw.body_sha256


def _verified_for(raw: RawPayload) -> str:
    return raw.verified_by if raw.org_id is None else f"{raw.verified_by} {raw.org_id}"


def _is_dated_by_receipt(reading: ReadPayload) -> bool:
    return isinstance(reading.reading, Lifecycle) or (
        reading.route is not None and any(name.at is None for name in reading.route.names)
    )


def _without_changes(reading: ReadPayload) -> ReadPayload:
    return replace(
        reading,
        reading=Filtered(REPEATED) if isinstance(reading.reading, Lifecycle) else reading.reading,
        route=structs.replace(reading.route, names=()) if reading.route is not None else None,
    )


def _compare_receipts(
    conn: Connection,
    raws: Mapping[int, RawPayload],
    occasions: Sequence[tuple[int, _Occasion]],
) -> tuple[set[tuple[int, int | None]], set[int]]:
    """Finds the (payload, workspace) pairs whose body was received before; stores the first receipts.

    Payloads captured earlier that are no longer the first go back into the queue, to be captured again.
    Those that changed something dated by receipt are returned too.
    """
    stored = _load_first_receipts(conn, raws, (occasion for _, occasion in occasions))
    receipts: dict[_Occasion, list[_Receipt]] = defaultdict(list)
    for raw_id, occasion in occasions:
        raw = raws[raw_id]
        receipts[occasion].append((raw.received_at, raw.delivery_id, raw_id))
    first: dict[_Occasion, int] = {}
    displaced: set[tuple[int, int | None]] = set()
    for occasion, candidates in receipts.items():
        earlier = stored.get(occasion)
        if earlier is not None and earlier[2] not in raws:
            first[occasion] = min(earlier, *candidates)[2]
            if first[occasion] != earlier[2]:
                displaced.add((earlier[2], occasion[0]))
        else:
            first[occasion] = min(candidates)[2]
    # A payload that states nothing any more is not a first receipt; one whose body is gone stays as it was.
    gone = [
        occasion
        for occasion, (_, _, raw_id) in stored.items()
        if occasion not in first and raw_id in raws and raws[raw_id].body is not None
    ]
    _delete_first_receipts(conn, gone)
    _store_first_receipts(
        conn,
        {
            occasion: raw_id
            for occasion, raw_id in first.items()
            if occasion not in stored or stored[occasion][2] != raw_id
        },
    )
    _requeue(conn, {raw_id for raw_id, _ in displaced})
    return (
        {(raw_id, occasion[0]) for raw_id, occasion in occasions if first[occasion] != raw_id},
        {raw_id for raw_id, workspace in displaced if workspace is None},
    )


def _load_first_receipts(
    conn: Connection, raws: Mapping[int, RawPayload], occasions: Iterable[_Occasion]
) -> dict[_Occasion, _Receipt]:
    """The stored first receipts of these occasions, and all those whose payload is among these."""
    columns = list(zip(*occasions, strict=True)) or [(), (), (), ()]
    rows = conn.execute(
        """
        WITH ours AS (
          SELECT f.* FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::bytea[])
            AS k (workspace_id, verified_for, provider, body_sha256)
          JOIN lightfast.first_receipts f
            ON f.body_sha256 = k.body_sha256 AND f.provider = k.provider
            AND f.verified_for = k.verified_for AND f.workspace_id IS NOT DISTINCT FROM k.workspace_id
          UNION
          SELECT f.* FROM lightfast.first_receipts f WHERE f.raw_payload_id = ANY(%s)
        )
        SELECT o.workspace_id, o.verified_for, o.provider, o.body_sha256,
               p.received_at, p.delivery_id, p.id
        FROM ours o JOIN lightfast.raw_payloads p ON p.id = o.raw_payload_id
        """,
        (*map(array_of, columns), list(raws)),
        binary=True,
    )
    return {(row[0], row[1], row[2], row[3]): (row[4], row[5], row[6]) for row in rows}


def _delete_first_receipts(conn: Connection, occasions: Sequence[_Occasion]) -> None:
    if occasions:
        conn.execute(
            """
            DELETE FROM lightfast.first_receipts f
            USING unnest(%s::bigint[], %s::text[], %s::text[], %s::bytea[])
              AS k (workspace_id, verified_for, provider, body_sha256)
            WHERE f.body_sha256 = k.body_sha256 AND f.provider = k.provider
              AND f.verified_for = k.verified_for AND f.workspace_id IS NOT DISTINCT FROM k.workspace_id
            """,
            columns_of(occasions),
        )


def _store_first_receipts(conn: Connection, first: Mapping[_Occasion, int]) -> None:
    if first:
        conn.execute(
            """
            INSERT INTO lightfast.first_receipts
              (workspace_id, verified_for, provider, body_sha256, raw_payload_id)
            SELECT * FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::bytea[], %s::bigint[])
            ON CONFLICT (body_sha256, provider, verified_for, workspace_id)
            DO UPDATE SET raw_payload_id = excluded.raw_payload_id
            """,
            [*columns_of(first), array_of([*first.values()])],
        )


def _requeue(conn: Connection, payloads: Iterable[int]) -> None:
    conn.execute(
        """
        INSERT INTO lightfast.raw_queue (raw_payload_id, partition_date)
        SELECT id, partition_date FROM lightfast.raw_payloads WHERE id = ANY(%s)
        ORDER BY id ON CONFLICT DO NOTHING
        """,
        (sorted(payloads),),
    )
