"""How good the memory was found to be, whenever that was measured."""

from __future__ import annotations

from sqlalchemy import Double, Table, Text

from lightfast_pipelines.store.tables.columns import TIME, column, metadata

quality_results = Table(
    "quality_results",
    metadata,
    column("measured_at", TIME, "When the measurement began.", primary_key=True),
    column("subject", Text, "people, clusters, classes, links or time zones.", primary_key=True),
    column("data", Text, "Which data it was measured on.", primary_key=True),
    column("name", Text, "Which figure: precision, F1, ...", primary_key=True),
    column(
        "baseline_name",
        Text,
        "The simple rule that it is compared with; empty if there is none.",
        primary_key=True,
    ),
    column("code_version", Text, "The commit or the version of the code that was measured."),
    column("value", Double, "The figure on all data."),
    column("low", Double, "Lower bound of the figure's 95 % interval."),
    column("high", Double, "Upper bound of the figure's 95 % interval."),
    column("baseline", Double, "The same figure of the simple rule.", nullable=True),
    column("baseline_low", Double, "Lower bound of the simple rule's figure.", nullable=True),
    column("baseline_high", Double, "Upper bound of the simple rule's figure.", nullable=True),
    column("floor", Double, "The least value that is acceptable.", nullable=True),
    column("reach", Double, "The value to be reached.", nullable=True),
    column("note", Text, "What else belongs to the figure."),
    comment="A measured figure of the memory's quality, beside a simple rule's: an input, never derived.",
)
