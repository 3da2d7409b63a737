"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def _known_provider(name: str | None) -> str | None:
    from lightfast_pipelines.providers import discover

    if name is not None and name not in (providers := discover()):
        raise typer.BadParameter(
            f"{name!r} is not a provider; known: {', '.join(sorted(providers)) or 'none'}"
        )
    return name


InWorkspace = Annotated[
    str, typer.Option("--workspace", "-w", help="Workspace (slug, or org/slug).")
]
OnlyWorkspace = Annotated[
    str | None, typer.Option("--workspace", "-w", help="Only this workspace (slug, or org/slug).")
]
OfProvider = Annotated[
    str, typer.Option("--provider", "-p", callback=_known_provider, help="github, ...")
]
OnlyProvider = Annotated[
    str | None,
    typer.Option("--provider", "-p", callback=_known_provider, help="Only this provider."),
]
OfResource = Annotated[
    str, typer.Option("--resource", "-r", help="The provider's id of the resource, or its name.")
]
ListLimit = Annotated[
    int, typer.Option("--limit", "-n", min=1, help="How many to show, newest first.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]
