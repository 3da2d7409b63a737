"""Serves the receiver's counts to Prometheus, on an address of its own: the public one never shows them.

`GET /metrics` there answers for all workers together.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from webhook_receiver.logs import error_type
from webhook_receiver.metrics import OUTCOMES, ROWS, SECONDS, Cells, Layout

if TYPE_CHECKING:
    from prometheus_client import Metric
    from prometheus_client.metrics_core import HistogramMetricFamily

log = logging.getLogger(__name__)


def serve_metrics(host: str, port: int, layout: Layout, workers: Sequence[Cells]) -> None:
    """Serves from a thread. Deliveries are received even if this address is taken."""

    def serve() -> None:
        # Imported here, because it takes as long as all of the receiver's own modules.
        from prometheus_client import CollectorRegistry, start_http_server
        from prometheus_client.registry import Collector

        class Workers(Collector):
            def collect(self) -> Iterator[Metric]:
                return families(layout, workers)

        registry = CollectorRegistry()
        registry.register(Workers())
        try:
            start_http_server(port, host, registry)
        except OSError as error:
            log.warning("no metrics", extra={"fields": {"port": port, "error": error_type(error)}})

    threading.Thread(target=serve, name="metrics", daemon=True).start()


def families(layout: Layout, workers: Sequence[Cells]) -> Iterator[Metric]:
    """The sums over all workers."""
    from prometheus_client.metrics_core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
    )

    cells = [sum(values) for values in zip(*workers, strict=True)]
    prefix = "lightfast_receiver_"

    outcomes = CounterMetricFamily(
        f"{prefix}deliveries",
        "Requests to the webhooks, by provider and outcome.",
        labels=("provider", "outcome"),
    )
    sizes = CounterMetricFamily(
        f"{prefix}body_bytes", "Bytes of their bodies.", labels=("provider",)
    )
    seconds = HistogramMetricFamily(
        f"{prefix}answer_seconds",
        "Seconds from a request's first byte to its answer.",
        labels=("provider",),
    )
    for provider in layout.providers:
        for number, outcome in enumerate(OUTCOMES):
            outcomes.add_metric((provider, outcome), cells[layout.outcomes[provider] + number])
        sizes.add_metric((provider,), cells[layout.body_bytes[provider]])
        _add_histogram(seconds, (provider,), layout.answer_seconds[provider], SECONDS, cells)
    yield from (outcomes, sizes, seconds)

    refusals = CounterMetricFamily(
        f"{prefix}refusals",
        "Requests that were not answered with 200, at the gate or behind it.",
        labels=("kind",),
    )
    for kind in layout.kinds:
        refusals.add_metric((kind,), cells[layout.refusals[kind]])
    yield refusals

    rows = HistogramMetricFamily(f"{prefix}commit_deliveries", "Deliveries that share a commit.")
    _add_histogram(rows, (), layout.commit_rows, ROWS, cells)
    commits = HistogramMetricFamily(f"{prefix}commit_seconds", "Seconds of a commit.")
    _add_histogram(commits, (), layout.commit_seconds, SECONDS, cells)
    yield from (rows, commits)
    yield CounterMetricFamily(
        f"{prefix}failed_commits",
        "Commits that the database refused, or did not confirm.",
        cells[layout.failed_commits],
    )
    for name, position, text in (
        ("connections", layout.connections, "Open connections of clients."),
        ("inflight_bytes", layout.inflight_bytes, "Bytes of bodies that are held now."),
        ("connected_workers", layout.database, "Workers that are connected to the database."),
    ):
        yield GaugeMetricFamily(f"{prefix}{name}", text, cells[position])
    yield GaugeMetricFamily(f"{prefix}workers", "Processes that receive.", len(workers))


def _add_histogram(
    family: HistogramMetricFamily,
    labels: Sequence[str],
    start: int,
    bounds: Sequence[float],
    cells: Sequence[float],
) -> None:
    buckets: list[tuple[str, float]] = []
    below = 0.0
    for number, bound in enumerate((*bounds, float("inf"))):
        below += cells[start + number]
        buckets.append(("+Inf" if bound == float("inf") else str(bound), below))
    family.add_metric(labels, buckets, cells[start + len(bounds) + 1])
