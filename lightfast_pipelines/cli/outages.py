"""`lightfast outages`: when deliveries were lost, what was recovered, and what is looked for."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from lightfast_pipelines.cli.console import AsJson, print_json, print_table, show
from lightfast_pipelines.cli.opening import a_connection, known_provider


def outages(
    provider: Annotated[
        str | None, typer.Option("--provider", "-p", help="Of this provider only.")
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, help="How many, newest first.")
    ] = 20,
    as_json: AsJson = False,
) -> None:
    """Times in which deliveries were lost; how far logs and deletions were looked through."""
    from lightfast_pipelines.store.outages import list_checks, list_outages
    from lightfast_pipelines.store.sweeps import list_sweeps

    if provider is not None:
        known_provider(provider)
    with a_connection() as conn:
        found = list_outages(conn, provider=provider, limit=limit)
        checks = [one for one in list_checks(conn) if provider in (None, one.provider)]
        sweeps = [one for one in list_sweeps(conn) if provider in (None, one.provider)]
    if as_json:
        print_json(
            {
                "outages": [asdict(one) for one in found],
                "logs": [asdict(one) for one in checks],
                "sweeps": [asdict(one) for one in sweeps],
            }
        )
        return
    print_table(
        ("PROVIDER", "ACCOUNT", "LOG", "DOWN FROM", "UNTIL", "MISSED", "RECOVERED", "MISSING"),
        [
            (
                *(one.provider, one.account or one.installation, one.log),
                *(one.down_from, one.down_until),
                *(one.missed, one.recovered, len(one.deliveries)),
            )
            for one in found
        ],
    )
    if checks:
        show()
        print_table(
            ("PROVIDER", "LOG", "READ UNTIL", "READ AT", "ERROR"),
            [(c.provider, c.log, c.checked_until, c.checked_at, c.error) for c in checks],
        )
    if sweeps:
        show()
        print_table(
            ("PROVIDER", "RESOURCE", "KIND", "LAST WHOLE SWEEP", "REQUESTS", "GONE", "ERROR"),
            [
                (s.provider, s.resource, s.kind, s.finished_at, s.requests, s.found, s.error)
                for s in sweeps
            ],
        )
