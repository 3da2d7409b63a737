"""`lightfast up`: the whole system in one command, until Ctrl-C."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lightfast_pipelines.cli.console import say, show

if TYPE_CHECKING:
    from lightfast_pipelines.settings import Settings


def up(
    worker: Annotated[
        bool,
        typer.Option(
            "--worker",
            help="Also run a worker, which captures deliveries within a second (LIGHTFAST_WORKER=1).",
        ),
    ] = False,
) -> None:
    """Run the database, the receiver and Dagster until Ctrl-C."""
    from lightfast_pipelines.cli.stack.children import stop_on_signals
    from lightfast_pipelines.cli.stack.processes import running
    from lightfast_pipelines.settings import settings

    configured = settings().model_copy(update={"worker": worker or settings().worker})
    with stop_on_signals() as stop, running(configured, stop) as stack:
        if stop.is_asked():
            return
        show(f"Dagster:  {stack.dagster_url}")
        for line in _receiver_hints(stack.receiver_url, configured):
            show(f"webhooks: {line}")
        say(f"logs: {configured.home / 'logs'}; Ctrl-C ends everything")
        stack.watch(stop)


def _receiver_hints(receiver_url: str, settings: Settings) -> list[str]:
    """A line for each provider: where its webhooks go, and whether its secret is set."""
    from lightfast_pipelines.providers import discover

    lines = []
    for name, provider in discover().items():
        state = (
            "secret is set"
            if settings.webhook_secrets(tuple(provider.secret_settings))
            else f"every delivery is refused until {' or '.join(provider.secret_settings)} is set"
        )
        lines.append(f"{receiver_url}/webhooks/{name}  ({state})")
    return lines
