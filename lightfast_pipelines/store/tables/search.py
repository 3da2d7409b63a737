"""The words of observations, by which search finds them in the transaction that captures them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, Table
from sqlalchemy.dialects.postgresql import TSVECTOR

from lightfast_pipelines.store.tables.columns import (
    column,
    metadata,
    observation_id,
)

observation_words = Table(
    "observation_words",
    metadata,
    observation_id(),
    # Without a foreign key: the observation has one, and checking it would cost as much as the row.
    column("workspace_id", BigInteger, "Its workspace."),
    column(
        "words",
        TSVECTOR,
        "Stems of its title (weight A) and content, its identifiers as one word, and marks such as "
        "`@github` for filters; each begins with the workspace's number.",
    ),
    Index(
        "ix_observation_words_words",
        "words",
        postgresql_using="gin",
        # A search reads the whole pending list; the usual 4 MB would cost it more than the index.
        postgresql_with={"gin_pending_list_limit": 256},
    ),
    comment="The words of an observation that is not deleted. Triggers write them.",
)
