"""Deliveries from the receiver, from files and from the providers' history; a sensor reports them."""

from __future__ import annotations

from lightfast_pipelines.assets._metadata import NEW_WORK, table_spec
from lightfast_pipelines.partitions import DAILY

raw_payloads = table_spec(
    "raw_payloads",
    kinds=frozenset({"postgres"}),
    deps=["provider_history"],
    description=(
        "One row: a verified delivery, insert-only, as the receiver, `lightfast ingest` or "
        "`provider_history` stored it. "
        "The sensor `new_payloads` reports here what arrived, by day."
    ),
    partitions_def=DAILY,
    freshness_policy=NEW_WORK,
)
