"""How each kind of fault is done to the running stack. `schedule.py` decides which comes when."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg

from bench.torture import slow_clients
from bench.torture.clock import MovableClock
from bench.torture.disk import SmallDisk
from bench.torture.proxy import CuttingProxy
from bench.torture.schedule import Fault
from bench.torture.stack import Stack
from lightfast_pipelines.embedded_postgres.bootstrap import connect
from lightfast_pipelines.embedded_postgres.control import ControlFolder

# A process that is to be killed may just be starting, or its program may be waiting for its turn.
TARGET_SECONDS = 25.0
_JUMPS = (-26 * 3600, -2 * 3600, -90, 90, 2 * 3600, 26 * 3600)
_END_SESSIONS = """
    SELECT pg_terminate_backend(pid), application_name FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND datname IS NOT NULL
"""


@dataclass(slots=True)
class Rig:
    """Everything that faults are done to."""

    stack: Stack
    proxy: CuttingProxy
    disk: SmallDisk
    clock: MovableClock
    moved_until: float = 0.0
    """Until when (monotonic) answers may come from a receiver whose clock was moved."""

    def clock_is_moved(self) -> bool:
        return time.monotonic() < self.moved_until


@dataclass(slots=True)
class Injected:
    """A fault that was done: what exactly, and when by this machine's clock. `what` is empty if it was
    not done, as there was nothing to do it to."""

    fault: Fault
    began: float
    ended: float
    what: str
    answered_after: float | None = None
    """Seconds from its end until a delivery that was sent later had been answered."""
    captured_after: float | None = None
    """Seconds from its end until a delivery that was sent later had been captured."""


async def inject(rig: Rig, fault: Fault) -> Injected:
    began = time.time()
    what = await _FAULTS[fault.kind](rig, fault)
    return Injected(fault, began, time.time(), what)


async def _as_soon_as_possible(attempt: Callable[[], Awaitable[str]]) -> str:
    """What the first successful attempt did; empty if none was successful in time."""
    deadline = time.monotonic() + TARGET_SECONDS
    while time.monotonic() < deadline:
        if what := await attempt():
            return what
        await asyncio.sleep(0.2)
    return ""


def _pick(processes: Sequence[psutil.Process], choice: float) -> psutil.Process | None:
    return processes[int(choice * len(processes))] if processes else None


def _kill(find: Callable[[Rig, float], psutil.Process | None]) -> Callable[..., Awaitable[str]]:
    """A fault that kills what `find` finds, as soon as there is one."""

    async def kill(rig: Rig, fault: Fault) -> str:
        process = await asyncio.to_thread(find, rig, fault.choice)
        if process is not None:
            with suppress(psutil.Error):
                title = _title(process)
                process.kill()
                return title or f"pid {process.pid}"
        return ""

    return lambda rig, fault: _as_soon_as_possible(lambda: kill(rig, fault))


def _title(process: psutil.Process) -> str:
    """What a process of the database does, by its title; the kind of the fault names any other program."""
    return " ".join(process.cmdline()).partition("postgres: ")[2].strip()


def _program(name: str) -> Callable[[Rig, float], psutil.Process | None]:
    return lambda rig, choice: _pick(rig.stack.named(name), choice)


def _backend(rig: Rig, choice: float) -> psutil.Process | None:
    return _pick(rig.stack.database()[1:], choice)


async def _suspend(processes: Sequence[psutil.Process], seconds: float) -> str:
    suspended = []
    for process in processes:
        with suppress(psutil.Error):
            process.suspend()
            suspended.append(process)
    if not suspended:
        return ""
    try:
        await asyncio.sleep(seconds)
    finally:
        for process in suspended:
            with suppress(psutil.Error):
                process.resume()
    return f"{len(suspended)} suspended"


def _hang(find: Callable[[Rig], Sequence[psutil.Process]]) -> Callable[..., Awaitable[str]]:
    """A fault that suspends what `find` finds, as soon as there is any."""

    async def hang(rig: Rig, fault: Fault) -> str:
        return await _suspend(await asyncio.to_thread(find, rig), fault.seconds)

    return lambda rig, fault: _as_soon_as_possible(lambda: hang(rig, fault))


async def _end_sessions(rig: Rig, fault: Fault) -> str:
    """All sessions at once, or each with a chance of one half."""
    some = "" if fault.choice < 0.5 else " AND random() < 0.5"

    def end() -> str:
        with suppress(psycopg.Error), _superuser(rig) as conn:
            ended = conn.execute(_END_SESSIONS + some).fetchall()
            return f"{len(ended)} sessions" if ended else ""
        return ""

    return await _as_soon_as_possible(lambda: asyncio.to_thread(end))


def _superuser(rig: Rig) -> psycopg.Connection[tuple[Any, ...]]:
    identity = ControlFolder(rig.stack.home).identity()
    assert identity is not None
    assert identity.socket_dir is not None
    return connect(Path(identity.socket_dir), "postgres")


async def _cut_connections(rig: Rig, fault: Fault) -> str:
    before = rig.proxy.cut
    rig.proxy.cut_for(fault.seconds)
    await asyncio.sleep(fault.seconds)
    return f"{rig.proxy.cut - before} connections"


async def _full_disk(rig: Rig, fault: Fault) -> str:
    """Half of the times there is not even room for the write-ahead log, and the server ends itself."""
    taken = await asyncio.to_thread(rig.disk.fill)
    log = ""
    try:
        if fault.choice < 0.5:
            await asyncio.to_thread(_use_up_log, rig)
            log = ", and the log's room used up"
        # What becomes free meanwhile (a log that is moved, an old segment) is taken too.
        ends_at = time.monotonic() + fault.seconds
        while time.monotonic() < ends_at:
            await asyncio.sleep(0.25)
            taken = await asyncio.to_thread(rig.disk.fill)
    finally:
        rig.disk.empty()
    return f"{taken >> 20} MiB taken{log}"


def _use_up_log(rig: Rig) -> None:
    """Goes on to the next segment of the write-ahead log until there is none, or the server is away."""
    with suppress(psycopg.Error), _superuser(rig) as conn:
        for _ in range(100):
            conn.execute("SELECT pg_logical_emit_message(false, 'torture', 'full')")
            conn.execute("SELECT pg_switch_wal()")


async def _clock_jump(rig: Rig, fault: Fault) -> str:
    jump = _JUMPS[int(fault.choice * len(_JUMPS))]
    # Deliveries that are answered late may have been looked at while the clock was wrong.
    rig.moved_until = float("inf")
    rig.clock.move(jump)
    try:
        await asyncio.sleep(fault.seconds)
    finally:
        rig.clock.move(0)
        rig.moved_until = time.monotonic() + 15.0
    return f"{jump:+,} s"


async def _slow_clients(rig: Rig, fault: Fault) -> str:
    chance = random.Random(f"slow {fault.choice}")
    visits = await slow_clients.visit(rig.stack.receiver_port, fault.seconds, chance)
    return f"{visits} connections"


_FAULTS: dict[str, Callable[[Rig, Fault], Awaitable[str]]] = {
    "kill receiver": _kill(_program("receiver")),
    "kill database": _kill(lambda rig, _: next(iter(rig.stack.database()), None)),
    "kill backend": _kill(_backend),
    "kill guardian": _kill(lambda rig, _: rig.stack.guardian()),
    "kill daemon": _kill(_program("dagster-daemon")),
    "kill code server": _kill(_program("dagster-code-server")),
    "kill run": _kill(lambda rig, choice: _pick(rig.stack.runs(), choice)),
    "kill up": _kill(lambda rig, _: rig.stack.up()),
    "kill worker": _kill(_program("worker")),
    "hang database": _hang(lambda rig: rig.stack.database()),
    "hang receiver": _hang(lambda rig: rig.stack.named("receiver")),
    "hang worker": _hang(lambda rig: rig.stack.named("worker")),
    "hang run": _hang(lambda rig: rig.stack.runs()),
    "end sessions": _end_sessions,
    "cut connections": _cut_connections,
    "full disk": _full_disk,
    "clock jump": _clock_jump,
    "slow clients": _slow_clients,
}
