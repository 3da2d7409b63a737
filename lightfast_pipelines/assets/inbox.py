"""Deliveries, written by the receiver or from files. Dagster hears of them from the sensor."""

from __future__ import annotations

from lightfast_pipelines.assets._metadata import table_spec
from lightfast_pipelines.partitions import DAILY

raw_payloads = table_spec(
    "raw_payloads",
    kinds=frozenset({"postgres"}),
    description=(
        "One row: a verified delivery, insert-only, as the receiver or `lightfast ingest` stored it. "
        "The sensor `new_payloads` reports here what arrived, by day."
    ),
    partitions_def=DAILY,
)
