"""No request makes the receiver answer 500: `python -m bench.fuzz_receiver --seconds 30`.

Random methods, paths, headers, bodies and JSON shapes, signed and not, for every provider and an
installation, against `python -m webhook_receiver` on a Postgres of this run's own. What the receiver
accepted is captured afterwards. Prints the answers by kind; exits 1 for a 500, a request without an
answer, a receiver that fell over, or a dead letter. `--seed` repeats the requests of a run.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import hmac
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.receiver_servers import free_port, process
from lightfast_pipelines.capture.queue.batches import capture
from lightfast_pipelines.embedded_postgres import EmbeddedPostgres
from lightfast_pipelines.providers import discover
from lightfast_pipelines.store.database import Database
from lightfast_pipelines.store.installations import add_installation, set_secret
from lightfast_pipelines.store.linked_resources import add_workspace, find_workspace, link_resource
from lightfast_pipelines.store.sealed import Keys

SECRET = b"fuzz-secret"
KEY = "07" * 32
INSTALLATION = "one"
CONNECTIONS = 8
ANSWER_SECONDS = 30.0

# Provider -> (header of its signature, prefix before the digits, algorithm).
SIGNATURES = {
    "github": ("x-hub-signature-256", "sha256=", "sha256"),
    "vercel": ("x-vercel-signature", "", "sha1"),
    "linear": ("linear-signature", "", "sha256"),
    "sentry": ("sentry-hook-signature", "", "sha256"),
}
NAMES = [
    *("x-github-event", "x-github-delivery", "linear-delivery", "linear-event", "request-id"),
    *("sentry-hook-resource", "sentry-hook-timestamp", "x-vercel-id", "content-type", "user-agent"),
    *("content-encoding", "x-forwarded-for", "accept", "expect", "cookie", "authorization"),
]
EVENTS = [
    *("push", "pull_request", "issues", "release", "discussion", "installation", "repository"),
    *("issue", "error", "event_alert", "metric_alert", "comment", "Issue", "Comment", "Project"),
    *(
        "deployment.created",
        "deployment.ready",
        "project.removed",
        "ping",
        "",
        "x" * 3000,
        "\u2028",
    ),
]
FIELDS = [
    *("id", "action", "type", "data", "payload", "repository", "installation", "issue", "sender"),
    *("pull_request", "commits", "head_commit", "ref", "after", "created", "deleted", "forced"),
    *("updatedFrom", "webhookTimestamp", "createdAt", "organizationId", "team", "project", "url"),
    *("deployment", "meta", "target", "actor", "uuid", "event", "error", "metric_alert", "user"),
    *("full_name", "name", "login", "number", "title", "body", "state", "merged", "labels", "sha"),
    *("updated_at", "created_at", "closed_at", "merged_at", "tag_name", "message", "author"),
]
TEXTS = [
    *("", "x", "opened", "closed", "create", "update", "remove", "created", "resolved", "main"),
    *("2026-03-01T10:00:00Z", "2026-99-99T99:99:99Z", "0001-01-01T00:00:00+23:59", "1", "-1"),
    *("refs/heads/main", "0" * 40, "Fixes #1", "\x00", "\ud800", "é" * 400, "https://x", "[" * 50),
]
NUMBERS = [0, 1, -1, 2**31, 2**63, 2**64, -(2**63), 1e308, 5e-324, 0.1, 1_772_000_000_000, 10**30]


@dataclass
class Tally:
    """Answers by kind of request; `faults` are those that must not occur."""

    answers: dict[str, Counter[str]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def add(self, kind: str, answer: str) -> None:
        self.answers.setdefault(kind, Counter())[answer] += 1


class Requests:
    """Random requests, the same for the same seed."""

    def __init__(self, seed: int, recorded: Sequence[Any] = ()) -> None:
        """`recorded` are payloads that are sent with a part of them changed."""
        self._chance = random.Random(seed)
        self._providers = sorted(discover())
        self._recorded = recorded
        events = {rule.event for provider in discover().values() for rule in provider.events}
        self._events = [*sorted(events), *EVENTS]

    def any(self) -> tuple[str, bytes, bool]:
        """(kind, the request's bytes, whether an answer must come)."""
        kind = self._chance.choice(
            ["signed JSON"] * 6 + ["signed bytes", "changed", "unsigned", "anywhere", "no HTTP"]
        )
        if kind == "no HTTP":
            return kind, self._bytes(300) + b"\r\n\r\n", False
        provider = self._chance.choice(self._providers)
        path = f"/webhooks/{provider}"
        if self._chance.random() < 0.3:
            path += f"/{INSTALLATION}"
        if kind == "anywhere":
            ends = ["", "/", "//", "/..", "/%2e%2e%2f", "/none", "/a/b", "?x=1", "/\xe9", "/" * 900]
            path = self._chance.choice([path, "/webhooks", "/", "/readyz"]) + self._chance.choice(
                ends
            )
        text = "JSON" in kind or self._chance.random() < 0.3
        body = self._json() if text else self._bytes(2_000)
        headers = self._headers()
        if kind != "unsigned" and provider in SIGNATURES:
            name, prefix, algorithm = SIGNATURES[provider]
            digits = hmac.new(SECRET, body, getattr(hashlib, algorithm)).hexdigest()
            headers.append((name.encode(), (prefix + digits).encode()))
        if kind == "changed":
            body = self._changed(body)
        method = (
            "POST" if kind != "anywhere" else self._chance.choice(["GET", "PUT", "HEAD", "POST"])
        )
        self._chance.shuffle(headers)
        head = b"".join(b"%s: %s\r\n" % header for header in headers)
        line = f"{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n".encode("latin-1")
        if self._chance.random() < 0.1:
            size = self._chance.randrange(1, 50)
            pieces = [body[at : at + size] for at in range(0, len(body), size)]
            chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
            return (
                kind,
                line + head + b"transfer-encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n",
                True,
            )
        return kind, line + head + b"content-length: %d\r\n\r\n" % len(body) + body, True

    def _headers(self) -> list[tuple[bytes, bytes]]:
        headers = [
            (b"x-github-event", self._chance.choice(self._events).encode()),
            (b"x-github-delivery", b"%x" % self._chance.randrange(2**64)),
            (b"sentry-hook-resource", self._chance.choice(self._events).encode()),
            (b"sentry-hook-timestamp", str(int(time.time())).encode()),
            (b"request-id", b"%x" % self._chance.randrange(2**64)),
            (b"linear-delivery", b"%x" % self._chance.randrange(2**64)),
        ]
        # Some are missing, some strange, some repeated.
        headers = [header for header in headers if self._chance.random() < 0.9]
        for _ in range(self._chance.choice([0, 0, 1, 2, 5])):
            # Control characters are refused by the server's parser, before the receiver sees them.
            value = bytes(byte for byte in self._bytes(60) if byte >= 32 and byte != 127)
            headers.append((self._chance.choice(NAMES).encode(), value))
        return headers

    def _json(self) -> bytes:
        value: Any = self._value(0)
        if self._recorded and self._chance.random() < 0.7:
            value = self._spoilt(self._chance.choice(self._recorded), 0)
            if isinstance(value, dict):
                value["webhookTimestamp"] = int(time.time() * 1000)
        elif self._chance.random() < 0.9:
            value = {name: self._value(1) for name in self._chance.sample(FIELDS, 12)}
            value["webhookTimestamp"] = int(time.time() * 1000)
            value["type"] = self._chance.choice(EVENTS)
            value["id"] = f"{self._chance.randrange(2**64):x}"
        return json.dumps(value, ensure_ascii=self._chance.random() < 0.5).encode(
            errors="surrogatepass"
        )

    def _spoilt(self, value: Any, depth: int) -> Any:
        """The value with about one part in thirty replaced, left out or added."""
        if depth and self._chance.random() < 0.03:
            return self._value(3)
        if isinstance(value, list):
            return [self._spoilt(entry, depth + 1) for entry in value]
        if isinstance(value, dict):
            kept = {
                name: self._spoilt(entry, depth + 1)
                for name, entry in value.items()
                if self._chance.random() > 0.01
            }
            return kept | ({"x": self._value(3)} if self._chance.random() < 0.03 else {})
        return value

    def _value(self, depth: int) -> Any:
        pick = self._chance.random()
        if depth > 4 or pick < 0.5:
            return self._chance.choice([None, True, False, *TEXTS, *NUMBERS, *EVENTS])
        if pick < 0.65:
            return [self._value(depth + 1) for _ in range(self._chance.randrange(4))]
        names = self._chance.sample(FIELDS, self._chance.randrange(8))
        return {name: self._value(depth + 1) for name in names}

    def _changed(self, body: bytes) -> bytes:
        if not body:
            return b"x"
        at = self._chance.randrange(len(body))
        return body[:at] + bytes([body[at] ^ 1 << self._chance.randrange(8)]) + body[at + 1 :]

    def _bytes(self, most: int) -> bytes:
        return self._chance.randbytes(self._chance.randrange(most))


async def ask(port: int, request: bytes) -> str:
    """The answer's status, or `none` if the connection was closed without one."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        await writer.drain()
        line = await asyncio.wait_for(reader.readline(), ANSWER_SECONDS)
        parts = line.split()
        return parts[1].decode() if len(parts) > 1 else "none"
    except (ConnectionError, TimeoutError) as error:
        return type(error).__name__
    finally:
        writer.close()


def recorded(folder: Path) -> list[Any]:
    """The objects in every JSON file under `folder`, also those in lists."""
    payloads: list[Any] = []
    for path in sorted(folder.rglob("*.json")):
        value = json.loads(path.read_bytes())
        payloads += value if isinstance(value, list) else [value]
    return [payload for payload in payloads if isinstance(payload, dict)]


async def fuzz(port: int, seconds: float, requests: Requests) -> Tally:
    tally = Tally()
    deadline = time.monotonic() + seconds

    async def lane() -> None:
        while time.monotonic() < deadline:
            kind, request, must_answer = requests.any()
            answer = await ask(port, request)
            tally.add(kind, answer)
            if answer.startswith("5") or (must_answer and not answer.isdigit()):
                tally.faults.append(f"{kind}: {answer} to {request[:300]!r}")

    await asyncio.gather(*(lane() for _ in range(CONNECTIONS)))
    return tally


def prepare(database: Database) -> None:
    """An installation with a secret of its own for every provider, and a linked resource."""
    with database.connect() as conn:
        workspace = add_workspace(conn, "fuzz")
        for provider in discover():
            made, _ = add_installation(conn, provider, INSTALLATION, org_id="default")
            set_secret(conn, Keys.parse(KEY), made, SECRET)
            link_resource(conn, workspace, provider, "1")
        conn.commit()


def captured(database: Database) -> dict[str, int]:
    """The outcomes of all stored deliveries, once every resource that they name is linked."""
    with database.connect() as conn:
        now = datetime.now(UTC)
        capture(conn, days=None, max_rows=10**9, batch_rows=500, now=now)
        workspace = find_workspace(conn, "fuzz")
        keys = conn.execute(
            "SELECT DISTINCT resource_key FROM lightfast.outcomes WHERE waits_for = 'link'"
        ).fetchall()
        for (key,) in keys:
            provider, _, resource = key.split(":", 2)
            link_resource(conn, workspace, provider, resource)
        conn.commit()
        capture(conn, days=None, max_rows=10**9, batch_rows=500, now=now)
        rows = conn.execute(
            "SELECT status, count(*)::int FROM lightfast.outcomes GROUP BY 1 ORDER BY 1"
        ).fetchall()
        dead = conn.execute("SELECT DISTINCT reason FROM lightfast.outcomes WHERE status = 'dlq'")
        for (reason,) in dead:
            print(f"DEAD {reason}")
    return dict(rows)


def run(home: Path, options: argparse.Namespace) -> bool:
    """Prints the answers; returns whether there was no fault."""
    port = free_port()
    requests = Requests(options.seed, recorded(options.payloads))
    settings = {
        name: SECRET.decode()
        for provider in discover().values()
        for name in provider.secret_settings
    }
    with EmbeddedPostgres(home).acquire() as lease:
        database = Database(lease=lease)
        database.migrate()
        prepare(database)
        with process(
            ["-m", "webhook_receiver"],
            port,
            home / "log",
            {
                "LIGHTFAST_HOME": str(home),
                "LIGHTFAST_RECEIVER_PORT": str(port),
                "ENCRYPTION_KEY": KEY,
                **settings,
            },
        ) as server:
            while asyncio.run(ask(port, b"GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n")) != "200":
                time.sleep(0.05)
            tally = asyncio.run(fuzz(port, options.seconds, requests))
            alive = server.poll() is None
            healthy = asyncio.run(ask(port, b"GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n")) == "200"
        for kind, answers in sorted(tally.answers.items()):
            shown = ", ".join(f"{status}: {count:,}" for status, count in sorted(answers.items()))
            print(f"{kind:<14} {sum(answers.values()):>8,}   {shown}")
        outcomes = captured(database)
    print(f"captured: {outcomes}; seed {options.seed}")
    for fault in tally.faults[:20]:
        print(f"FAULT {fault}")
    return alive and healthy and not tally.faults and not outcomes.get("dlq")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--payloads",
        type=Path,
        default=Path(__file__).parents[2] / "shared/payloads",
        help="folder of recorded payloads to be sent with a part changed; may be missing",
    )
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="lightfast-fuzz-"))
    try:
        fine = run(home, options)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
