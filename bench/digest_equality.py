"""Checks with the real commands that `lightfast digest` prints the same for every way to store a
history.

    python -m bench.digest_equality FILE [--kills 10]

The same file again, shuffled, in two halves (the later first), every line twice, rebuilt, in a fresh
database, and with `lightfast process` killed with -9 at random points and the next one finishing.
Prints a line for each variant and exits 1 if one differs.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIGHTFAST = [sys.executable, "-c", "from lightfast_pipelines.cli import app; app()"]


class Home:
    """A LIGHTFAST_HOME with its own server and database."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = os.environ | {"LIGHTFAST_HOME": str(folder)}
        self.env.pop("LIGHTFAST_DATABASE_URL", None)
        self.run("workspace", "add", "bench")

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            [*LIGHTFAST, *arguments], env=self.env, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"lightfast {' '.join(arguments)} failed: {done.stderr.strip()}")
        return done.stdout

    def ingest(self, lines: list[bytes]) -> None:
        file = self.folder / "lines.jsonl"
        file.write_bytes(b"\n".join(lines))
        self.run("ingest", "--workspace", "bench", "--provider", "github", str(file))

    def digest(self) -> dict[str, str]:
        hashes: dict[str, str] = json.loads(self.run("digest", "--json"))
        return hashes

    def process_killed(self, chance: random.Random, longest: float) -> bool:
        """Starts `lightfast process` and kills it at some point; returns whether it was still running."""
        child = subprocess.Popen(
            [*LIGHTFAST, "process"],
            env=self.env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            child.wait(chance.uniform(0.5, longest))
        except subprocess.TimeoutExpired:
            os.kill(child.pid, signal.SIGKILL)
            child.wait()
            return True
        return False


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--lines", type=int, default=0, help="only the first N lines")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    opener = gzip.open if options.file.suffix == ".gz" else open
    with opener(options.file, "rb") as stream:
        lines = stream.read().splitlines()[: options.lines or None]
    chance = random.Random(options.seed)
    root = Path(tempfile.mkdtemp(prefix="lightfast-digest-"))
    differing = 0

    def compare(name: str, home: Home, since: float) -> None:
        nonlocal differing
        unequal = sorted(table for table, value in home.digest().items() if base[table] != value)
        differing += bool(unequal)
        result = f"DIFFERS in {', '.join(unequal)}" if unequal else "equal"
        print(f"{name:<28} {result:<40} {time.monotonic() - since:6.1f} s", flush=True)

    try:
        began = time.monotonic()
        first = Home(root / "first")
        first.ingest(lines)
        first.run("process")
        base = first.digest()
        print(
            f"{len(lines):,} lines: base digest after {time.monotonic() - began:.1f} s", flush=True
        )
        began = time.monotonic()
        first.ingest(lines)
        first.run("process")
        compare("the same file again", first, began)
        began = time.monotonic()
        first.run("rebuild", "--yes")
        first.run("process")
        compare("rebuild", first, began)
        shuffled = chance.sample(lines, len(lines))
        half = len(lines) // 2
        orders = {
            "fresh database": [lines],
            "shuffled": [shuffled],
            "halves, later first": [lines[half:], lines[:half]],
            "every line twice": [[line for line in lines for _ in range(2)]],
        }
        for name, portions in orders.items():
            began = time.monotonic()
            home = Home(root / name.replace(" ", "-").replace(",", ""))
            for portion in portions:
                home.ingest(portion)
                home.run("process")
            compare(name, home, began)
        began = time.monotonic()
        home = Home(root / "killed")
        home.ingest(lines)
        longest = 8.0
        killed = sum(home.process_killed(chance, longest) for _ in range(options.kills))
        home.run("process")
        compare(f"killed with -9 {killed} times", home, began)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
