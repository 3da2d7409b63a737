"""Relationships that deliveries state, compared with labels made by hand: `python -m bench.references`.

Everything recorded beside the checkout (two histories, every webhook, the demo) goes through the
pipeline into a database of this run. Then the relationships of the labelled deliveries are compared
with bench/gold/references.tsv. Prints precision and recall with Wilson's 95 % intervals and every
disagreement; exits with 1 below 0.99. Takes half a minute.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from bench.corpus import SHARED
from bench.gold_references import (
    End,
    Label,
    Sent,
    Verdict,
    deliveries,
    disagreements,
    end,
    figures,
    is_said,
    read_labels,
    refused_at_the_door,
    repository_ids,
    wilson,
    with_ids,
)
from lightfast_pipelines.capture.queue.batches import capture
from lightfast_pipelines.embedded_postgres import EmbeddedPostgres
from lightfast_pipelines.providers import discover
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.deliveries import Delivery, insert_deliveries
from lightfast_pipelines.store.linked_resources import (
    LinkRefusedError,
    add_workspace,
    link_resource,
    list_integrations,
    set_sync_config,
)
from lightfast_pipelines.store.locks import job_lock

WANTED = 0.99
CHUNK = 500
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
ROW = "{:<22} {:>6} {:>5} {:>9}  {:<16} {:>9} {:>6} {:>7}  {:<16}"


def fill(conn: Connection, sent: Sequence[Sent]) -> None:
    """Links every resource with all its branches, and stores the deliveries as webhooks."""
    workspace = add_workspace(conn, "bench")
    for provider, resource in sorted({resource for item in sent for resource in _resources(item)}):
        try:
            with conn.transaction():
                link_resource(conn, workspace, provider, resource)
        except LinkRefusedError as error:
            print(error)
    for integration in list_integrations(conn, workspace):
        set_sync_config(conn, integration, {"branches": ["*"]})
    for start in range(0, len(sent), CHUNK):
        insert_deliveries(conn, [_delivery(item) for item in sent[start : start + CHUNK]])
    conn.commit()


def _resources(sent: Sent) -> list[tuple[str, str]]:
    provider = discover()[sent.provider]
    route = provider.route(sent.event, provider.decode(sent.body, {}))
    if route is None:
        return []
    candidates = [(route.resource_key, route.resource_id), *route.alternatives]
    # Other ids (of an installation, or of an entity that leads to the resource) have another form.
    return [
        (sent.provider, identifier)
        for key, identifier in candidates
        if key != route.via and key.split(":", 2)[2] == identifier
    ]


def _delivery(sent: Sent) -> Delivery:
    return Delivery(
        provider=sent.provider,
        delivery_id=sent.delivery_id,
        event_type=sent.event,
        body=sent.body,
        headers={},
        received_at=NOW,
        partition_date=NOW.date(),
        ingestion_source="webhook",
        verified_by="env:BENCH",
    )


def capture_all(conn: Connection) -> None:
    with job_lock(conn, "capture", wait=True):
        more = True
        while more:
            more = capture(conn, days=None, max_rows=5000, batch_rows=500, now=NOW).more


def judge(
    conn: Connection, labels: Sequence[Label], sent: Mapping[str, Sent], ids: Mapping[str, str]
) -> list[Verdict]:
    wanted = [sent[label.file].delivery_id for label in labels]
    delivered = {
        row[0]
        for row in conn.execute(
            "SELECT delivery_id FROM lightfast.deliveries"
            " WHERE status = 'delivered' AND delivery_id = ANY(%s)",
            (wanted,),
        )
    }
    made: dict[str, list[tuple[End, str, End]]] = defaultdict(list)
    for delivery_id, subject, aliases, relation, target, target_aliases in conn.execute(
        """
        SELECT p.delivery_id, a.key, a.aliases, s.type, b.key, b.aliases
        FROM lightfast.raw_payloads p
        JOIN lightfast.observation_sources o ON o.raw_payload_id = p.id
        JOIN lightfast.relationship_sources r ON r.observation_id = o.observation_id
        JOIN lightfast.relationships s
          ON s.subject_id = r.subject_id AND s.object_id = r.object_id AND s.type = r.type
        JOIN lightfast.entities a ON a.id = s.subject_id
        JOIN lightfast.entities b ON b.id = s.object_id
        WHERE p.delivery_id = ANY(%s)
        """,
        (wanted,),
    ):
        made[delivery_id].append(
            (end((subject, *aliases), ids), relation, end((target, *target_aliases), ids))
        )
    return [
        Verdict(
            label,
            sent[label.file].provider,
            sent[label.file].delivery_id in delivered,
            is_said(label, made[sent[label.file].delivery_id]),
        )
        for label in labels
    ]


def report(verdicts: Sequence[Verdict]) -> bool:
    """Prints the tables and the disagreements; returns whether precision and recall suffice."""
    print(ROW.format("", "edges", "found", "recall", "95 %", "none", "wrong", "precis.", "95 %"))
    _row("all", verdicts)
    for name in (_provider, _type):
        print()
        for value, group in groupby(sorted(verdicts, key=name), name):
            _row(value, list(group))
    silent = [verdict for verdict in verdicts if not verdict.counts]
    print(f"\nnot counted, in deliveries that are not kept: {len(silent)} labels")
    differ = disagreements(verdicts)
    print(f"disagreements: {len(differ)}")
    for verdict in differ:
        label = verdict.label
        what = "not made" if verdict.wanted else "wrongly made"
        where = "" if verdict.delivered else " (not delivered)"
        print(f"  {what}{where}: {label.file} {label.subject} {label.type} {label.object}")
        print(f"    label: {label.kind}, {label.why}")
    total = figures(verdicts)
    return total.precision >= WANTED and total.recall >= WANTED


def _provider(verdict: Verdict) -> str:
    return verdict.provider


def _type(verdict: Verdict) -> str:
    return verdict.label.type


def _row(name: str, verdicts: Sequence[Verdict]) -> None:
    counts = figures(verdicts)
    edges, made = counts.found + counts.missed, counts.found + counts.wrong
    low, high = wilson(counts.found, edges)
    least, most = wilson(counts.found, made)
    print(
        ROW.format(
            name,
            edges,
            counts.found,
            f"{counts.recall:.4f}" if edges else "-",
            f"{low:.4f}-{high:.4f}" if edges else "-",
            counts.wrong + counts.avoided,
            counts.wrong,
            f"{counts.precision:.4f}" if made else "-",
            f"{least:.4f}-{most:.4f}" if made else "-",
        )
    )


@dataclass(frozen=True, slots=True)
class Judged:
    """A labelled delivery and the verdicts on its labels."""

    sent: Sent
    verdicts: Sequence[Verdict]


def judge_all(
    shared: Path, *, only_labelled: bool = False, say: Callable[[str], None] = print
) -> list[Judged]:
    """Captures everything recorded in databases of this run, and judges each labelled delivery."""
    gold = read_labels()
    files = {label.file for label in gold}
    everything = list(deliveries(shared))
    sent = {delivery.file: delivery for delivery in everything if delivery.file in files}
    if (shared / "corpus").exists():
        for file in sorted(files - sent.keys() - refused_at_the_door()):
            say(f"no such delivery: {file}")
    ids = repository_ids(sent.values())
    labels = with_ids([label for label in gold if label.file in sent], ids)
    verdicts: dict[str, list[Verdict]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="lightfast-bench-") as folder:
        server = EmbeddedPostgres(Path(folder) / "home", idle_seconds=5)
        with server.acquire() as lease:
            for number, group in enumerate(sorted({delivery.group for delivery in everything})):
                name = f"bench_{number}"
                with Database(lease=lease).connect("migrator", autocommit=True) as conn:
                    conn.execute(f"CREATE DATABASE {name}")
                database = Database(lease=lease, name=name)
                database.migrate()
                chosen = [
                    delivery
                    for delivery in everything
                    if delivery.group == group and (not only_labelled or delivery.file in files)
                ]
                with database.connect() as conn:
                    fill(conn, chosen)
                    capture_all(conn)
                    of_group = [label for label in labels if sent[label.file].group == group]
                    for verdict in judge(conn, of_group, sent, ids):
                        verdicts[verdict.label.file].append(verdict)
                say(f"{group}: {len(chosen):,} deliveries")
    return [Judged(sent[file], of_delivery) for file, of_delivery in sorted(verdicts.items())]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.references", description=__doc__)
    parser.add_argument("--shared", type=Path, default=SHARED, help="folder of corpus and payloads")
    parser.add_argument(
        "--labelled", action="store_true", help="only the labelled deliveries: quicker, more stubs"
    )
    arguments = parser.parse_args()
    verdicts = [
        verdict
        for judged in judge_all(arguments.shared, only_labelled=arguments.labelled)
        for verdict in judged.verdicts
    ]
    print()
    if not report(verdicts):
        sys.exit(1)


if __name__ == "__main__":
    main()
