"""What a delivery and an observation take on disk: `python -m bench.sizes [FILE]`.

Processes a recorded history in a Postgres of its own and divides the size of each table by what it holds:
rows, their indexes and long values apart. Also the write-ahead log of a delivery, what the server keeps of it
afterwards, and what compressing the bodies of old months saves. Without a file it takes starlette's history
beside the checkout. `docs/operations.md` quotes these numbers.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.capture import run_in_child
from bench.corpus import CORPUS
from bench.report import Measurement, Report, add_json_option, finish
from lightfast_pipelines.embedded_postgres import EmbeddedPostgres
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.old_bodies import retain_bodies

# Tables smaller than this share of the whole are counted together.
_SHOWN_SHARE = 0.01


@dataclass(frozen=True, slots=True)
class Size:
    """Bytes of a table with its partitions."""

    table: str
    rows: int
    heap: int
    long_values: int
    indexes: int

    @property
    def total(self) -> int:
        return self.heap + self.long_values + self.indexes


def sizes(conn: Connection) -> list[Size]:
    """The largest first; rows are exact, as the tables have just been analysed."""
    conn.execute("VACUUM ANALYZE")
    rows = conn.execute(
        """
        SELECT coalesce(parent.relname, c.relname), sum(greatest(c.reltuples, 0)),
          sum(pg_relation_size(c.oid)),
          sum(coalesce(pg_total_relation_size(nullif(c.reltoastrelid, 0)), 0)),
          sum(pg_indexes_size(c.oid))
        FROM pg_catalog.pg_class c
        LEFT JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid
        LEFT JOIN pg_catalog.pg_class parent ON parent.oid = i.inhparent
        WHERE c.relkind = 'r' AND c.relnamespace = 'lightfast'::regnamespace GROUP BY 1
        """
    ).fetchall()
    found = [Size(table, *(int(number) for number in numbers)) for table, *numbers in rows]
    return sorted(found, key=lambda size: (-size.total, size.table))


def shown(found: Sequence[Size], deliveries: int) -> str:
    """A line for each table: bytes a delivery, and how they are split."""
    whole = sum(size.total for size in found)
    large = [size for size in found if size.total >= _SHOWN_SHARE * whole]
    lines = [
        f"{'table':<22} {'rows':>9} {'bytes a delivery':>17} {'rows':>7} {'long':>7} {'indexes':>8}"
    ]
    for size in large:
        parts = (size.total, size.heap, size.long_values, size.indexes)
        each = [f"{part / deliveries:,.0f}" for part in parts]
        lines.append(
            f"{size.table:<22} {size.rows:>9,} {each[0]:>17} {each[1]:>7} {each[2]:>7} {each[3]:>8}"
        )
    rest = whole - sum(size.total for size in large)
    lines.append(f"{'others':<22} {'':>9} {rest / deliveries:>17,.0f}")
    return "\n".join(lines)


def _written(conn: Connection) -> int:
    row = conn.execute("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')").fetchone()
    assert row is not None
    return int(row[0])


def measure(database: Database, path: Path) -> Report:
    database.migrate()
    url = database.url("migrator")
    with database.connect("migrator", autocommit=True) as conn:
        began = _written(conn)
        deliveries = run_in_child(url, "ingest", path)["lines"]
        ingested = _written(conn)
        run_in_child(url, "process", path)
        processed = _written(conn)
        found = sizes(conn)
        rows = {size.table: size for size in found}
        bodies = rows["raw_bodies"].total
        # As in two months, when the month in which they were received is over.
        later = datetime.now(UTC).date() + timedelta(days=62)
        retain_bodies(conn, later, keep_days=None, compress_days=1, at_most=sys.maxsize)
        compressed = next(size.total for size in sizes(conn) if size.table == "raw_bodies")
    observations = rows["observation_facts"].rows
    whole, indexes = sum(size.total for size in found), sum(size.indexes for size in found)
    report = Report("sizes")
    report.add(
        _bytes(
            "a delivery, everything", whole / deliveries,
            f"{deliveries:,} deliveries; indexes {indexes / deliveries:,.0f}",
        ),
        _bytes("its body", bodies / deliveries, f"compressed {compressed / deliveries:,.0f}"),
        _bytes(
            "an observation's vectors", rows["observation_vectors"].total / observations,
            f"{observations:,} observations",
        ),
        _bytes("write-ahead log of receiving a delivery", (ingested - began) / deliveries, ""),
        _bytes("write-ahead log of processing it", (processed - ingested) / deliveries, ""),
    )  # fmt: skip
    report.notes.append(shown(found, deliveries))
    return report


def _bytes(name: str, value: float, absolute: str) -> Measurement:
    return Measurement(name, value, unit="bytes", absolute=absolute)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", nargs="?", type=Path, default=CORPUS / "starlette.jsonl.gz")
    add_json_option(parser)
    options = parser.parse_args()
    if not options.file.exists():
        parser.error(f"{options.file} is missing: name a file")
    with tempfile.TemporaryDirectory(prefix="lightfast-sizes-") as folder:
        server = EmbeddedPostgres(Path(folder) / "home", idle_seconds=5)
        with Database(lease=server.acquire()) as database:
            report = measure(database, options.file)
    return finish(report, options.json)


if __name__ == "__main__":
    raise SystemExit(main())
