"""Times profiles and summaries, in full and after one added day: `python -m bench.scheduled [FILE...]`.

The files' histories go into one workspace in a Postgres of this run, first without the busiest day of
their last year, then that day. Also printed: the shares that `liveness` checks.
Without files: ipython's histories beside the checkout.
"""

from __future__ import annotations

import gzip
import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.capture import ingest_file, process_all
from bench.corpus import CORPUS
from lightfast_pipelines.clustering.summaries import summarize_clusters
from lightfast_pipelines.embedded_postgres import EmbeddedPostgres
from lightfast_pipelines.people.profiles import update_profiles
from lightfast_pipelines.store.database import Database
from lightfast_pipelines.store.liveness import SHARES, THRESHOLDS, share

WANTED_FULL_SECONDS = 120
WANTED_DAY_SECONDS = 2
ROW = "{:<28} {:>9} {:>9} {:>13} {:>9}"


def read(paths: Iterable[Path]) -> list[tuple[str, bytes]]:
    """(day, line) of every delivery."""
    dated_lines = []
    for path in paths:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            dated_lines += [(str(json.loads(line)["occurred_at"])[:10], line) for line in stream]
    return dated_lines


def busiest_day(days: Iterable[str]) -> str:
    """The day with the most deliveries of the last 365 that the histories reach."""
    counts = Counter(days)
    since = (datetime.fromisoformat(max(counts)) - timedelta(days=365)).date().isoformat()
    return max((day for day in counts if day >= since), key=lambda day: (counts[day], day))


def made(database: Database, title: str, *, force: bool = False) -> float:
    """Runs both as their schedules do and prints a line for each; seconds of both together."""
    total = 0.0
    with database.connect() as conn:
        profiles = update_profiles(conn, now=datetime.now(UTC), force=force)
        summaries = summarize_clusters(conn, now=datetime.now(UTC), force=force)
    for what, of, written, read_rows, seconds in (
        ("profiles", profiles.profiles, profiles.written, profiles.observations, profiles.seconds),
        ("summaries", summaries.clusters, summaries.written, summaries.observations,
         summaries.seconds),
    ):  # fmt: skip
        line = ROW.format(
            f"{title}: {what}", f"{of:,}", f"{written:,}", f"{read_rows:,}", f"{seconds:.2f}"
        )
        print(line, flush=True)
        total += seconds
    return total


def print_shares(database: Database) -> None:
    with database.connect() as conn:
        for name in SHARES:
            measured = share(conn, name, before=datetime.now(UTC) + timedelta(days=1))
            value = "nothing to count" if measured.value is None else f"{measured.value:.3f}"
            print(
                f"  {name}: {value} ({measured.part} of {measured.whole}, wanted {THRESHOLDS[name]})"
            )


def main() -> None:
    paths = [Path(name) for name in sys.argv[1:]] or sorted(CORPUS.glob("ipython*.jsonl.gz"))
    if not paths:
        sys.exit(f"no files given, and none in {CORPUS}")
    lines = read(paths)
    last = busiest_day(day for day, _ in lines)
    with tempfile.TemporaryDirectory(prefix="lightfast-bench-") as folder:
        first_file, day_file = Path(folder) / "history.jsonl", Path(folder) / "day.jsonl"
        first_file.write_bytes(b"".join(line for day, line in lines if day != last))
        day_file.write_bytes(b"".join(line for day, line in lines if day == last))
        server = EmbeddedPostgres(Path(folder) / "home", idle_seconds=5)
        with Database(lease=server.acquire()) as database:
            database.migrate()
            ingest_file(database, first_file)
            process_all(database)
            added = sum(day == last for day, _ in lines)
            print(
                f"{os.cpu_count()} processors; {len(lines):,} deliveries, of which {added} of "
                f"{last} follow\n"
            )
            print(ROW.format("", "all", "written", "observations", "seconds"))
            full = made(database, "in full")
            nothing = made(database, "nothing changed")
            ingest_file(database, day_file)
            process_all(database)
            day = made(database, "a day added")
            again = made(database, "in full again", force=True)
            print("\nshares:")
            print_shares(database)
    print(
        f"\nin full {max(full, again):.1f} s (wanted under {WANTED_FULL_SECONDS}), "
        f"a day added {day:.2f} s (wanted under {WANTED_DAY_SECONDS}), "
        f"nothing changed {nothing:.3f} s"
    )


if __name__ == "__main__":
    main()
