"""Child processes are started so that they can be ended, and ended with all that they started."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from lightfast_pipelines.cli.children import Children, Stop, stop_on_signals
from lightfast_pipelines.cli.root import Failure
from lightfast_pipelines.cli.stack import free_port

SLEEP = "import time; time.sleep(300)"


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


@pytest.fixture
def children(tmp_path: Path) -> Children:
    return Children(tmp_path / "logs")


def start(children: Children, name: str, code: str, folder: Path) -> int:
    child = children.start(name, python(code), environment=dict(os.environ), folder=folder)
    return child.process.pid


def wait_for(path: Path) -> str:
    """The file's text, once it is there and whole (it ends with a newline)."""
    children = Children(path.parent)
    children.wait_until(
        str(path),
        lambda: path.exists() and path.read_text().endswith("\n"),
        stop=Stop(),
        timeout=20,
    )
    return path.read_text()


def test_grandchildren_are_ended_too_even_in_a_session_of_their_own(
    children: Children, tmp_path: Path
) -> None:
    note = tmp_path / "pid"
    start(
        children,
        "parent",
        "import pathlib, subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-c', {SLEEP!r}], start_new_session=True)\n"
        f"pathlib.Path({str(note)!r}).write_text(f'{{child.pid}}\\n')\n"
        "time.sleep(300)",
        tmp_path,
    )
    grandchild = int(wait_for(note))
    children.end()
    assert (
        not psutil.pid_exists(grandchild)
        or psutil.Process(grandchild).status() == psutil.STATUS_ZOMBIE
    )


def test_a_child_that_ignores_sigterm_is_killed(
    children: Children, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lightfast_pipelines.cli.children.GRACE_SECONDS", 0.5)
    note = tmp_path / "ready"
    code = (
        "import pathlib, signal; signal.signal(15, signal.SIG_IGN)\n"
        f"pathlib.Path({str(note)!r}).write_text('ready\\n')\n{SLEEP}"
    )
    pid = start(children, "deaf", code, tmp_path)
    wait_for(note)
    children.end()
    assert not psutil.pid_exists(pid)


def test_a_child_that_dies_is_reported_with_its_last_words(
    children: Children, tmp_path: Path
) -> None:
    start(children, "receiver", "import sys; sys.exit('no port for me')", tmp_path)
    with pytest.raises(Failure, match=r"(?s)receiver ended with exit code 1.*no port for me"):
        children.wait_until("it", lambda: False, stop=Stop(), timeout=20)
    children.end()


def test_a_log_that_grows_too_large_is_moved_aside_and_its_writer_goes_on(
    children: Children, tmp_path: Path
) -> None:
    code = (
        "import pathlib, sys, time\n"
        f"folder = pathlib.Path({str(tmp_path)!r})\n"
        "for number in range(5):\n"
        "    print(f'line {number} ' + 'x' * 100, flush=True)\n"
        "    (folder / f'written-{number}').write_text('\\n')\n"
        "    while not (folder / f'go-{number}').exists(): time.sleep(0.01)\n"
    )
    start(children, "daemon", code, tmp_path)
    log = tmp_path / "logs" / "daemon.log"
    for number in range(5):
        wait_for(tmp_path / f"written-{number}")
        assert log.read_bytes().startswith(f"line {number} ".encode())
        children.rotate_logs(max_bytes=100)
        assert log.stat().st_size == 0
        children.rotate_logs(max_bytes=100)
        (tmp_path / f"go-{number}").touch()
    kept = {path.name: path.read_text()[:6] for path in log.parent.iterdir() if path != log}
    assert kept == {"daemon.log.1": "line 4", "daemon.log.2": "line 3", "daemon.log.3": "line 2"}
    children.end()


def test_what_never_gets_ready_is_named(children: Children) -> None:
    with pytest.raises(Failure, match="the moon was not ready after 0 s"):
        children.wait_until("the moon", lambda: False, stop=Stop(), timeout=0.1)


def test_children_take_sigint_even_where_we_were_started_ignoring_it(
    children: Children, tmp_path: Path
) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        note = tmp_path / "disposition"
        code = f"import pathlib, signal; pathlib.Path({str(note)!r}).write_text(f'{{signal.getsignal(2)}}\\n')"
        with stop_on_signals():
            start(children, "child", code, tmp_path)
            assert "default_int_handler" in wait_for(note)
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
        children.end()


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's parent-death signal")
def test_children_end_when_we_are_killed_with_9(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    code = (
        "import os, pathlib, time\n"
        "from lightfast_pipelines.cli.children import Children\n"
        f"folder = pathlib.Path({str(tmp_path)!r})\n"
        f"child = Children(folder).start('c', {python(SLEEP)!r}, environment=dict(os.environ), folder=folder)\n"
        f"pathlib.Path({str(note)!r}).write_text(f'{{child.process.pid}}\\n')\n"
        "time.sleep(300)"
    )
    parent = subprocess.Popen(python(code))
    child = psutil.Process(int(wait_for(note)))
    parent.kill()
    parent.wait()
    gone, _ = psutil.wait_procs([child], timeout=20)
    assert gone or child.status() == psutil.STATUS_ZOMBIE


def test_a_signal_asks_for_the_end_and_wakes_who_waits() -> None:
    with stop_on_signals() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(20)


def test_a_taken_port_is_replaced_by_a_free_one_and_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        found = free_port("127.0.0.1", number, "receiver", "LIGHTFAST_RECEIVER_PORT")
    assert found != number
    assert f"port {number} is not free for the receiver" in capsys.readouterr().err


def test_a_host_that_is_not_ours_is_a_clear_failure() -> None:
    with pytest.raises(Failure, match=r"LIGHTFAST_HOST=192\.0\.2\.1"):
        free_port("192.0.2.1", 0, "receiver", "LIGHTFAST_RECEIVER_PORT")
