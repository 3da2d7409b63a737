"""A `lightfast up` that a benchmark watches: started in a home of its own, awaited and ended.

Also says what its processes have used. What is sent to it and measured stands in the benchmarks.
"""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.torture import LIGHTFAST
from bench.torture.stack import plain_environment
from lightfast_pipelines.embedded_postgres import EmbeddedPostgres

START_SECONDS = 300.0
_END_SECONDS = 120.0
_READY = "Ctrl-C ends everything"
# Command line -> what the tables call the process; the first that matches.
_NAMES = {
    "webhook_receiver": "receiver",
    "code-server": "code server",
    "dagster_ui": "webserver",
    "dagster-daemon": "daemon",
    "lightfast worker": "worker",
    "postgres": "postgres",
    "guardian": "guardian",
    "warden": "warden",
}


@dataclass(frozen=True, slots=True)
class RunningStack:
    home: Path
    process: psutil.Process
    printed: str

    def webhooks_url(self, provider: str) -> str:
        found = re.search(rf"webhooks: (\S+/webhooks/{provider})", self.printed)
        assert found is not None, self.printed
        return found[1]

    def cpu_seconds(self) -> Mapping[str, float]:
        """By program: of all that `up` started, also of what has ended, and of the database."""
        roots = [self.process]
        # The database outlives `up`, so it is none of its children.
        if (postmaster := EmbeddedPostgres(self.home).status().pid) is not None:
            roots.append(psutil.Process(postmaster))
        seconds: dict[str, float] = defaultdict(float)
        for process in {each for root in roots for each in (root, *root.children(recursive=True))}:
            try:
                line, used = " ".join(process.cmdline()), process.cpu_times()
            except psutil.Error:
                continue
            name = next((shown for part, shown in _NAMES.items() if part in line), "others")
            seconds[name] += used.user + used.system + used.children_user + used.children_system
        return seconds


@contextmanager
def running_stack(
    home: Path, *words: str, environment: Mapping[str, str] | None = None
) -> Iterator[RunningStack]:
    """`lightfast up` with these options, ready; no key is set. What it prints goes beside the home."""
    log = home.with_suffix(".log")
    with log.open("wb") as output:
        up = subprocess.Popen(
            [*LIGHTFAST, "up", *words],
            env={
                **plain_environment(home),
                "LIGHTFAST_RECEIVER_PORT": "0",
                "LIGHTFAST_DAGSTER_PORT": "0",
                **(environment or {}),
            },
            stdout=output,
            stderr=output,
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while _READY not in (printed := log.read_text()):
            if up.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"`lightfast up` did not start:\n{printed[-3000:]}")
            time.sleep(0.2)
        yield RunningStack(home, psutil.Process(up.pid), printed)
    finally:
        up.send_signal(signal.SIGINT)
        up.wait(_END_SECONDS)
