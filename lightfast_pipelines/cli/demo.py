"""`lightfast demo`: sends the sample story through the running system and shows the result."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from lightfast_pipelines.cli.console import say
from lightfast_pipelines.cli.root import Failure

if TYPE_CHECKING:
    from lightfast_pipelines.settings import Settings


def demo(
    once: Annotated[
        bool,
        typer.Option("--once", help="Exit when done: 0 only if every delivery is accounted for."),
    ] = False,
) -> None:
    """Play a sample story through the running system and show the result."""
    from lightfast_pipelines.cli.stack.children import stop_on_signals
    from lightfast_pipelines.cli.stack.processes import running
    from lightfast_pipelines.demo.playing import play
    from lightfast_pipelines.demo.report import print_account
    from lightfast_pipelines.demo.story import tell
    from lightfast_pipelines.settings import settings

    stage = tell(datetime.now(UTC).date())
    webhook_secrets, made = _webhook_secrets(settings())
    with stop_on_signals() as stop, running(settings(), stop, extra=made) as stack:
        played = None if stop.is_asked() else play(stack, settings(), stage, webhook_secrets, stop)
        if played is None:
            raise Failure("stopped before the story ended")
        with stack.database.connect(application_name="lightfast demo") as conn:
            print_account(conn, played, stack)
        if not once:
            say("Ctrl-C ends everything")
            stack.watch(stop)
    if played.surprises:
        raise Failure(f"not every delivery was accounted for: {'; '.join(played.surprises)}")
    say(f"every one of {len(stage.scenes)} deliveries is accounted for")


def _webhook_secrets(settings: Settings) -> tuple[dict[str, bytes], dict[str, str]]:
    """(secret by provider, settings to add); secrets that are not set are made for this run."""
    from lightfast_pipelines.demo.story import PROVIDERS
    from lightfast_pipelines.providers import discover

    by_provider: dict[str, bytes] = {}
    made: dict[str, str] = {}
    for name in PROVIDERS:
        variables = tuple(discover()[name].secret_settings)
        configured = settings.webhook_secrets(variables)
        if not configured:
            made[variables[0]] = secrets.token_hex(32)
        by_provider[name] = configured[0][1] if configured else made[variables[0]].encode()
    return by_provider, made
