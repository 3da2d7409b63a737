"""How the running pipeline was, a day at a time, and which limits it went beyond."""

from __future__ import annotations

from sqlalchemy import Date, Double, Index, Table, Text, text

from lightfast_pipelines.store.tables.columns import TIME, column, metadata, serial_id

health_figures = Table(
    "health_figures",
    metadata,
    column("day", Date, "Day (UTC) on which it was measured.", primary_key=True),
    column("name", Text, "Which figure, such as event_log_day.", primary_key=True),
    column(
        "subject",
        Text,
        "The provider, stage, table or model that it is about; empty: the whole.",
        primary_key=True,
    ),
    column("value", Double, "The last value measured on that day: seconds, bytes or a count."),
    column("measured_at", TIME, "When that was."),
    comment="A figure of the running pipeline on a day: its lag, its load or its size.",
)

breaches = Table(
    "breaches",
    metadata,
    serial_id(),
    column("kind", Text, "Which figure of which subject."),
    column("what", Text, "What went beyond its limit, in words."),
    column("value", Double, "The value when it was first seen."),
    column("bound", Double, "The limit: the most, or the least of what must not run out."),
    column("opened_at", TIME, "When it was first seen."),
    column("closed_at", TIME, "When it was over; null: it is not.", nullable=True),
    Index("ux_breaches_open", "kind", unique=True, postgresql_where=text("closed_at IS NULL")),
    comment="A time in which a figure of the running pipeline was beyond its limit.",
)
