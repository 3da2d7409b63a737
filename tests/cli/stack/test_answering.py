"""A process that hangs is restarted; one that is slow, or just starting, is not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from lightfast_pipelines.cli.stack.answering import (
    MOST_FAILURES,
    Answering,
    answers,
    is_not_suspended,
)
from lightfast_pipelines.cli.stack.children import Children, StopRequest
from tests.programs import Programs
from tests.servers.serving import Receive, Scope, Send, serve

SLEEP = [sys.executable, "-c", "import time; time.sleep(300)"]


@pytest.fixture
def children(tmp_path: Path) -> Iterator[Children]:
    made = Children(tmp_path / "logs")
    yield made
    made.end()


def suspend(children: Children, pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)
    children.wait_until(
        "its suspension",
        lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED,
        stop=StopRequest(),
        timeout=60,
    )


def test_a_suspended_child_is_ended_and_restarted(
    children: Children, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    child = children.start(
        "daemon",
        SLEEP,
        environment=dict(os.environ),
        folder=tmp_path,
        works=Answering(is_not_suspended, every=0.0),
    )
    first = child.process.pid
    children.mend(0.0)
    suspend(children, first)
    for look in range(1, MOST_FAILURES):
        children.mend(float(look))
        assert children.pid_of("daemon") == first
    children.mend(float(MOST_FAILURES))
    assert children.pid_of("daemon") != first
    assert not psutil.pid_exists(first)
    assert "daemon runs but no longer works" in capsys.readouterr().err


@pytest.mark.parametrize("between", [0, 2])
def test_a_child_with_a_suspended_process_does_not_work(
    children: Children, programs: Programs, tmp_path: Path, between: int
) -> None:
    note = tmp_path / "pid"
    code = (
        "import pathlib, subprocess, time\n"
        f"child = subprocess.Popen({SLEEP!r})\n"
        f"pathlib.Path({str(note)!r}).write_text(f'{{child.pid}}\\n')\ntime.sleep(300)"
    )
    for _ in range(between):
        code = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {code!r}]).wait()"
    process = programs.start([sys.executable, "-c", code])
    children.wait_until(
        "it",
        lambda: note.exists() and note.read_text().endswith("\n"),
        stop=StopRequest(),
        timeout=60,
    )
    assert is_not_suspended(process)
    suspend(children, int(note.read_text()))
    assert not is_not_suspended(process)


def test_suspended_children_end_in_order_with_all_others(
    children: Children, tmp_path: Path
) -> None:
    ready, ended = tmp_path / "ready", tmp_path / "ended"
    code = (
        "import pathlib, signal, time\n"
        "def end(*_):\n"
        f"    pathlib.Path({str(ended)!r}).touch()\n"
        "    raise SystemExit\n"
        "signal.signal(15, end)\n"
        f"pathlib.Path({str(ready)!r}).touch()\n"
        "time.sleep(300)"
    )
    child = children.start(
        "receiver", [sys.executable, "-c", code], environment=dict(os.environ), folder=tmp_path
    )
    children.wait_until("it", ready.exists, stop=StopRequest(), timeout=60)
    suspend(children, child.process.pid)
    children.end()
    assert not psutil.pid_exists(child.process.pid)
    assert ended.exists()


class Asked:
    """Gives the answers that the test chooses."""

    def __init__(self, *answers: bool) -> None:
        self._answers = iter(answers)
        self.count = 0

    def __call__(self, _process: subprocess.Popen[bytes]) -> bool:
        self.count += 1
        return next(self._answers)


def working(programs: Programs, *answers: bool) -> list[bool]:
    process = programs.start(SLEEP)
    works = Answering(Asked(*answers), every=0.0)
    return [works(process) for _ in answers]


def test_a_process_that_has_not_answered_yet_is_starting(programs: Programs) -> None:
    assert all(working(programs, *[False] * 100))


def test_single_missing_answers_are_forgiven_and_a_series_is_not(programs: Programs) -> None:
    late = [True, *[False] * (MOST_FAILURES - 1), True, *[False] * (MOST_FAILURES - 1)]
    assert all(working(programs, *late))
    assert working(programs, *late, False)[-1] is False


def test_failures_of_an_earlier_process_do_not_count(programs: Programs) -> None:
    works = Answering(Asked(True, *[False] * 50), every=0.0)
    first, second = programs.start(SLEEP), programs.start(SLEEP)
    seen = [works(first) for _ in range(MOST_FAILURES + 1)]
    assert seen == [True] * MOST_FAILURES + [False]
    assert works(second)


def test_a_process_is_asked_only_now_and_then(programs: Programs) -> None:
    now = 0.0
    asked = Asked(*[True] * 50)
    works = Answering(asked, every=10.0, clock=lambda: now)
    process = programs.start(SLEEP)
    for _ in range(35):
        assert works(process)
        now += 1
    assert asked.count == 4


async def refuses(_scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "http.response.start", "status": 503, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def test_a_server_that_refuses_answers_and_one_that_is_gone_does_not(programs: Programs) -> None:
    process = programs.start(SLEEP)
    with serve(refuses) as server:
        ask = answers(server.url)
        assert ask(process)
    assert not ask(process)
