"""Writes observations, and which payloads state them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec

from lightfast_pipelines.capture.facts import Fact
from lightfast_pipelines.capture.statements import FactKey
from lightfast_pipelines.capture.writers.actor_identities import IdentityKey
from lightfast_pipelines.capture.writers.rows import columns_of, delete_rows
from lightfast_pipelines.domain.events import Account
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.staging import array_of, stage

_COLUMNS = (
    "external_id",
    "workspace_id",
    "source_id",
    "source",
    "source_type",
    "observation_type",
    "subject_key",
    "occurred_at",
    "recorded_at",
    "ingestion_source",
    "actor_identity_id",
    "author_identity_id",
    "title",
    "content",
    "category",
    "topics",
    "significance_score",
    "significance_factors",
    "references",
    "metadata",
    "rule_version",
    "series_key",
    "part_key",
    "written_at",
    "question_hash",
)
_QUOTED = ", ".join(f'"{column}"' for column in _COLUMNS)
_VALUES = [f'"{column}"' for column in _COLUMNS[3:]]
_UPSERT = f"""
INSERT INTO lightfast.observation_facts AS o ({_QUOTED}) SELECT {_QUOTED} FROM {{staged}}
ORDER BY workspace_id, source_id
ON CONFLICT (workspace_id, source_id) DO UPDATE
SET ({", ".join(_VALUES)}) = ({", ".join(f"excluded.{name}" for name in _VALUES)})
WHERE ({", ".join(f"o.{name}" for name in _VALUES)})
  IS DISTINCT FROM ({", ".join(f"excluded.{name}" for name in _VALUES)})
RETURNING workspace_id, source_id, id
"""
_UNCHANGED = """
SELECT o.workspace_id, o.source_id, o.id
FROM unnest(%s::bigint[], %s::text[]) AS k (workspace_id, source_id)
JOIN lightfast.observation_facts o USING (workspace_id, source_id)
"""
_SOURCE_KEY = {"observation_id": "bigint", "raw_payload_id": "bigint"}
_json = msgspec.json.Encoder(enc_hook=str, order="deterministic")


def write_observations(
    conn: Connection, facts: Sequence[Fact], identities: Mapping[IdentityKey, int]
) -> dict[FactKey, int]:
    """Writes the facts that are new or differ, and returns the ids of all.

    If a text changed, a trigger deletes its vectors.
    """
    if not facts:
        return {}
    staged = stage(conn, "observation_facts", _COLUMNS, (_row(fact, identities) for fact in facts))
    ids = {
        (workspace, source_id): observation
        for workspace, source_id, observation in conn.execute(_UPSERT.format(staged=staged))
    }
    keys = [(fact.workspace.id, fact.statement.source_id) for fact in facts]
    if unchanged := [key for key in keys if key not in ids]:
        rows = conn.execute(_UNCHANGED, columns_of(unchanged)).fetchall()
        ids.update(
            ((workspace, source_id), observation) for workspace, source_id, observation in rows
        )
    return ids


def _row(fact: Fact, identities: Mapping[IdentityKey, int]) -> tuple[object, ...]:
    statement, enriched = fact.statement, fact.enriched

    def identity(account: Account | None) -> int | None:
        if account is None:
            return None
        return identities[fact.workspace.org_id, account.source, account.source_id]

    references = [
        {"type": ref.type, "id": ref.id, "url": ref.url, "label": ref.label}
        for ref in statement.references
    ]
    return (
        fact.external_id,
        fact.workspace.id,
        statement.source_id,
        statement.source,
        statement.source_type,
        enriched.observation_type,
        statement.subject.key,
        statement.occurred_at,
        fact.recorded_at,
        fact.ingestion_source,
        identity(statement.actor),
        identity(statement.author),
        statement.title,
        statement.content,
        enriched.category,
        array_of(enriched.topics),
        enriched.significance_score,
        array_of(enriched.significance_factors),
        _json.encode(references).decode(),
        _json.encode(dict(statement.metadata)).decode(),
        fact.rule_version,
        statement.occurrence.series
        if statement.occurrence and not statement.occurrence.restart
        else None,
        statement.part,
        statement.written_at,
        fact.question_hash,
    )


def write_sources(conn: Connection, sources: Mapping[int, Sequence[int]]) -> None:
    """Replaces the payloads (raw ids) that state each observation."""
    if not sources:
        return
    pairs = [(observation, raw_id) for observation, ids in sources.items() for raw_id in ids]
    conn.execute(
        """
        DELETE FROM lightfast.observation_sources s WHERE s.observation_id = ANY(%s)
          AND NOT EXISTS (
            SELECT FROM unnest(%s::bigint[], %s::bigint[]) AS k (observation_id, raw_payload_id)
            WHERE k.observation_id = s.observation_id AND k.raw_payload_id = s.raw_payload_id)
        """,
        (list(sources), [observation for observation, _ in pairs], [raw_id for _, raw_id in pairs]),
    )
    _add_sources(conn, pairs)


def change_sources(
    conn: Connection, *, added: Collection[tuple[int, int]], removed: Collection[tuple[int, int]]
) -> None:
    """Adds and removes single (observation, raw id) pairs, for observations with too many to replace."""
    delete_rows(conn, "observation_sources", _SOURCE_KEY, removed)
    _add_sources(conn, added)


def _add_sources(conn: Connection, sources: Collection[tuple[int, int]]) -> None:
    if sources:
        conn.execute(
            """
            INSERT INTO lightfast.observation_sources (observation_id, raw_payload_id)
            SELECT * FROM unnest(%s::bigint[], %s::bigint[]) ON CONFLICT DO NOTHING
            """,
            columns_of(sorted(sources)),
        )


def hold_members(conn: Connection, observations: Sequence[int]) -> None:
    """Locks the memberships of these observations until the transaction ends, in the order of their ids.

    Consolidation changes members and then looks at their observations: in the same order, nobody waits for
    ever.
    """
    conn.execute(
        """
        SELECT FROM lightfast.cluster_members WHERE observation_id = ANY(%s)
        ORDER BY observation_id FOR UPDATE
        """,
        (list(observations),),
    )


def remove_observations(conn: Connection, observations: Sequence[int]) -> None:
    """Deletes observations that no payload states any more; their rows in other tables are gone already."""
    if observations:
        hold_members(conn, observations)
        conn.execute(
            "DELETE FROM lightfast.observation_facts WHERE id = ANY(%s)", (list(observations),)
        )
