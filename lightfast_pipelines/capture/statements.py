"""What single payloads state: those of the batch, and those captured earlier, which are read again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from lightfast_pipelines.capture.kept_readings import KeptReadings
from lightfast_pipelines.capture.reading import BATCH_BYTES, RawPayload, ReadPayload, load, read
from lightfast_pipelines.capture.routing import decide, previously_delivered, reach
from lightfast_pipelines.domain.events import Statement
from lightfast_pipelines.domain.folding import StatementSource
from lightfast_pipelines.store.database import Connection

# Workspace and source_id of an observation.
FactKey = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Stated:
    """One payload's statement of a fact."""

    raw: RawPayload
    statement: Statement
    rule_version: int


def source_of(stated: Stated) -> StatementSource:
    """What folding orders statements by."""
    return StatementSource(
        stated.raw.ingestion_source, stated.raw.received_at, stated.raw.body_sha256
    )


def read_again(
    conn: Connection,
    raw_ids: Iterable[int],
    is_wanted: Callable[[int, Statement], bool],
    kept: KeptReadings,
) -> tuple[list[tuple[int, Stated]], set[int]]:
    """(workspace, statement) of all that these payloads state and `is_wanted`, and the payloads without
    a body."""
    found: list[tuple[int, Stated]] = []
    bodiless: set[int] = set()
    for readings in _readings(conn, sorted(set(raw_ids)), kept):
        reached = reach(conn, readings)
        delivered = previously_delivered(conn, [reading.raw.id for reading in readings])
        for reading in readings:
            if reading.raw.body is None:
                bodiless.add(reading.raw.id)
                continue
            for outcome in decide(reading, reached[reading.raw.id], delivered):
                found += (
                    (outcome.workspace_id, Stated(reading.raw, statement, outcome.rule_version))
                    for statement in outcome.statements
                    if outcome.workspace_id is not None
                    and is_wanted(outcome.workspace_id, statement)
                )
    return found, bodiless


def _readings(
    conn: Connection, ids: Sequence[int], kept: KeptReadings
) -> Iterable[list[ReadPayload]]:
    """In portions, those kept first, which are kept on."""
    found = kept.of(ids)
    if found:
        yield found
    known = {reading.raw.id for reading in found}
    for portion in _portions(conn, [one for one in ids if one not in known]):
        readings = [read(raw) for raw in load(conn, dict.fromkeys(portion, 0))]
        kept.keep(readings)
        yield readings


def _portions(conn: Connection, ids: Sequence[int]) -> Iterable[list[int]]:
    """Splits so that the bodies of one portion fit into memory."""
    sizes = (
        conn.execute(
            """
        SELECT p.id, coalesce(octet_length(b.body), 0)
        FROM lightfast.raw_payloads p LEFT JOIN lightfast.raw_bodies b
          ON b.raw_payload_id = p.id AND b.received_at = p.received_at
        WHERE p.id = ANY(%s) ORDER BY p.id
        """,
            (list(ids),),
        ).fetchall()
        if ids
        else []
    )
    portion: list[int] = []
    total = 0
    for identifier, size in sizes:
        if portion and total + size > BATCH_BYTES:
            yield portion
            portion, total = [], 0
        portion.append(identifier)
        total += size
    if portion:
        yield portion
