"""What `up` does for Dagster: one code server, and a reload when partitions begin earlier."""

from __future__ import annotations

import json
import os
import signal
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from lightfast_pipelines.cli.root import Failure
from lightfast_pipelines.cli.stack import code_server
from lightfast_pipelines.cli.stack import processes as stack
from lightfast_pipelines.cli.stack.children import Children, StopRequest
from lightfast_pipelines.cli.stack.state import StackState, alone, read_state, write_state
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.partition_start import move_start_back, read_start
from tests.programs import Programs
from tests.servers.serving import Receive, Scope, Send, serve


async def answers_graphql(_scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    body = json.dumps({"data": {"reloadRepositoryLocation": {}}}).encode()
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def test_definitions_are_reloaded_once_when_older_data_arrived(
    database: Database, conn: Connection, tmp_path: Path
) -> None:
    with serve(answers_graphql) as dagster:
        running = stack.Stack(
            database, Children(tmp_path), "", dagster.url, tmp_path, read_start(conn)
        )
        running.follow_partition_start()
        assert dagster.asked == []
        move_start_back(conn, date(2014, 5, 6))
        conn.commit()
        running.follow_partition_start()
        running.follow_partition_start()
        (asked,) = dagster.asked
        assert b"reloadRepositoryLocation" in asked.body
        assert running.loaded_start == date(2014, 1, 1)


def test_an_unreachable_webserver_is_asked_again_later(
    database: Database, conn: Connection, tmp_path: Path
) -> None:
    with serve(answers_graphql) as dagster:
        url = dagster.url
    before = read_start(conn)
    running = stack.Stack(database, Children(tmp_path), "", url, tmp_path, before)
    move_start_back(conn, datetime(2014, 5, 6, tzinfo=UTC).date())
    conn.commit()
    running.follow_partition_start()
    assert running.loaded_start == before


def test_webserver_and_daemon_share_a_code_server_that_only_its_user_can_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = stack._dagster_home(tmp_path)
    socket = code_server.socket_in(folder)
    workspace = json.loads(code_server.workspace_file(folder, socket).read_text())
    (location,) = workspace["load_from"]
    assert location["grpc_server"]["socket"] == str(socket)
    assert folder.stat().st_mode & 0o077 == 0
    # A home whose path is too long for a socket.
    monkeypatch.setattr(code_server, "_LONGEST_SOCKET_PATH", 30)
    elsewhere = code_server.socket_in(folder)
    assert elsewhere.parent.stat().st_mode & 0o077 == 0
    elsewhere.parent.rmdir()


def test_the_state_of_a_stack_is_known_only_while_it_runs(tmp_path: Path) -> None:
    states = {"receiver": "running", "dagster-daemon": "given up"}
    deaths = {"dagster-daemon": "5, 5 of them in a row"}
    assert read_state(tmp_path) == StackState()
    with alone(tmp_path):
        assert read_state(tmp_path) == StackState()
        write_state(tmp_path, states, deaths)
        assert read_state(tmp_path) == StackState(states, deaths)
        with pytest.raises(Failure, match="runs already"), alone(tmp_path):
            pass
    assert read_state(tmp_path) == StackState()
    # A killed stack leaves its file but no lock.
    write_state(tmp_path, states, deaths)
    assert read_state(tmp_path) == StackState()


def test_a_code_server_without_its_code_process_is_not_alive(
    programs: Programs, tmp_path: Path
) -> None:
    note_of_pids = tmp_path / "pids"
    holder = (
        "import pathlib, os, time\n"
        f"pathlib.Path({str(note_of_pids)!r}).write_text(f'{{os.getpid()}}\\n')\n"
        "time.sleep(300)"
    )
    # Like Dagster's code server, whose first process stays when the second ends.
    server = (
        "import subprocess, sys, time\n"
        f"subprocess.Popen([sys.executable, '-c', {holder!r}, 'grpc']).wait()\n"
        "time.sleep(300)"
    )
    process = programs.start([sys.executable, "-c", server])
    has_code = code_server.HasCode()
    children = Children(tmp_path / "logs")

    def written() -> bool:
        return note_of_pids.exists() and note_of_pids.read_text().endswith("\n")

    children.wait_until("it", written, stop=StopRequest(), timeout=20)
    assert has_code(process)
    os.kill(int(note_of_pids.read_text()), signal.SIGKILL)
    children.wait_until("its end", lambda: not has_code(process), stop=StopRequest(), timeout=20)
    assert process.poll() is None
