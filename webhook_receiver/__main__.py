"""`python -m webhook_receiver`: starts the receiver with settings from the environment."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from types import FrameType

from lightfast_pipelines.embedded_postgres import EmbeddedPostgresError
from lightfast_pipelines.settings import SettingsError, settings
from lightfast_pipelines.store.sealed import SealedError
from webhook_receiver import logs
from webhook_receiver.server import serve


def main() -> None:
    """Exits 0 after a signal to stop, 1 when it cannot start, 2 on wrong usage."""
    parser = argparse.ArgumentParser(prog="lightfast-receiver", description=__doc__)
    parser.add_argument(
        "--port-file", type=Path, help="write the port to this file once it listens"
    )
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
        serve(configured, port_file=arguments.port_file)
    except OSError as error:
        sys.exit(
            f"lightfast-receiver: cannot listen on {configured.host}:{configured.receiver_port}: {error}"
        )
    except (EmbeddedPostgresError, SealedError) as error:
        sys.exit(f"lightfast-receiver: {error}")
    finally:
        logs.flush()


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    main()
