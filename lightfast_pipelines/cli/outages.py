"""`lightfast outages`: when deliveries were lost, and what was recovered."""

from __future__ import annotations

from dataclasses import asdict

from lightfast_pipelines.cli.console import print_json, print_table, show
from lightfast_pipelines.cli.opening import command_connection
from lightfast_pipelines.cli.options import AsJson, ListLimit, OnlyProvider


def outages(provider: OnlyProvider = None, limit: ListLimit = 20, as_json: AsJson = False) -> None:
    """List outages in which deliveries were lost.

    Also shows how far the providers' logs and deletions were checked.
    """
    from lightfast_pipelines.store.outages import list_checks, list_outages
    from lightfast_pipelines.store.sweeps import list_sweeps

    with command_connection() as conn:
        lost = list_outages(conn, provider=provider, limit=limit)
        checks = [check for check in list_checks(conn) if provider in (None, check.provider)]
        sweeps = [sweep for sweep in list_sweeps(conn) if provider in (None, sweep.provider)]
    if as_json:
        print_json(
            {
                "outages": [asdict(outage) for outage in lost],
                "logs": [asdict(check) for check in checks],
                "sweeps": [asdict(sweep) for sweep in sweeps],
            }
        )
        return
    print_table(
        ("PROVIDER", "ACCOUNT", "LOG", "DOWN FROM", "UNTIL", "MISSED", "RECOVERED", "MISSING"),
        [
            (
                *(outage.provider, outage.account or outage.installation, outage.log),
                *(outage.down_from, outage.down_until),
                *(outage.missed, outage.recovered, len(outage.deliveries)),
            )
            for outage in lost
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
