"""The partitions definition that all partitioned assets share; with several, Dagster would split range
runs.

The day of a payload, its `partition_date`, is decided when it is stored. The first day is read at import,
so a long-lived process such as a code server has to reload its definitions after the day moved back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from lightfast_pipelines.settings import settings
from lightfast_pipelines.store.partition_start import first_day_of

# Without end_offset=1 today would become a partition only when it is over.
DAILY = dg.DailyPartitionsDefinition(
    start_date=first_day_of(settings()).isoformat(), timezone="UTC", end_offset=1
)


def first_day() -> date:
    """The earliest partition at the time when the definitions were loaded."""
    return DAILY.start.date()


def today() -> date:
    """The day of the newest partition."""
    return datetime.now(UTC).date()


def days_between(first: date, last: date) -> list[date]:
    """Every day from `first` to `last`, both included."""
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def days_of_tags(tags: Mapping[str, str]) -> list[date]:
    """The days of a run with these tags; none if it has no partition."""
    first = tags.get("dagster/asset_partition_range_start") or tags.get("dagster/partition")
    last = tags.get("dagster/asset_partition_range_end") or tags.get("dagster/partition")
    if not first or not last:
        return []
    return days_between(date.fromisoformat(first), date.fromisoformat(last))


def range_tags(days: Sequence[date]) -> dict[str, str]:
    """Tags of a run over the days from the first to the last of these."""
    return {
        "dagster/asset_partition_range_start": min(days).isoformat(),
        "dagster/asset_partition_range_end": max(days).isoformat(),
    }
