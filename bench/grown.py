"""A history grown to any number of observations: `python -m bench.grown --home FOLDER --observations N`.

The first deliveries of a recorded history are processed, and their rows are then copied by SQL as the
histories of other repositories (`bench/grown_rows.py`): half of them in one large workspace, the others in
eight smaller ones of two organisations. Afterwards nothing waits, and all foreign and unique keys hold.
There are no bodies, as if retention had dropped them. `LIGHTFAST_HOME=FOLDER lightfast status` shows it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.capture import ingest_file, process_all
from bench.corpus import CORPUS, deliveries
from bench.grown_names import delivery_of
from bench.grown_services import service_lines
from bench.grown_tables import ALL_VIEWS, Grown, grow
from lightfast_pipelines.embedded_postgres import EmbeddedPostgres
from lightfast_pipelines.store.database import Database

# The deliveries that the copies are made of; later ones are left to arrive afterwards.
SEED_DELIVERIES = 3_000
# Repositories of the large workspace that go on to the end: its last month has some 5,000 observations.
ACTIVE_REPOSITORIES = 40
# Nothing of it has to outlive a power cut.
FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "1GB",
    "maintenance_work_mem": "512MB",
    "autovacuum": "off",
}


def seed_lines(file: Path, count: int) -> Iterator[dict[str, Any]]:
    """The first deliveries, each received when it happened."""
    for line in itertools.islice(deliveries(file), count):
        yield {**line, "received_at": line["occurred_at"]}


def make_seed(database: Database, lines: Iterable[dict[str, Any]]) -> None:
    """Processes lines of GitHub's, and what the other providers would have reported about them."""
    recorded = list(lines)
    by_provider: dict[str, list[dict[str, Any]]] = {"github": recorded}
    for provider, line in service_lines(recorded):
        by_provider.setdefault(provider, []).append(line)
    for provider, its_lines in by_provider.items():
        _ingest(database, its_lines, provider=provider)
    process_all(database)


def arrive(database: Database, grown: Grown, lines: Iterable[dict[str, Any]]) -> None:
    """Ingests later deliveries of the recorded history as those of a repository of the large workspace."""
    copy = grown.newest
    changed = (delivery_of(line, copy, grown.repository, grown.shared) for line in lines)
    _ingest(database, changed, copy.slug, copy.org_id)


def leave_work(
    database: Database, grown: Grown, lines: Sequence[dict[str, Any]], captured: int
) -> None:
    """So many later deliveries are captured and wait for the stages after that; the rest waits for capture."""
    from lightfast_pipelines.capture.queue.batches import capture

    arrive(database, grown, lines[:captured])
    with database.connect() as conn:
        capture(conn, days=None, max_rows=captured, batch_rows=captured, now=datetime.now(UTC))
        conn.commit()
    arrive(database, grown, lines[captured:])


def _ingest(
    database: Database,
    lines: Iterable[dict[str, Any]],
    workspace: str = "bench",
    org_id: str = "default",
    provider: str = "github",
) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
        file.flush()
        ingest_file(database, Path(file.name), workspace, org_id, provider)


def grow_home(
    home: Path,
    observations: int,
    *,
    file: Path,
    seed_deliveries: int = SEED_DELIVERIES,
    views: Sequence[str] = ALL_VIEWS,
    show: Callable[[str], object] = lambda _line: None,
) -> Grown:
    """Makes the database of a new home; its server is stopped afterwards, and starts as usual."""
    server = EmbeddedPostgres(home, idle_seconds=5, settings=FAST)
    lease = server.acquire()
    try:
        database = Database(lease=lease)
        database.migrate()
        make_seed(database, seed_lines(file, seed_deliveries))
        with database.connect("migrator") as conn:
            grown = grow(conn, observations, views=views, active=ACTIVE_REPOSITORIES, show=show)
        with database.connect("migrator", autocommit=True) as conn:
            began = time.perf_counter()
            conn.execute("VACUUM ANALYZE")
            show(f"vacuum: {time.perf_counter() - began:.1f} s")
    finally:
        lease.release()
        server.stop(force=True)
    return grown


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.grown", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="a folder that does not exist yet")
    parser.add_argument("--observations", type=int, default=100_000)
    parser.add_argument("--file", type=Path, default=CORPUS / "ipython.jsonl.gz")
    parser.add_argument("--deliveries", type=int, default=SEED_DELIVERIES, help="of the seed")
    parser.add_argument("--views", nargs="+", choices=ALL_VIEWS, default=list(ALL_VIEWS))
    arguments = parser.parse_args()
    if arguments.home.exists():
        parser.error(f"{arguments.home} exists")
    began = time.perf_counter()
    grown = grow_home(
        arguments.home,
        arguments.observations,
        file=arguments.file,
        seed_deliveries=arguments.deliveries,
        views=arguments.views,
        show=print,
    )
    print(
        f"{grown.observations:,} observations of {len(grown.copies)} copies in "
        f"{time.perf_counter() - began:.0f} s"
    )


if __name__ == "__main__":
    main()
