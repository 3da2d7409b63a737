"""Finding lost deliveries and deleted entities."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Integer, Table, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from lightfast_pipelines.store.tables.columns import (
    EMPTY_OBJECT,
    NOW,
    TIME,
    ZERO,
    column,
    metadata,
    reference,
    serial_id,
)

delivery_checks = Table(
    "delivery_checks",
    metadata,
    reference("installation_id", "installations.id", "Installation.", primary_key=True),
    column(
        "log", Text, "The provider's log: the app's, or the address of a hook.", primary_key=True
    ),
    column(
        "checked_until", TIME, "Deliveries before this moment are accounted for.", nullable=True
    ),
    column("checked_at", TIME, "When the log was last read.", nullable=True),
    column("error", Text, "Why it could not be read, for an operator.", nullable=True),
    comment="How far a provider's delivery log was compared with the deliveries received.",
)

outages = Table(
    "outages",
    metadata,
    serial_id(),
    reference("installation_id", "installations.id", "Installation.", index=True),
    column("log", Text, "The delivery log in which they were missed."),
    column("down_from", TIME, "First delivery that never arrived."),
    column("down_until", TIME, "Last delivery that never arrived."),
    column("missed", Integer, "Deliveries that never arrived."),
    column("redelivered", Integer, "Of these, sent again on request.", server_default=ZERO),
    column("by_api", Integer, "Of these, read from the log or the API.", server_default=ZERO),
    column("recovered", Integer, "Of these, stored by now.", server_default=ZERO),
    column("deliveries", ARRAY(Text), "Ids of the deliveries still missing."),
    column("found_at", TIME, "When it was found.", server_default=NOW),
    column("updated_at", TIME, "When the row last changed.", server_default=NOW),
    UniqueConstraint("installation_id", "log", "down_from"),
    comment="A time in which deliveries were lost, and how many were recovered.",
)

id_sweeps = Table(
    "id_sweeps",
    metadata,
    reference(
        "integration_id", "integrations.id", "Integration whose resource it is.", primary_key=True
    ),
    column("entity_type", Text, "issue, comment, deployment, ...", primary_key=True),
    column("cursor", JSONB, "Position of the sweep under way.", nullable=True),
    column("seen", JSONB, "What the sweep under way has seen so far.", nullable=True),
    column("started_at", TIME, "When the sweep under way began.", nullable=True),
    column("finished_at", TIME, "When the latest complete sweep ended.", nullable=True),
    column("requests", BigInteger, "Requests of all sweeps so far.", server_default=ZERO),
    column(
        "found", BigInteger, "Entities found deleted in all sweeps so far.", server_default=ZERO
    ),
    column("is_active", Boolean, "Whether it is swept.", server_default=text("true")),
    column("hour_from", TIME, "Start of the hour whose share is counted.", nullable=True),
    column(
        "hour_spent",
        JSONB,
        "What the sweep used in that hour, per rate limit.",
        server_default=EMPTY_OBJECT,
    ),
    column("error", Text, "Why the sweep failed, for an operator.", nullable=True),
    comment="How far a resource was swept for deleted entities of one type.",
)
