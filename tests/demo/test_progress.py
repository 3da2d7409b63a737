"""The demo's progress never exceeds its total."""

from __future__ import annotations

from lightfast_pipelines.cli.console import Meter
from lightfast_pipelines.demo.playing import DELIVERIES, DeliveryProgress


class Recorder(Meter):
    """Remembers each stage as [title, done, total]."""

    def __init__(self, total: int) -> None:
        self.stages: list[list[object]] = [["deliveries", 0, total]]

    def advance(self, count: int) -> None:
        self.stages[-1][1] = int(str(self.stages[-1][1])) + count

    def waits(self, reason: str) -> None:
        raise NotImplementedError

    def stage(self, title: str, total: int | None = None) -> None:
        self.stages.append([title, 0, total])

    def close(self) -> None:
        """Nothing is open."""


def test_vectors_and_clusters_are_counted_once_all_deliveries_are_captured() -> None:
    bar = Recorder(105)
    waits = {DELIVERIES: 105, "vectors": 0, "clusters": 0}
    counted = DeliveryProgress(bar, waits)
    for step in (
        {DELIVERIES: 40, "vectors": 70, "clusters": 70},
        {DELIVERIES: 0, "vectors": 100, "clusters": 100},
        {DELIVERIES: 0, "vectors": 0, "clusters": 60},
        {DELIVERIES: 0, "vectors": 0, "clusters": 0},
    ):
        counted.now(step)
    assert bar.stages == [["deliveries", 65, 105], ["vectors and clusters", 200, 200]]
