"""`lightfast up` and `lightfast demo --once` with real processes and a fresh home."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import psutil
import pytest

from lightfast_pipelines.cli.stack import warden
from lightfast_pipelines.demo.story import tell
from tests.depth import is_deep

COMMAND = [str(Path(sys.executable).parent / "lightfast")]
CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("running") / "home"
    yield folder
    from lightfast_pipelines.embedded_postgres import EmbeddedPostgres

    EmbeddedPostgres(folder).stop(force=True)


@pytest.fixture
def environment(home: Path) -> dict[str, str]:
    ours = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith(("LIGHTFAST_", "GITHUB_", "VERCEL_", "LINEAR_", "SENTRY_", "DAGSTER_"))
    }
    return {
        **ours,
        "LIGHTFAST_HOME": str(home),
        "LIGHTFAST_RECEIVER_PORT": "0",
        "LIGHTFAST_DAGSTER_PORT": "0",
    }


def of_this_home(home: Path) -> list[list[str]]:
    """What still runs for this home, except the database's guardian and server."""
    commands = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("LIGHTFAST_HOME") == str(home) and process.pid != os.getpid():
                commands.append(process.cmdline())
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return [command for command in commands if command and "guardian" not in " ".join(command)]


Start = Callable[[list[str], Path], "subprocess.Popen[bytes]"]


@pytest.fixture
def start(home: Path, environment: dict[str, str]) -> Iterator[Start]:
    """Starts a command and returns once it reports that everything runs; ends it with the test."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(words: list[str], log: Path) -> subprocess.Popen[bytes]:
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*COMMAND, *words], cwd=CHECKOUT, env=environment, stdout=output, stderr=output
            )
        started.append(process)
        wait_for(lambda: "Ctrl-C ends everything" in log.read_text(), process, log)
        return process

    try:
        yield begin
    finally:
        for process in started:
            process.kill()
            process.wait()
        warden.end(warden.of_home(str(home)))


def wait_for(is_done: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 300
    while not is_done():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.2)


def test_the_demo_accounts_for_every_delivery_and_stays_until_ctrl_c(
    home: Path, start: Start, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    process = start(["demo"], log)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0, log.read_text()
    text = log.read_text()
    deliveries = len(tell(date(2026, 5, 20)).scenes)
    assert f"every one of {deliveries} deliveries is accounted for" in text
    assert "401 refused: signature" in text
    assert "401 refused: time" in text
    assert "#51 Charge a checkout only once" in text
    assert "<- tracked_in" in text
    assert "lightfast why 'sentry:issue:" in text
    assert text.count("lightfast people accept ") >= 5
    assert of_this_home(home) == []


@pytest.mark.skipif(not is_deep(), reason="a second demo takes half a minute: make test-deep")
def test_a_second_demo_stores_nothing_twice_and_ends_by_itself(
    home: Path, environment: dict[str, str]
) -> None:
    result = subprocess.run(
        [*COMMAND, "demo", "--once"],
        cwd=CHECKOUT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "200 accepted (known)" in result.stdout
    assert of_this_home(home) == []


def test_up_runs_once_for_a_home_restarts_what_dies_and_leaves_nothing_behind(
    home: Path, environment: dict[str, str], start: Start, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    process = start(["up"], log)
    assert "every delivery is refused until GITHUB_WEBHOOK_SECRET is set" in log.read_text()
    second = subprocess.run(
        [*COMMAND, "up"], cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False
    )
    assert (second.returncode, "runs already" in second.stderr) == (1, True)
    for child in psutil.Process(process.pid).children():
        if "webhook_receiver" in child.cmdline():
            child.kill()
    wait_for(lambda: "receiver is started again" in log.read_text(), process, log)
    assert "receiver was killed by signal 9" in log.read_text()
    process.send_signal(signal.SIGINT)
    assert process.wait(120) == 0, log.read_text()
    assert "Traceback" not in log.read_text()
    assert of_this_home(home) == []
