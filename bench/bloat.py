"""How much larger than a fresh copy the tables get under a steady load: `python -m bench.bloat [FILE]`.

A history arrives in slices, and after each slice every stage runs over what is new, as the sensors and
schedules do it: capture, embeddings, clusters, consolidation, profiles, summaries, layers. Then every table
is copied, with its indexes, and the sizes are compared: of the rows alone, and with indexes. Tables whose
copy is small have no ratio of their own, as a page more or less would decide it; all count in the sum.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from bench.capture import ingest_file, process_all
from bench.corpus import CORPUS, lines
from bench.floor import COPIES, bloat, copy_rows, drop_copies, row_counts
from bench.report import Measurement, Report, add_json_option, finish
from lightfast_pipelines.embedded_postgres import EmbeddedPostgres
from lightfast_pipelines.store.database import Connection, Database

MOST_BLOAT = 1.3
# Copies of fewer bytes have no ratio of their own.
_COUNTED_BYTES = 1 << 19
_SHOWN = 12
# The inputs are only added, and Dagster's tables are not ours.
_INPUTS = frozenset(("raw_bodies", "raw_payloads", "raw_queue", "schema_version"))


def slices_of(file: Path, most: int | None, size: int, folder: Path) -> Iterator[Path]:
    """The lines of a history, so many at a time, in a file that the next ones replace."""
    wanted = islice(lines(file), most)
    while some := list(islice(wanted, size)):
        path = folder / "slice.jsonl"
        path.write_text("".join(some))
        yield path


def sizes(owner: Connection) -> dict[str, tuple[int, int, int, int]]:
    """Table -> bytes of its rows, of their copy, of both with indexes."""
    tables = [table for table in row_counts(owner) if table not in _INPUTS]
    copy_rows(owner, tables)
    measured = {}
    for table in tables:
        row = owner.execute(
            "SELECT pg_total_relation_size(%s::regclass), pg_total_relation_size(%s::regclass)",
            (f"lightfast.{table}", f"{COPIES}.{table}"),
        ).fetchone()
        assert row is not None
        measured[table] = (*bloat(owner, table), *row)
    drop_copies(owner)
    return measured


def measure(file: Path, most: int | None, slice_size: int) -> Report:
    report = Report("bloat")
    with tempfile.TemporaryDirectory(prefix="lightfast-bench-") as folder:
        server = EmbeddedPostgres(Path(folder) / "home", idle_seconds=5)
        with Database(lease=server.acquire()) as database:
            database.migrate()
            count = 0
            for path in slices_of(file, most, slice_size, Path(folder)):
                ingest_file(database, path)
                process_all(database)
                count += 1
            with database.connect("migrator") as owner:
                _add(report, file, count, slice_size, sizes(owner))
    return report


def _add(
    report: Report,
    file: Path,
    count: int,
    slice_size: int,
    measured: dict[str, tuple[int, int, int, int]],
) -> None:
    name = file.name.split(".")[0]
    steady = f"{name}, {count} x {slice_size}"
    rows, copy, whole, whole_copy = (sum(column) for column in zip(*measured.values(), strict=True))
    report.add(
        Measurement(
            f"all derived tables / fresh copy ({steady})",
            rows / copy,
            reach=MOST_BLOAT,
            absolute=f"{rows / 1e6:.1f} of {copy / 1e6:.1f} MB",
        ),
        Measurement(
            f"the same with indexes ({steady})",
            whole / whole_copy,
            reach=MOST_BLOAT,
            absolute=f"{whole / 1e6:.1f} of {whole_copy / 1e6:.1f} MB",
        ),
    )
    for table, (size, fresh, total, fresh_total) in sorted(
        measured.items(), key=lambda item: -item[1][0] / max(item[1][1], 1)
    ):
        if fresh >= _COUNTED_BYTES:
            report.add(
                Measurement(
                    f"{table} / fresh copy",
                    size / fresh,
                    reach=MOST_BLOAT,
                    absolute=f"{size / 1e6:.1f} of {fresh / 1e6:.1f} MB, with indexes "
                    f"{total / 1e6:.1f} of {fresh_total / 1e6:.1f} MB",
                )
            )
    largest = sorted(measured.items(), key=lambda item: item[1][3] - item[1][2])[:_SHOWN]
    report.notes.append(
        "Most bytes over a fresh copy, with indexes:\n"
        + "\n".join(
            f"  {table:<24} rows {size / 1e6:7.2f} of {fresh / 1e6:7.2f} MB, "
            f"with indexes {total / 1e6:7.2f} of {fresh_total / 1e6:7.2f} MB"
            for table, (size, fresh, total, fresh_total) in largest
        )
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.bloat", description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, default=CORPUS / "ipython.jsonl.gz")
    parser.add_argument("--deliveries", type=int, help="only the first of the history")
    parser.add_argument("--slice", type=int, default=100, help="deliveries that arrive together")
    add_json_option(parser)
    options = parser.parse_args()
    return finish(measure(options.file, options.deliveries, options.slice), options.json)


if __name__ == "__main__":
    sys.exit(main())
