"""What has to hold after the faults: each check returns what is wrong, in words, or nothing."""

from __future__ import annotations

import hashlib
import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from bench.torture.faults import Injected
from bench.torture.memory import Memory, Stored
from bench.torture.sender import Answered, SendingReport
from bench.torture.stack import Stack

_SHOWN = 5


def sending_faults(report: SendingReport) -> Iterator[str]:
    if report.unanswered:
        kinds = Counter(planned.kind for planned in report.unanswered)
        yield f"{len(report.unanswered)} deliveries were never answered: {dict(kinds)}"
    yield from _some("answers that no fault explains", report.unexpected)


def loss_faults(report: SendingReport, memory: Memory) -> Iterator[str]:
    """Everything that was answered is stored once, and nothing else is."""
    answered = {stored_key(each) for each in report.answered if 200 <= each.status < 300}
    yield from _some(
        "answered and not stored", (_name(key) for key in answered - set(memory.stored))
    )
    yield from _some(
        "stored and never answered", (_name(key) for key in set(memory.stored) - answered)
    )
    twice = [_name(key) for key, count in memory.stored.items() if count > 1]
    yield from _some("stored twice", twice)
    if memory.changed_bodies:
        yield f"{memory.changed_bodies} bodies are not the bytes that were sent"


def outcome_faults(memory: Memory, calm: Memory) -> Iterator[str]:
    """Every delivery has one outcome in each workspace, the same as without faults."""
    for count, what in (
        (memory.waiting, "deliveries are still waiting"),
        (memory.without_outcome, "deliveries have no outcome"),
        (memory.twice, "deliveries have two outcomes in a workspace"),
    ):
        if count:
            yield f"{count} {what}"
    different = [
        f"{_name(key)}: {memory.outcomes.get(key)}, without faults {outcomes}"
        for key, outcomes in calm.outcomes.items()
        if memory.outcomes.get(key) != outcomes
    ]
    yield from _some("outcomes differ from a run without faults", different)


def digest_faults(hashes: Mapping[str, str], calm: Mapping[str, str]) -> Iterator[str]:
    unequal = sorted(table for table, value in calm.items() if hashes.get(table) != value)
    if unequal:
        yield (
            f"the digest differs from that of a run without faults in {', '.join(unequal)}: "
            "see differences.txt"
        )


def differences(memory: Memory, calm: Memory) -> Iterator[str]:
    """The rows of the digest that only one of the two has: `-` without faults, `+` with them."""
    for table, rows in calm.rows.items():
        lines = [
            *(f"- {line}" for line in (rows - memory.rows[table]).elements()),
            *(f"+ {line}" for line in (memory.rows[table] - rows).elements()),
        ]
        if lines:
            yield f"{table}: {len(lines)} rows"
            yield from sorted(lines, key=lambda line: line[2:])


def status_faults(status: Mapping[str, Any], memory: Memory) -> Iterator[str]:
    """`lightfast status` agrees with the tables and sees nothing wrong."""
    deliveries = status["deliveries"]
    if deliveries["received"]:
        yield f"`lightfast status` says that {deliveries['received']} deliveries wait"
    decided = sum(count for name, count in deliveries.items() if name != "received")
    if decided != memory.stored.total():
        yield f"`lightfast status` counts {decided} deliveries of {memory.stored.total()}"
    if any(status["given_up_by_stages"].values()):
        yield f"stages gave up: {status['given_up_by_stages']}"
    clocks = status["clocks"]
    if clocks["deliveries_on_days_to_come"]:
        yield f"deliveries on days to come: {clocks['deliveries_on_days_to_come']}"


def left_processes(stack: Stack) -> Iterator[str]:
    """After `up` has ended, only the database and its guardian may run."""
    left = []
    for process in stack.processes():
        with suppress(psutil.NoSuchProcess):
            left.append(f"{process.pid} {' '.join(process.cmdline())[:100]}")
    yield from _some("processes that `up` left behind", left)


def left_database(stack: Stack) -> Iterator[str]:
    """After the database has stopped, nothing of it is left: no process, no shared memory."""
    yield from _some("processes of the database", (str(each.pid) for each in stack.database()))
    if (guardian := stack.guardian()) is not None:
        yield f"the guardian {guardian.pid} still runs"
    yield from _some(
        "files of the database in /dev/shm",
        sorted(name for name in stack.shared_memory if Path(name).exists()),
    )
    yield from _some("segments of shared memory of the database", _segments(stack.postmasters))


def _segments(postmasters: set[int]) -> Iterator[str]:
    table = Path("/proc/sysvipc/shm")
    if not table.exists():
        return
    for line in table.read_text().splitlines()[1:]:
        key, number, _, _, creator = line.split()[:5]
        if int(creator) in postmasters:
            yield f"{number} (key {key}, of postmaster {creator})"


def measure_recovery(
    injected: Sequence[Injected], report: SendingReport, captured: Mapping[Stored, float]
) -> None:
    """Notes for each fault how long it took until deliveries were answered, and captured, again."""
    accepted = [each for each in report.answered if 200 <= each.status < 300]
    first_sent: dict[Stored, float] = {}
    for each in accepted:
        key = stored_key(each)
        first_sent[key] = min(first_sent.get(key, each.sent_at), each.sent_at)
    for fault in injected:
        answered_at = [each.answered_at for each in accepted if each.sent_at >= fault.ended]
        captured_at = [
            captured[key]
            for key, sent_at in first_sent.items()
            # A run whose clock was set back notes an earlier time.
            if sent_at >= fault.ended and captured.get(key, 0.0) >= sent_at
        ]
        if answered_at:
            fault.answered_after = min(answered_at) - fault.ended
        if captured_at:
            fault.captured_after = min(captured_at) - fault.ended


def stored_key(answered: Answered) -> Stored:
    scene = answered.planned.scene
    return scene.provider, scene.delivery_id, hashlib.sha256(answered.body).digest()


def table(injected: Sequence[Injected], skipped: Mapping[str, str]) -> Iterator[str]:
    """Faults by kind: how many, and how long recovery took (median and longest)."""
    row = "{:<18} {:>4}  {:>19}  {:>19}  {}"
    yield row.format("fault", "done", "answers again after", "captures again after", "what")
    kinds = sorted({each.fault.kind for each in injected})
    for kind in kinds:
        done = [each for each in injected if each.fault.kind == kind and each.what]
        missed = sum(1 for each in injected if each.fault.kind == kind and not each.what)
        what = "; ".join(each.what for each in done)[:90]
        if missed:
            what = f"{what} ({missed} not done: nothing to do it to)".strip()
        yield row.format(
            kind,
            len(done),
            _spread([each.answered_after for each in done]),
            _spread([each.captured_after for each in done]),
            what,
        )
    for kind, reason in skipped.items():
        yield row.format(kind, 0, "", "", f"SKIPPED: {reason}")


def _spread(values: Iterable[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "-"
    if len(known) == 1:
        return f"{known[0]:.1f} s"
    return f"{statistics.median(known):.1f} s, {max(known):.1f} s"


def _some(what: str, found: Iterable[str]) -> Iterator[str]:
    """One line about everything that was found, with the first few by name."""
    names = list(found)
    if names:
        rest = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        yield f"{len(names)} {what}: {'; '.join(names[:_SHOWN])}{rest}"


def _name(key: Stored) -> str:
    provider, delivery_id, sha256 = key
    return f"{provider} {delivery_id} ({sha256.hex()[:8]})"
