"""Child processes end together with everything that they started."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from lightfast_pipelines.cli.root import Failure
from lightfast_pipelines.cli.stack import warden
from lightfast_pipelines.cli.stack.addresses import free_port
from lightfast_pipelines.cli.stack.children import Children, StopRequest, stop_on_signals
from tests.cli.stack.child_processes import SLEEP, python, start, wait_for
from tests.programs import Programs, programs_of_a_test


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
    monkeypatch.setattr("lightfast_pipelines.cli.stack.children.GRACE_SECONDS", 0.5)
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
        children.wait_until("it", lambda: False, stop=StopRequest(), timeout=20)


def test_a_log_that_grows_too_large_is_rotated_while_its_process_writes(
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


def test_a_process_that_never_gets_ready_is_named(children: Children) -> None:
    with pytest.raises(Failure, match="the moon was not ready after 0 s"):
        children.wait_until("the moon", lambda: False, stop=StopRequest(), timeout=0.1)


def test_children_react_to_sigint_even_if_their_parent_ignores_it(
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


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's parent-death signal")
def test_children_end_when_their_parent_is_killed_with_9(
    programs: Programs, tmp_path: Path
) -> None:
    note = tmp_path / "pid"
    code = (
        "import os, pathlib, time\n"
        "from lightfast_pipelines.cli.stack.children import Children\n"
        f"folder = pathlib.Path({str(tmp_path)!r})\n"
        f"child = Children(folder).start('c', {python(SLEEP)!r}, environment=dict(os.environ), folder=folder)\n"
        f"pathlib.Path({str(note)!r}).write_text(f'{{child.process.pid}}\\n')\n"
        "time.sleep(300)"
    )
    parent = programs.start(python(code))
    child = psutil.Process(int(wait_for(note)))
    parent.kill()
    parent.wait()
    gone, _ = psutil.wait_procs([child], timeout=20)
    assert gone or child.status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("killed", [signal.SIGKILL, signal.SIGQUIT, signal.SIGSEGV])
def test_processes_of_children_end_too_when_the_parent_is_killed(
    programs: Programs, tmp_path: Path, killed: signal.Signals
) -> None:
    """The parent-death signal does not reach it: it has its own session, and ignores SIGTERM."""
    note = tmp_path / "pids"
    grandchild = (
        "import os, pathlib, signal, time; signal.signal(15, signal.SIG_IGN)\n"
        f"pathlib.Path({str(note)!r}).write_text(f'{{os.getppid()}} {{os.getpid()}}\\n')\n{SLEEP}"
    )
    child = f"import subprocess; subprocess.Popen({python(grandchild)!r}, start_new_session=True); {SLEEP}"
    code = (
        "import os, pathlib\n"
        "from lightfast_pipelines.cli.stack import children\n"
        f"folder = pathlib.Path({str(tmp_path)!r})\n"
        f"children.Children(folder).start('c', {python(child)!r}, environment=dict(os.environ), folder=folder)\n"
        f"{SLEEP}"
    )
    parent = programs.start(python(code))
    family = [psutil.Process(int(pid)) for pid in wait_for(note).split()]
    parent.send_signal(killed)
    parent.wait()
    _, alive = psutil.wait_procs(family, timeout=60)
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


def test_an_orphan_whose_parent_died_first_is_ended_with_the_rest(
    children: Children, tmp_path: Path
) -> None:
    note = tmp_path / "pid"
    start(
        children,
        "parent",
        "import pathlib, subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, '-c', {SLEEP!r}], start_new_session=True)\n"
        f"pathlib.Path({str(note)!r}).write_text(f'{{child.pid}}\\n')",
        tmp_path,
    )
    orphan = psutil.Process(int(wait_for(note)))
    children.join("parent")
    children.end()
    assert not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE


def test_only_processes_that_an_earlier_start_left_are_ended(
    programs: Programs, tmp_path: Path
) -> None:
    def started(**variables: str) -> subprocess.Popen[bytes]:
        return programs.start(python(SLEEP), {**os.environ, **variables})

    home = str(tmp_path / "home")
    left = started(LIGHTFAST_HOME=home, LIGHTFAST_STACK="gone/dagster-code-server")
    command = started(LIGHTFAST_HOME=home)
    neighbour = started(LIGHTFAST_HOME=f"{home}2", LIGHTFAST_STACK="other/dagster-code-server")
    assert warden.end(warden.of_home(home), grace=20) == 1
    assert left.poll() is not None
    assert command.poll() is None
    assert neighbour.poll() is None


def test_programs_of_a_test_and_what_they_started_end_with_the_test(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    grandchild = (
        "import os, pathlib, signal; signal.signal(15, signal.SIG_IGN)\n"
        f"pathlib.Path({str(note)!r}).write_text(f'{{os.getpid()}}\\n')\n{SLEEP}"
    )
    # Its own parent is gone before the test fails.
    parent = f"import subprocess; subprocess.Popen({python(grandchild)!r}, start_new_session=True)"

    def a_test_that_fails() -> None:
        with programs_of_a_test() as programs:
            programs.start(python(parent)).wait()
            wait_for(note)
            pytest.fail("as a test does")

    with pytest.raises(pytest.fail.Exception):
        a_test_that_fails()
    orphan = int(wait_for(note))
    assert not psutil.pid_exists(orphan) or psutil.Process(orphan).status() == psutil.STATUS_ZOMBIE


def test_a_signal_asks_to_stop_and_wakes_a_waiting_thread() -> None:
    with stop_on_signals() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(20)


def test_a_used_port_is_replaced_by_a_free_one_with_a_message(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        port = free_port("127.0.0.1", number, "receiver", "LIGHTFAST_RECEIVER_PORT")
    assert port != number
    assert f"port {number} is not free for the receiver" in capsys.readouterr().err


def test_a_foreign_host_is_a_clear_failure() -> None:
    with pytest.raises(Failure, match=r"LIGHTFAST_HOST=192\.0\.2\.1"):
        free_port("192.0.2.1", 0, "receiver", "LIGHTFAST_RECEIVER_PORT")
