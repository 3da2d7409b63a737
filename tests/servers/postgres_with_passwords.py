"""A Postgres as on a server of one's own: over TCP, and nobody gets in without a password."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from psycopg.conninfo import make_conninfo
from psycopg.pq import PGconn, Ping

from lightfast_pipelines.embedded_postgres.account import server_account
from lightfast_pipelines.embedded_postgres.binaries import (
    can_run,
    copied_binaries,
    installed_binaries,
)

SUPERUSER_PASSWORD = "of-the-superuser"
DEADLINE_SECONDS = 60.0


@contextmanager
def postgres_with_passwords() -> Iterator[int]:
    """Its port on 127.0.0.1; user postgres has SUPERUSER_PASSWORD."""
    folder = Path(tempfile.mkdtemp(prefix="lf-own-", dir="/var/tmp"))
    folder.chmod(0o755)
    account = server_account()
    binaries = installed_binaries()
    if account is not None and not can_run(binaries, account):
        binaries = copied_binaries(binaries, account, folder)
    data = folder / "data"
    data.mkdir(mode=0o700)
    password = folder / "password"
    password.write_text(SUPERUSER_PASSWORD)
    if account is not None:
        os.chown(data, account.uid, account.gid)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    who = {"user": account.uid, "group": account.gid, "extra_groups": []} if account else {}
    initdb = [binaries / "bin/initdb", "-D", data, "-U", "postgres", "--auth=scram-sha-256"]
    try:
        subprocess.run(
            [*initdb, f"--pwfile={password}", "--encoding=UTF8", "--locale=C", "--no-sync"],
            cwd="/",
            check=True,
            capture_output=True,
            **who,  # type: ignore[call-overload]
        )
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(port),
            "unix_socket_directories": "",
            "fsync": "off",
            "log_statement": "all",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [binaries / "bin/postgres", "-D", data, *options],
                cwd="/",
                stdout=log,
                stderr=log,
                **who,  # type: ignore[call-overload]
            )
        try:
            where = make_conninfo(host="127.0.0.1", port=port, user="postgres", dbname="postgres")
            deadline = time.monotonic() + DEADLINE_SECONDS
            while PGconn.ping(where.encode()) != Ping.OK:
                assert server.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.02)
            yield port
        finally:
            # By SIGTERM it would wait for the sessions that a failing test leaves open.
            server.send_signal(signal.SIGINT)
            server.wait()
    finally:
        shutil.rmtree(folder)
