"""Puts load on a server by processes of their own, and looks up afterwards what was answered."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Protocol

import psycopg

from bench.receiver_servers import SECRET, free_port, process, receiver_environment
from bench.receiver_wrk import wrk
from bench.report import Measurement
from lightfast_pipelines.store.database import Database

_PATH = "/webhooks/github"


class Load(Protocol):
    """How much is sent at once."""

    @property
    def body_bytes(self) -> int: ...

    @property
    def connections(self) -> int: ...


def closed_loop(port: int, load: Load, options: argparse.Namespace) -> dict[str, Any]:
    """GitHub's deliveries, on each connection as fast as they are answered."""
    if options.wrk:
        size = load.body_bytes
        result = wrk(_PATH, port, SECRET, load.connections, options.seconds, size)
    else:
        arguments = ("--path", _PATH, *_arguments(port, load, options))
        result = _run("bench.receiver_load", *arguments)
    refused = sum(n for status, n in result["statuses"].items() if status != "200")
    return {**result, "failed": refused + result["lost_connections"]}


def open_loop(
    port: int, load: Load, rate: float, options: argparse.Namespace, answered: Path
) -> dict[str, Any]:
    """Deliveries of all providers at this rate."""
    arguments = ("--rate", str(rate), "--answered", str(answered))
    return _run("bench.receiver_open", *_arguments(port, load, options), *arguments)


def _arguments(port: int, load: Load, options: argparse.Namespace) -> tuple[str, ...]:
    return (
        *("--port", str(port), "--secret", SECRET, "--connections", str(load.connections)),
        *("--seconds", str(options.seconds), "--body-bytes", str(load.body_bytes)),
    )


def _run(module: str, *arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], stdout=subprocess.PIPE, check=True
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def lost(conn: psycopg.Connection[Any], answered: Path) -> int:
    """How many of the deliveries in the file are not stored whole, by provider and id."""
    keys = [line.split() for line in answered.read_text().splitlines()]
    row = conn.execute(
        """
        SELECT count(*) FROM unnest(%s::text[], %s::text[]) AS a (provider, id)
        WHERE NOT EXISTS (
          SELECT FROM lightfast.raw_payloads p
          JOIN lightfast.raw_bodies b ON b.raw_payload_id = p.id
          JOIN lightfast.raw_queue q ON q.raw_payload_id = p.id
          WHERE p.provider = a.provider AND p.delivery_id = a.id
        )
        """,
        ([key[0] for key in keys], [key[1] for key in keys]),
    ).fetchone()
    conn.commit()
    assert row is not None
    return int(row[0])


def stored_twice(conn: psycopg.Connection[Any]) -> int:
    row = conn.execute(
        """
        SELECT count(*) - count(DISTINCT (provider, delivery_id)) FROM lightfast.raw_payloads
        """
    ).fetchone()
    conn.commit()
    assert row is not None
    return int(row[0])


def crash(home: Path, database: Database, options: argparse.Namespace) -> Measurement:
    """Kills the receiver with -9 under load, and looks up what it had answered."""
    port, answered = free_port(), home / "answered"
    environment = receiver_environment(home, port)
    with process(["-m", "webhook_receiver"], port, home / "log", environment) as server:
        client = subprocess.Popen(
            [
                *(sys.executable, "-m", "bench.receiver_load", "--port", str(port)),
                *("--secret", SECRET, "--seconds", str(options.seconds * 2)),
                *("--answered", str(answered)),
            ],
            stdout=subprocess.DEVNULL,
        )
        time.sleep(options.seconds)
        server.kill()
        client.wait(60)
    ids = answered.read_text().split()
    answered.write_text("".join(f"github {delivery_id}\n" for delivery_id in ids))
    with database.connect("migrator") as conn:
        missing = lost(conn, answered)
    return Measurement(
        "lost when killed with -9 under load", missing, reach=0, absolute=f"{len(ids)} answered"
    )


def generator_limit(options: argparse.Namespace) -> Measurement:
    """What the open loop's generator sends to a server that only answers."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = ["-m", "bench.receiver_sink", str(port)]
        with process(command, port, Path(folder) / "log", {}):
            result = _run(
                "bench.receiver_open",
                *("--port", str(port), "--secret", SECRET, "--rate", "0"),
                *("--seconds", str(options.seconds)),
            )
    name = "open loop's generator alone, 10 KB, 64 connections"
    return Measurement(name, result["per_second"], unit="/s")
