"""Child processes that die or no longer work are started again, or given up."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest

from lightfast_pipelines.cli.stack import warden
from lightfast_pipelines.cli.stack.children import Children, StopRequest
from tests.cli.stack.child_processes import SLEEP, python, start, wait_for


def test_a_killed_child_is_restarted_and_its_orphans_end(
    children: Children, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = start(children, "receiver", SLEEP, tmp_path)
    note = tmp_path / "pid"
    pid = start(
        children,
        "daemon",
        "import pathlib, subprocess, sys, time\n"
        "print('last words', flush=True)\n"
        f"child = subprocess.Popen([sys.executable, '-c', {SLEEP!r}], start_new_session=True)\n"
        f"pathlib.Path({str(note)!r}).write_text(f'{{child.pid}}\\n')\n{SLEEP}",
        tmp_path,
    )
    orphan = psutil.Process(int(wait_for(note)))
    os.kill(pid, signal.SIGKILL)
    children.wait_until(
        "a new one",
        lambda: children.pid_of("daemon") != pid and children.states()["daemon"] == "running",
        stop=StopRequest(),
        timeout=20,
        mending=True,
    )
    assert children.pid_of("receiver") == other
    assert not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE
    stderr = capsys.readouterr().err
    assert "daemon was killed by signal 9" in stderr
    assert "last words" in stderr


def test_a_child_that_keeps_dying_is_given_up_and_the_others_continue(
    children: Children, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = start(children, "receiver", SLEEP, tmp_path)
    start(children, "daemon", "import sys; sys.exit('no table for me')", tmp_path)
    now = 0.0

    def given_up() -> bool:
        nonlocal now
        now += 5
        children.mend(now)
        return children.states()["daemon"] == "given up"

    while not given_up():
        children.join("daemon")
    assert children.pid_of("receiver") == other
    stderr = capsys.readouterr().err
    assert "no table for me" in stderr
    assert "ended 5 times" in stderr
    assert "lightfast process" in stderr


def test_a_receiver_that_dies_is_restarted_while_another_child_is_seen_to(
    children: Children, tmp_path: Path
) -> None:
    def kill_and_await_receiver() -> None:
        pid = children.pid_of("receiver")
        os.kill(pid, signal.SIGKILL)
        Children(tmp_path).wait_until(
            "a new receiver",
            lambda: children.pid_of("receiver") != pid,
            stop=StopRequest(),
            timeout=20,
        )

    children.start(
        "receiver",
        python(SLEEP),
        environment=dict(os.environ),
        folder=tmp_path,
        is_vital=True,
    )
    children.start(
        "daemon",
        python("import sys; sys.exit(1)"),
        environment=dict(os.environ),
        folder=tmp_path,
        before_restart=kill_and_await_receiver,
    )
    children.join("daemon")
    children.mend()
    assert children.states() == {"receiver": "running", "daemon": "running"}


def test_the_receiver_is_never_given_up(children: Children, tmp_path: Path) -> None:
    children.start(
        "receiver",
        python("import sys; sys.exit(1)"),
        environment=dict(os.environ),
        folder=tmp_path,
        is_vital=True,
    )
    started = set()
    for turn in range(12):
        started.add(children.pid_of("receiver"))
        children.join("receiver")
        children.mend(turn * 40.0)
        children.mend(turn * 40.0 + 39)
    assert len(started) == 12


def test_a_child_that_dies_slowly_waits_longer_each_time_and_is_reported(
    children: Children, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start(children, "daemon", "import sys; sys.exit('no table for me')", tmp_path)
    now, pauses = 0.0, []
    for _ in range(12):
        children.mend(now)
        children.join("daemon")
        # It ran for longer than a minute, and never for ten.
        now += 90
        children.mend(now)
        asked = now
        while children.states()["daemon"] == "restarting":
            now += 1
            children.mend(now)
        pauses.append(now - asked)
    assert pauses == [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    stderr = capsys.readouterr().err
    assert "daemon ended 12 times in a row" in stderr
    assert "it is started again in 300 s" in stderr
    assert children.deaths()["daemon"].startswith(
        "12, 12 of them in a row; last at 2026-05-01 10:00:00 UTC, started again after 300 s"
    )
    # After ten minutes without a death the next one counts as the first.
    children.join("daemon")
    now += 600
    children.mend(now)
    assert children.states()["daemon"] == "running"
    assert children.deaths()["daemon"].startswith("13; last at")


def test_a_receiver_that_dies_slowly_is_away_for_half_a_minute_at_most(
    children: Children, tmp_path: Path
) -> None:
    children.start(
        "receiver",
        python("import sys; sys.exit(1)"),
        environment=dict(os.environ),
        folder=tmp_path,
        is_vital=True,
    )
    for turn in range(12):
        children.join("receiver")
        children.mend(turn * 200.0)
        children.mend(turn * 200.0 + 30)
        assert children.deaths()["receiver"].startswith(f"{turn + 1}")
    assert "started again after 30 s" in children.deaths()["receiver"]


def test_a_child_that_dies_now_and_then_is_not_given_up(children: Children, tmp_path: Path) -> None:
    start(children, "daemon", "", tmp_path)
    for day in range(20):
        children.join("daemon")
        children.mend(day * 86_400.0)
        children.mend(day * 86_400.0 + 9)
        assert children.states()["daemon"] != "given up"


def test_a_child_that_no_longer_works_is_restarted(children: Children, tmp_path: Path) -> None:
    beats = True
    prepared: list[str] = []
    child = children.start(
        "code server",
        python(SLEEP),
        environment=dict(os.environ),
        folder=tmp_path,
        works=lambda _: beats,
        before_restart=lambda: prepared.append("runs ended"),
    )
    first = child.process.pid
    children.mend(0.0)
    assert children.pid_of("code server") == first
    beats = False
    children.mend(1.0)
    beats = True
    assert children.pid_of("code server") != first
    assert prepared == ["runs ended"]
    assert not psutil.pid_exists(first)


def test_a_warden_that_is_killed_is_replaced(children: Children, tmp_path: Path) -> None:
    start(children, "c", SLEEP, tmp_path)
    (warden_before,) = wardens()
    warden_before.kill()
    warden_before.wait()
    children.mend()
    assert len(wardens()) == 1
    children.end()
    assert wardens() == []


def wardens() -> list[psutil.Process]:
    return [
        process
        for process in psutil.Process().children()
        if process.status() != psutil.STATUS_ZOMBIE and warden.__file__ in process.cmdline()
    ]
