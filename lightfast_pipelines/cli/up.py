"""`lightfast up`: the whole system in one command, until Ctrl-C."""

from __future__ import annotations

from lightfast_pipelines.cli.console import say, show


def up() -> None:
    """Run database, receiver and Dagster until Ctrl-C."""
    from lightfast_pipelines.cli.stack.children import stop_on_signals
    from lightfast_pipelines.cli.stack.processes import receiver_hints, running
    from lightfast_pipelines.settings import settings

    found = settings()

    def is_set(name: str) -> bool:
        return bool(found.webhook_secrets((name,)))

    with stop_on_signals() as stop, running(found, stop) as stack:
        if stop.is_asked():
            return
        show(f"Dagster:  {stack.dagster_url}")
        for line in receiver_hints(stack.receiver_url, is_set):
            show(f"webhooks: {line}")
        say(f"logs: {found.home / 'logs'}; Ctrl-C ends everything")
        stack.watch(stop)
