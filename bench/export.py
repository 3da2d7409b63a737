"""What an export costs: `python -m bench.export [--observations N] [--home DIR] [--workspace SLUG]`.

A history is grown (`bench/grown.py`), or found in DIR. Then each view is hashed as an export does to see which
days changed, everything is exported, and exported again without a change. Processor time is that of this
process, or of Postgres's session where it says so. `docs/operations.md` quotes these numbers.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import psutil

from bench.corpus import CORPUS
from bench.grown import grow_home
from bench.grown_tables import ALL_VIEWS
from bench.report import Measurement, Report, add_json_option, finish
from lightfast_pipelines.embedded_postgres import EmbeddedPostgres
from lightfast_pipelines.export.reading import Bounds, read_contents
from lightfast_pipelines.export.run import Selection, export
from lightfast_pipelines.export.schemas import exported_views
from lightfast_pipelines.store.database import Database
from lightfast_pipelines.store.linked_resources import list_workspaces


def hash_views(database: Database, report: Report) -> None:
    """Seconds of Postgres's processor time for 100,000 rows of each view."""
    with database.connect("analyst") as conn:
        conn.execute("SET max_parallel_workers_per_gather = 0")
        session = psutil.Process(conn.info.backend_pid)
        ids = [workspace.id for workspace in list_workspaces(conn)]
        for view in exported_views().values():
            before = _seconds(session)
            found = read_contents(conn, view, ids, Bounds())
            spent = _seconds(session) - before
            rows = sum(content.rows for days in found.values() for content in days.values())
            if rows:
                report.add(
                    Measurement(
                        f"hash 100,000 rows of {view.name}, in Postgres",
                        spent / rows * 100_000,
                        "s",
                        absolute=f"{rows:,} rows in {spent:.1f} s",
                    )
                )


def export_twice(database: Database, folder: Path, workspaces: list[str], report: Report) -> None:
    for name in ("everything", "nothing that changed"):
        before, began = _seconds(psutil.Process()), time.perf_counter()
        done = export(database, folder, Selection(workspaces), now=datetime.now(UTC))
        spent = _seconds(psutil.Process()) - before
        report.add(
            Measurement(
                f"export {name}, in this process",
                spent,
                "s",
                absolute=f"{sum(file.rows for file in done.files):,} rows, {len(done.written):,} of "
                f"{len(done.files):,} files written, {time.perf_counter() - began:.0f} s in all",
            )
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    report.add(Measurement("memory of this process, at most", peak, "MB"))


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--observations", type=int, default=100_000)
    parser.add_argument("--home", type=Path, help="keep the grown history here, or find one here")
    parser.add_argument("--workspace", action="append", default=[], help="export only this one")
    add_json_option(parser)
    options = parser.parse_args()
    report = Report("export")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lightfast-bench-")))
        home = options.home or folder / "home"
        if not home.exists():
            file = CORPUS / "ipython.jsonl.gz"
            grow_home(home, options.observations, file=file, views=ALL_VIEWS, show=_say)
        lease = stack.enter_context(EmbeddedPostgres(home, idle_seconds=5).acquire())
        database = Database(lease=lease)
        hash_views(database, report)
        export_twice(database, folder / "exported", options.workspace, report)
    return finish(report, options.json)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
