"""Breaks `lightfast up` under load in every way a machine does, and checks that nothing was lost.

    make torture                  # a seed by chance, which is printed first
    make torture SEED=7           # the same deliveries and the same faults again
    python -m bench.torture --seed 7 --only "kill run" --only "full disk"

Exits 1 if anything is wrong, and says where the logs are.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.receiver_deliveries import PROVIDERS
from bench.receiver_servers import free_port
from bench.torture import checks, memory
from bench.torture.clock import MovableClock
from bench.torture.deliveries import plan
from bench.torture.disk import SmallDisk
from bench.torture.faults import Injected, Rig, inject
from bench.torture.proxy import CuttingProxy
from bench.torture.schedule import KINDS, RUN_KINDS, WORKER_KINDS, Pace, make_schedule
from bench.torture.sender import Sender, SendingReport
from bench.torture.stack import SECRET, Stack, StackError
from lightfast_pipelines.cli.stack.dagster_api import is_idle
from lightfast_pipelines.embedded_postgres import EmbeddedPostgres
from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
from lightfast_pipelines.inbox.pending import waiting
from lightfast_pipelines.inbox.rule_versions import CLUSTER_RULES
from lightfast_pipelines.store.database import Database

_BEGAN = time.monotonic()


def say(text: str) -> None:
    print(f"{time.monotonic() - _BEGAN:6.1f} s  {text}", flush=True)


class Torture:
    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.seed: int = options.seed
        self.patience: float = options.patience
        self.logs = folder / "logs"
        self.logs.mkdir()
        self.disk = SmallDisk(folder / "home")
        self.clock = MovableClock(folder)
        # Every second seed has a worker, which captures in the place of Dagster's runs, and every second
        # pair of seeds has two receivers.
        self.with_worker = options.worker if options.worker is not None else self.seed % 2 == 0
        self.receivers: int = options.receivers or 1 + self.seed // 2 % 2
        environment = {
            "LIGHTFAST_WORKER": str(int(self.with_worker)),
            "LIGHTFAST_RECEIVER_WORKERS": str(self.receivers),
            "LIGHTFAST_METRICS_ADDRESS": f"127.0.0.1:{free_port()}",
        }
        self.stack = Stack(folder / "home", self.logs, environment | self.clock.environment())
        self.reference = folder / "reference"
        self.skipped = self._skipped()
        every = (*KINDS, *(WORKER_KINDS if self.with_worker else RUN_KINDS))
        # What is skipped leaves a gap: all other faults come as on a machine where nothing is.
        schedule = make_schedule(
            self.seed, options.seconds, options.only or every, more=options.more
        )
        self.schedule = [fault for fault in schedule if fault.kind not in self.skipped]
        count = int(options.rate * options.seconds)
        self.planned = plan(self.seed, count, options.seconds)
        self.injected: list[Injected] = []
        self.faults: list[str] = []

    def _skipped(self) -> dict[str, str]:
        reasons = {"full disk": self.disk.missing, "clock jump": self.clock.missing}
        return {kind: reason for kind, reason in reasons.items() if reason}

    async def run(self) -> None:
        for kind, reason in self.skipped.items():
            say(f"SKIPPED: no {kind}: {reason}")
        self._prepare()
        worker = "a worker" if self.with_worker else "no worker"
        receivers = "one receiver" if self.receivers == 1 else f"{self.receivers} receivers"
        say(f"`lightfast up` starts with {receivers} and {worker}")
        self.stack.start()
        await self.stack.wait_until_ready(self.patience)
        report = await self._torture()
        self.faults += checks.sending_faults(report)
        say("faults are over; everything is started clean")
        await self._stop_up()
        self.stack.start()
        await self.stack.wait_until_ready(self.patience)
        await self._wait_until_done()
        await self._stop_up()
        await asyncio.to_thread(self._check, report)

    def _prepare(self) -> None:
        server = EmbeddedPostgres(self.stack.home)
        with Database(lease=server.acquire()) as database:
            database.migrate()
            with database.connect() as conn:
                memory.link_tenants(conn, self.planned)
        if not self.stack.is_database_inside():
            say("NOTE: the database's files are outside of the home, so its disk is never full")

    async def _torture(self) -> SendingReport:
        proxy = CuttingProxy(self.stack.receiver_port, random.Random(f"cuts {self.seed}"))
        await proxy.start()
        rig = Rig(self.stack, proxy, self.disk, self.clock)
        sender = Sender(
            f"http://127.0.0.1:{proxy.port}",
            dict.fromkeys(PROVIDERS, SECRET.encode()),
            clock_is_moved=rig.clock_is_moved,
            chance=random.Random(f"pauses {self.seed}"),
        )
        manager = asyncio.create_task(self._keep_up(), name="service manager")
        try:
            say(f"{len(self.planned):,} deliveries and {len(self.schedule)} faults begin")
            pace = Pace()
            sending = asyncio.create_task(sender.send_all(self.planned, pace))
            await self._inject_all(rig, pace)
            sender.give_up_in(self.patience)
            await sending
        finally:
            manager.cancel()
            proxy.close()
        outcomes = ", ".join(f"{n:,} x {what}" for what, n in sender.report.outcomes.most_common())
        say(f"answers: {outcomes}")
        return sender.report

    async def _keep_up(self) -> None:
        while True:
            if self.stack.start_again_if_ended():
                say("`lightfast up` had ended and is started again")
            await asyncio.sleep(0.5)

    async def _inject_all(self, rig: Rig, pace: Pace) -> None:
        """One after the other: a fault whose moment has come waits for the end of the one before."""
        for fault in self.schedule:
            pace.not_after(fault.at)
            await pace.until(fault.at)
            say(f"{fault}")
            done = await inject(rig, fault)
            say(f"      {done.what or 'NOT DONE: nothing to do it to'}")
            self.injected.append(done)

    async def _wait_until_done(self) -> None:
        """Until the restarted stack has no delivery, vector or cluster left to do, and no run."""
        model = WordLlamaEmbedder().name
        deadline = time.monotonic() + self.patience
        server = EmbeddedPostgres(self.stack.home)
        with Database(lease=server.acquire()) as database, database.connect() as conn:
            while True:
                backlog = waiting(conn, model=model, cluster_rule_version=CLUSTER_RULES)
                conn.rollback()
                left = backlog.deliveries + backlog.unembedded + backlog.unclustered
                if not left and is_idle(f"http://127.0.0.1:{self.stack.dagster_port}"):
                    say("nothing is waiting any more, and no run is unfinished")
                    return
                if time.monotonic() > deadline:
                    self.faults.append(
                        f"after {self.patience:.0f} s something still waits, or a run is unfinished: {backlog}"
                    )
                    return
                await asyncio.sleep(1.0)

    async def _stop_up(self) -> None:
        try:
            await self.stack.stop(60.0)
        except StackError as error:
            self.faults.append(str(error))
        self.faults += checks.left_processes(self.stack)

    def _check(self, report: SendingReport) -> None:
        home = self.stack.home
        memory.command(home, "process")
        hashes, status = memory.digest(home), memory.status(home)
        (self.logs / "status.json").write_text(json.dumps(status, indent=1))
        server = EmbeddedPostgres(home)
        with Database(lease=server.acquire()) as database, database.connect() as conn:
            found = memory.read_memory(conn)
            checks.measure_recovery(self.injected, report, memory.captured_times(conn))
            say(f"{found.stored.total():,} deliveries are stored; the same without faults ...")
            calm, calm_hashes = memory.calm(conn, self.reference, self.planned)
        (self.logs / "differences.txt").write_text("\n".join(checks.differences(found, calm)))
        self.faults += [
            *checks.loss_faults(report, found),
            *checks.outcome_faults(found, calm),
            *checks.digest_faults(hashes, calm_hashes),
            *checks.status_faults(status, found),
        ]
        self.stack.database()
        server.stop(force=True)
        self.faults += checks.left_database(self.stack)

    def end(self) -> None:
        """Keeps the logs, and ends whatever a run that broke off left running."""
        for log in ("logs", "postgres/postgres.log"):
            source = self.stack.home / log
            if source.is_dir():
                shutil.copytree(source, self.logs, dirs_exist_ok=True)
            elif source.exists():
                shutil.copy(source, self.logs)
        self.stack.end_everything()
        self.disk.remove()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.torture", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10_000))
    parser.add_argument("--seconds", type=float, default=85.0, help="of load and faults")
    parser.add_argument("--rate", type=float, default=25.0, help="deliveries a second")
    parser.add_argument("--more", type=int, default=3, help="faults beside one of each kind")
    parser.add_argument(
        "--only",
        choices=(*KINDS, *WORKER_KINDS, *RUN_KINDS),
        action="append",
        help="this fault; repeatable",
    )
    parser.add_argument(
        "--worker",
        action=argparse.BooleanOptionalAction,
        help="run `up` with a worker or without; default: with one for an even seed",
    )
    parser.add_argument("--receivers", type=int, help="default: two for seeds 2, 3, 6, 7, ...")
    parser.add_argument("--patience", type=float, default=300.0, help="seconds for each wait")
    parser.add_argument("--keep", action="store_true", help="keep the logs if all is well, too")
    options = parser.parse_args()
    # So that nothing is left behind either when it is ended by `timeout` or a service manager.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    print(f"seed {options.seed}", flush=True)
    with _folder(options) as folder:
        torture = Torture(options, folder)
        try:
            asyncio.run(torture.run())
        except (StackError, subprocess.SubprocessError) as error:
            output = getattr(error, "stderr", None) or ""
            torture.faults.append(f"{error} {output}".strip())
        except Exception as error:
            # The torture itself failed: its logs and its seed matter as much.
            traceback.print_exc()
            torture.faults.append(f"the torture failed: {error!r}")
        finally:
            torture.end()
        for line in checks.table(torture.injected, torture.skipped):
            print(line)
        if torture.faults:
            kept = Path(tempfile.mkdtemp(prefix=f"lightfast-torture-{options.seed}-"))
            shutil.copytree(torture.logs, kept, dirs_exist_ok=True)
            print(f"\nFAILED with seed {options.seed}; the logs are in {kept}")
            for fault in torture.faults:
                print(f"- {fault}")
            print("the last faults:")
            for done in torture.injected[-5:]:
                print(f"  {done.fault}: {done.what or 'not done'}")
            return 1
    say(f"seed {options.seed}: nothing was lost")
    return 0


@contextmanager
def _folder(options: argparse.Namespace) -> Iterator[Path]:
    """A folder that the database's own user can pass through."""
    folder = Path(tempfile.mkdtemp(prefix="lightfast-torture-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
