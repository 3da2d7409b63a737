"""Reads what the tables hold for a partition day: row counts, and some rows to show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from lightfast_pipelines.store.database import Connection

SHOWN_ROWS = 5
# Rows of a day with more deliveries are not counted, or each run for one webhook would count them all.
COUNTED_DELIVERIES = 20_000
# Years are read in pages of days, because a page keeps its observations' ids in a temporary table.
_PAGE_DAYS = 500


@dataclass(slots=True)
class DayRows:
    """Rows of a day by table, and some of its observations and clusters.

    `counts` includes `deliveries`; it is None for a day that has too many of them.
    """

    counts: dict[str, int] | None = field(default_factory=dict)
    observations: list[dict[str, object]] = field(default_factory=list)
    clusters: list[dict[str, object]] = field(default_factory=list)


_OF_DAY = """
  SELECT DISTINCT d.day, s.observation_id AS id
  FROM unnest(%(days)s::date[]) AS d (day)
  CROSS JOIN LATERAL (
    SELECT id FROM lightfast.raw_payloads WHERE partition_date = d.day LIMIT %(counted)s
  ) r
  JOIN lightfast.observation_sources s ON s.raw_payload_id = r.id
"""

_DELIVERIES = """
SELECT d.day, count(*) FROM unnest(%(days)s::date[]) AS d (day)
CROSS JOIN LATERAL (
  SELECT FROM lightfast.raw_payloads WHERE partition_date = d.day LIMIT %(counted)s + 1
) r
GROUP BY 1
"""

# Table -> the number of rows that the day's observations have in it.
_COUNTS = {
    "observations": "count(*)",
    "embeddings": "count(o.embedding_title_id)",
    "clusters": "count(DISTINCT o.cluster_id)",
    "clustered": "count(o.cluster_id)",
}
_JOINED_COUNTS = {
    "observation_entities": ("observation_entities t ON t.observation_id = d.id", "count(*)"),
    "entities": (
        "observation_entities t ON t.observation_id = d.id",
        "count(DISTINCT t.entity_id)",
    ),
    "relationships": (
        "relationship_sources t ON t.observation_id = d.id",
        "count(DISTINCT (t.subject_key, t.type, t.object_key))",
    ),
    "actor_identities": (
        "identity_mentions t ON t.observation_id = d.id",
        "count(DISTINCT t.identity_id)",
    ),
    "temporal_states": (
        "temporal_states t ON t.related_observation_id = d.id AND t.superseded_at IS NULL",
        "count(*)",
    ),
}

_OBSERVATIONS = """
SELECT day, title, source_type, occurred_at, category, significance_score, external_id FROM (
  SELECT d.day, o.*, row_number() OVER (
    PARTITION BY d.day ORDER BY o.significance_score DESC, o.occurred_at DESC, o.source_id
  ) AS place
  FROM of_day d JOIN lightfast.observations o ON o.id = d.id
) o WHERE place <= %(shown)s ORDER BY day, place
"""

_CLUSTERS = """
SELECT day, topic_label, keywords, observations, observation_count FROM (
  SELECT d.day, c.topic_label, c.keywords, count(*) AS observations, c.observation_count, row_number() OVER (
    PARTITION BY d.day ORDER BY count(*) DESC, c.observation_count DESC, c.id
  ) AS place
  FROM of_day d
  JOIN lightfast.observations o ON o.id = d.id
  JOIN lightfast.clusters c ON c.id = o.cluster_id
  GROUP BY d.day, c.id
) c WHERE place <= %(shown)s ORDER BY day, place
"""


def rows_of_days(conn: Connection, days: Sequence[date]) -> dict[date, DayRows]:
    """The rows of each of these days; a day without rows has an entry too."""
    by_day: dict[date, DayRows] = {}
    for start in range(0, len(days), _PAGE_DAYS):
        by_day.update(_page(conn, days[start : start + _PAGE_DAYS]))
    return by_day


def _page(conn: Connection, days: Sequence[date]) -> dict[date, DayRows]:
    by_day = {day: DayRows() for day in days}
    parameters: dict[str, object] = {
        "days": list(days),
        "counted": COUNTED_DELIVERIES,
        "shown": SHOWN_ROWS,
    }
    deliveries: dict[date, int] = dict(conn.execute(_DELIVERIES, parameters).fetchall())
    # A temporary table, because eight statements read it.
    conn.execute("DROP TABLE IF EXISTS pg_temp.of_day")
    conn.execute(f"CREATE TEMPORARY TABLE of_day AS {_OF_DAY}", parameters)
    counts = conn.execute(
        f"""
        SELECT d.day, {", ".join(_COUNTS.values())}
        FROM of_day d JOIN lightfast.observations o ON o.id = d.id GROUP BY d.day
        """
    ).fetchall()
    for day, *values in counts:
        _counts(by_day[day]).update(zip(_COUNTS, values, strict=True))
    for table, (join, counted) in _JOINED_COUNTS.items():
        rows = conn.execute(
            f"SELECT d.day, {counted} FROM of_day d JOIN lightfast.{join} GROUP BY d.day"
        ).fetchall()
        for day, count in rows:
            _counts(by_day[day])[table] = count
    for day, title, source_type, at, category, score, external_id in conn.execute(
        _OBSERVATIONS, parameters
    ):
        by_day[day].observations.append(
            {
                "title": title,
                "source_type": source_type,
                "occurred_at": at.isoformat(),
                "category": category,
                "significance_score": score,
                "external_id": external_id,
            }
        )
    for day, label, keywords, count, whole in conn.execute(_CLUSTERS, parameters):
        by_day[day].clusters.append(
            {
                "label": label,
                "keywords": ", ".join(keywords),
                "observations_of_day": count,
                "observations": whole,
            }
        )
    conn.execute("DROP TABLE pg_temp.of_day")
    for day, count in deliveries.items():
        if count > COUNTED_DELIVERIES:
            by_day[day].counts = None
        else:
            _counts(by_day[day])["deliveries"] = count
    return by_day


def _counts(rows: DayRows) -> dict[str, int]:
    assert rows.counts is not None, "set to None only at the end of a page"
    return rows.counts
