"""`python -m lightfast_pipelines.cli.stack.dagster_ui`: Dagster's webserver behind a guard.

It runs like `dagster-webserver`; `dagster_ui_guard` says which requests are refused.
"""

from __future__ import annotations

import argparse
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from lightfast_pipelines.cli.stack.dagster_ui_guard import App, allowed_names, guarded
from lightfast_pipelines.settings import settings

# The webserver's own defaults: 15 s for a statement, an hour for a connection.
_STATEMENT_TIMEOUT_MS = 15_000
_POOL_RECYCLE_SECONDS = 3_600
_POOL_MAX_OVERFLOW = 20
_POLL_MS = 2_000


@contextmanager
def ui(workspace: Path, names: list[str]) -> Iterator[App]:
    """The guarded application for the instance of DAGSTER_HOME."""
    import dagster as dg
    from dagster._core.workspace.context import (  # noqa: TID251 - nothing public makes the webserver
        WorkspaceProcessContext,
    )
    from dagster._core.workspace.load_target import WorkspaceFileTarget  # noqa: TID251
    from dagster_webserver.app import create_app_from_workspace_process_context
    from dagster_webserver.version import __version__

    with dg.DagsterInstance.get() as instance:
        instance.optimize_for_webserver(
            _STATEMENT_TIMEOUT_MS, _POOL_RECYCLE_SECONDS, _POOL_MAX_OVERFLOW
        )
        with WorkspaceProcessContext(
            instance,
            version=__version__,
            workspace_load_target=WorkspaceFileTarget(paths=[str(workspace)]),
        ) as context:
            yield guarded(
                create_app_from_workspace_process_context(context, live_data_poll_rate=_POLL_MS),
                names,
            )


def main() -> None:
    """Serves until a signal stops it."""
    import uvicorn

    parser = argparse.ArgumentParser(prog="lightfast ui", description=__doc__)
    parser.add_argument("-w", "--workspace", type=Path, required=True)
    parser.add_argument("-p", "--port", type=int)
    arguments = parser.parse_args()
    # uvicorn raises the signal again when it has finished; then there is nothing left to do.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    configured = settings()
    host = configured.dagster_host
    port = configured.dagster_port if arguments.port is None else arguments.port
    with ui(arguments.workspace, allowed_names(host, configured.dagster_names)) as app:
        uvicorn.run(app, host=host.strip("[]"), port=port, log_level="warning")


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    main()
