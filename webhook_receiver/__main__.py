"""`python -m webhook_receiver`: starts the receiver with settings from the environment."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from types import FrameType

from lightfast_pipelines.embedded_postgres import EmbeddedPostgresError
from lightfast_pipelines.settings import Settings, SettingsError, settings
from lightfast_pipelines.store.sealed import SealedError
from webhook_receiver import logs
from webhook_receiver.server import serve
from webhook_receiver.worker import serve_as_worker
from webhook_receiver.workers import WorkersError, supervise


def main() -> None:
    """Exits 0 after a signal to stop, 1 when it cannot start, 2 on wrong usage."""
    parser = argparse.ArgumentParser(prog="lightfast-receiver", description=__doc__)
    parser.add_argument(
        "--port-file", type=Path, help="write the port to this file once it listens"
    )
    parser.add_argument(
        "--workers",
        type=int,
        choices=range(1, 65),
        metavar="N",
        help="processes that receive side by side (default: LIGHTFAST_RECEIVER_WORKERS)",
    )
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    # uvicorn raises the signal again once it has shut down; by then there is nothing left to do.
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signal_number, _stop)
    try:
        configured = settings()
    except SettingsError as error:
        sys.exit(f"lightfast-receiver: {error}")
    logs.configure(configured.log_level)
    try:
        _serve(configured, arguments)
    except OSError as error:
        sys.exit(
            f"lightfast-receiver: cannot listen on {configured.host}:{configured.receiver_port}: {error}"
        )
    except (EmbeddedPostgresError, SealedError, WorkersError) as error:
        sys.exit(f"lightfast-receiver: {error}")
    finally:
        logs.flush()


def _serve(configured: Settings, arguments: argparse.Namespace) -> None:
    if arguments.worker:
        serve_as_worker(configured, arguments.worker)
        return
    workers = arguments.workers or configured.receiver_workers
    if workers == 1:
        serve(configured, port_file=arguments.port_file)
    else:
        supervise(configured, workers, port_file=arguments.port_file)


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    main()
