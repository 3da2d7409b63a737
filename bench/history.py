"""Reads a year of a project's history, picked in Dagster as a person would, to the last derived row.

    python -m bench.history [--pulls 5000] [--commits 20000] [--issues 2000]

A test server speaks GitHub's API in a process of its own, beside the whole system (`lightfast up`). The
year is started by the mutation that Dagster's UI sends for a range, while webhooks of today are posted.
Prints the time from the click to the last vector and cluster, the server's own CPU time, the memory of
the run's process, the requests beside the estimate and the number of pages, and how long it took until
today's webhooks were observed. Exits 1 if a bound is exceeded.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg

LIGHTFAST = [sys.executable, "-c", "from lightfast_pipelines.cli import app; app()"]
SECRET, TOKEN = "bench-webhook-secret", "bench-token"
MOST_SECONDS, MOST_BYTES = 300.0, 1 << 30

_BACKFILL = """
mutation Launch($days: [String!]) {
  launchPartitionBackfill(backfillParams: {
    assetSelection: [{path: ["provider_history"]}], partitionNames: $days, title: "a year"
  }) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
    ... on PartitionKeysNotFoundError { message }
  }
}
"""
_WAITING = """
SELECT (SELECT count(*) FROM lightfast.raw_queue),
       (SELECT count(*) FROM lightfast.observations),
       (SELECT count(*) FROM lightfast.observations WHERE embedding_title_id IS NULL),
       (SELECT count(*) FROM lightfast.observations WHERE cluster_id IS NULL),
       (SELECT count(*) FROM lightfast.backfills WHERE status = 'running'),
       (SELECT count(*) FROM lightfast.backfills)
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pulls", type=int, default=5_000)
    parser.add_argument("--commits", type=int, default=20_000)
    parser.add_argument("--issues", type=int, default=2_000)
    parser.add_argument("--plain", action="store_true", help="pull requests, issues, commits alone")
    parser.add_argument("--limit", type=int, default=100_000, help="requests an hour")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        return serve_world(options)
    with tempfile.TemporaryDirectory(prefix="lightfast-history-") as folder:
        return _measured(Path(folder), options)


def serve_world(options: argparse.Namespace) -> int:
    """Runs the provider in this process; prints its address, and at the end the requests it received."""
    from tests.servers.github import GitHubServer
    from tests.servers.github_world import World
    from tests.servers.serving import serve

    until = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    world = World.synthetic(
        seed=7,
        pulls=options.pulls,
        commits=options.commits,
        issues=options.issues,
        since=until - timedelta(days=364),
        until=until,
        details=not options.plain,
    )
    app = GitHubServer(world, tokens={TOKEN: None})
    app.limits = {"core": options.limit, "graphql": options.limit}
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    with serve(app) as server:
        before = time.process_time()
        print(json.dumps({"url": server.url, "repository": world.id}), flush=True)
        ended.wait()
        # A GraphQL query is the request's body.
        asked = [
            (request.method, request.path, request.query, request.body) for request in server.asked
        ]
        account = {
            "cpu_seconds": round(time.process_time() - before, 1),
            "requests": len(asked),
            "distinct": len(set(asked)),
        }
        print(json.dumps(account), flush=True)
    return 0


def _measured(folder: Path, options: argparse.Namespace) -> int:
    sizes = ["--pulls", options.pulls, "--commits", options.commits, "--issues", options.issues]
    sizes += ["--limit", options.limit, *(["--plain"] if options.plain else [])]
    server = subprocess.Popen(
        [sys.executable, "-m", "bench.history", "--serve", *map(str, sizes)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    place = json.loads(server.stdout.readline())
    environment = os.environ | {
        "LIGHTFAST_HOME": str(folder / "home"),
        "LIGHTFAST_RECEIVER_PORT": "0",
        "LIGHTFAST_DAGSTER_PORT": "0",
        "GITHUB_WEBHOOK_SECRET": SECRET,
        "GITHUB_API_URL": place["url"],
        "ENCRYPTION_KEY": "07" * 32,
        "BENCH_TOKEN": TOKEN,
    }
    repository = str(place["repository"])
    _lightfast(environment, "workspace", "add", "bench")
    _lightfast(
        *(environment, "integration", "add", "--workspace", "bench", "--provider", "github"),
        *("--resource", repository, "--name", "acme/shop", "--credential-env", "BENCH_TOKEN"),
    )
    log = (folder / "up.log").open("w+")
    up = subprocess.Popen([*LIGHTFAST, "up"], env=environment, stdout=log, stderr=log)
    try:
        dagster, receiver = _addresses(folder / "up.log")
        database = _lightfast(environment, "db", "url").strip()
        measured = _watch(dagster, receiver, database, int(repository), up.pid)
    finally:
        up.send_signal(signal.SIGINT)
        up.wait(60)
        server.terminate()
        account = json.loads(server.stdout.readline())
    return _print(measured, account)


def _lightfast(environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [*LIGHTFAST, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"lightfast {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def _addresses(log: Path) -> tuple[str, str]:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        lines = log.read_text().splitlines()
        dagster = [line.split()[-1] for line in lines if line.startswith("Dagster:")]
        hooks = [line.split()[1] for line in lines if "/webhooks/github" in line]
        if dagster and hooks:
            return dagster[0], hooks[0]
        time.sleep(0.5)
    raise SystemExit(f"`lightfast up` did not come up:\n{log.read_text()}")


def _watch(
    dagster: str, receiver: str, database: str, repository: int, root: int
) -> dict[str, Any]:
    today = datetime.now(UTC).date()
    days = [(today - timedelta(days=n)).isoformat() for n in range(365, -1, -1)]
    began = time.monotonic()
    answer = httpx.post(
        f"{dagster}/graphql", json={"query": _BACKFILL, "variables": {"days": days}}, timeout=60
    ).json()
    launched = answer["data"]["launchPartitionBackfill"]
    if launched["__typename"] != "LaunchBackfillSuccess":
        raise SystemExit(f"Dagster refuses the backfill: {launched}")
    measured: dict[str, Any] = {"peak": 0, "live": []}
    posted: list[tuple[int, float]] = []
    with psycopg.connect(database, autocommit=True) as conn:
        while True:
            now = time.monotonic()
            row = conn.execute(_WAITING).fetchone()
            assert row is not None
            waits, observed, unembedded, unclustered, running, all_runs = row
            measured["peak"] = max(measured["peak"], _largest_run(root))
            if not posted or now - posted[-1][1] > 15:
                posted.append((_post(receiver, repository, 900_000 + len(posted)), now))
            _note_observed(conn, posted, measured["live"], repository)
            if all_runs and not running and "read" not in measured:
                measured["read"] = now - began
            if all_runs and not (waits or unembedded or unclustered or running):
                break
            if now - began > 4 * MOST_SECONDS:
                print(f"gave up: {row}", file=sys.stderr)
                break
            time.sleep(1.0)
        measured["seconds"] = time.monotonic() - began
        measured["observations"] = observed
        run = conn.execute(
            "SELECT status, estimate, actual, error FROM lightfast.backfills ORDER BY id LIMIT 1"
        ).fetchone()
        assert run is not None
        measured |= dict(zip(("status", "estimate", "actual", "error"), run, strict=True))
        # The last webhook was posted just now: wait until it is observed.
        deadline = time.monotonic() + 60
        while len(measured["live"]) < len(posted) and time.monotonic() < deadline:
            _note_observed(conn, posted, measured["live"], repository)
            time.sleep(0.5)
        measured["posted"] = len(posted)
    return measured


def _largest_run(root: int) -> int:
    """Memory of the largest process that executes a Dagster run, in bytes."""
    largest = 0
    for child in psutil.Process(root).children(recursive=True):
        try:
            if "spawn_main" in (line := " ".join(child.cmdline())) or "execute_run" in line:
                largest = max(largest, child.memory_info().rss)
        except psutil.Error:
            continue
    return largest


def _post(receiver: str, repository: int, number: int) -> int:
    import hashlib
    import hmac

    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    user = {"id": 7, "login": "mira", "type": "User"}
    issue = {"number": number, "title": "From today", "user": user, "created_at": at}
    payload = {
        "action": "opened",
        "issue": {**issue, "updated_at": at},
        "repository": {"id": repository, "full_name": "acme/shop"},
        "sender": user,
    }
    body = json.dumps(payload).encode()
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {
        "X-GitHub-Event": "issues",
        "X-GitHub-Delivery": f"live-{number}",
        "X-Hub-Signature-256": f"sha256={signature}",
        "Content-Type": "application/json",
    }
    httpx.post(receiver, content=body, headers=headers, timeout=30).raise_for_status()
    return number


def _note_observed(
    conn: psycopg.Connection[Any],
    posted: list[tuple[int, float]],
    live: list[float],
    repository: int,
) -> None:
    keys = [f"github:issue:{repository}#{number}" for number, _ in posted]
    row = conn.execute(
        "SELECT count(*) FROM lightfast.observations WHERE subject_key = ANY(%s)", (keys,)
    ).fetchone()
    now = time.monotonic()
    while row is not None and len(live) < min(row[0], len(posted)):
        live.append(now - posted[len(live)][1])


def _print(measured: dict[str, Any], account: dict[str, Any]) -> int:
    estimate, actual = measured["estimate"], measured["actual"]
    asked, wanted = actual["requests"], estimate["requests"]
    own = measured["seconds"] - account["cpu_seconds"]
    live = sorted(measured["live"])
    lines = {
        "status": f"{measured['status']} {measured['error'] or ''}".strip(),
        "observations": f"{measured['observations']:,}",
        "from the click to the last row": f"{measured['seconds']:.0f} s (reading {measured.get('read', 0):.0f} s)",
        "beside the server's own time": f"{own:.0f} s (server {account['cpu_seconds']} s)",
        "largest run": f"{measured['peak'] / (1 << 20):.0f} MiB",
        "requests": f"{asked} of {wanted} expected ({asked / max(1, wanted):.3f}), {actual}",
        "pages that exist": f"{account['distinct']} ({asked / max(1, account['distinct']):.3f} requests each)",
        "today's webhooks": f"{len(live)} of {measured['posted']} observed, p50 "
        f"{live[len(live) // 2]:.0f} s, longest {live[-1]:.0f} s",
    }
    for name, value in lines.items():
        print(f"{name}: {value}")
    bounds = {
        "the last row within 5 minutes": own < MOST_SECONDS,
        "memory under 1 GiB": measured["peak"] < MOST_BYTES,
        "requests within 10 % of the estimate": abs(asked - wanted) <= 0.1 * wanted,
        "at most 1.1 requests a page": asked <= 1.1 * account["distinct"],
        "completed": measured["status"] == "completed",
        "today's webhooks observed": len(live) == measured["posted"],
    }
    for name, holds in bounds.items():
        print(f"{'holds' if holds else 'FAILS'}: {name}")
    return 0 if all(bounds.values()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
