"""Batches of questions at a provider, from just before they are submitted until their results are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.model_answers import ContentKey


@dataclass(frozen=True, slots=True)
class OpenBatch:
    """A row of `model_batches`. Without a `batch_id` it may or may not have been submitted."""

    id: int
    model: str
    prompt_version: int
    batch_id: str | None
    day: date
    reserved_tokens: int
    requests: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class BatchedContent:
    """A content in a request, and an observation that has it, if there still is one."""

    key: ContentKey
    observation_id: int | None


_BATCH = """
SELECT id, model, prompt_version, batch_id, day, reserved_tokens, requests, created_at
FROM lightfast.model_batches
"""


def open_batches(conn: Connection, provider: str, purpose: str) -> list[OpenBatch]:
    """The batches whose results have not been read, the oldest first."""
    rows = conn.execute(
        f"{_BATCH} WHERE provider = %s AND purpose = %s ORDER BY id", (provider, purpose)
    )
    return [OpenBatch(*row) for row in rows]


def add_batch(  # noqa: PLR0913 - one column each
    conn: Connection,
    *,
    provider: str,
    model: str,
    purpose: str,
    prompt_version: int,
    day: date,
    reserved_tokens: int,
    requests: Mapping[str, Sequence[BatchedContent]],
    now: datetime,
) -> OpenBatch:
    """Notes a batch that is about to be submitted, with its requests by custom id. The caller commits."""
    row = conn.execute(
        """
        INSERT INTO lightfast.model_batches
          (provider, model, purpose, prompt_version, day, reserved_tokens, requests, created_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
        RETURNING id
        """,
        (provider, model, purpose, prompt_version, day, reserved_tokens, len(requests), now),
    ).fetchone()
    assert row is not None
    contents = [
        (custom_id, position, content)
        for custom_id, group in requests.items()
        for position, content in enumerate(group)
    ]
    conn.execute(
        """
        INSERT INTO lightfast.model_batch_questions
          (batch, custom_id, position, workspace_id, content_hash, observation_id)
        SELECT %s, q.custom_id, q.position, w.id, q.content_hash, o.id
        FROM unnest(%s::text[], %s::int[], %s::bigint[], %s::text[], %s::bigint[])
          AS q (custom_id, position, workspace_id, content_hash, observation_id)
        JOIN lightfast.workspaces w ON w.id = q.workspace_id
        LEFT JOIN lightfast.observations o ON o.id = q.observation_id
        """,
        (
            row[0],
            [custom_id for custom_id, _, _ in contents],
            [position for _, position, _ in contents],
            [content.key[0] for _, _, content in contents],
            [content.key[1] for _, _, content in contents],
            [content.observation_id for _, _, content in contents],
        ),
    )
    return OpenBatch(row[0], model, prompt_version, None, day, reserved_tokens, len(requests), now)


def name_batch(conn: Connection, batch: OpenBatch, batch_id: str) -> None:
    """Notes the provider's id of a batch. The caller commits."""
    conn.execute(
        "UPDATE lightfast.model_batches SET batch_id = %s WHERE id = %s", (batch_id, batch.id)
    )


def batched_contents(conn: Connection, batch: OpenBatch) -> dict[str, dict[int, BatchedContent]]:
    """Custom id -> place -> content. Those of workspaces that were removed are missing."""
    rows = conn.execute(
        """
        SELECT custom_id, position, workspace_id, content_hash, observation_id
        FROM lightfast.model_batch_questions WHERE batch = %s
        """,
        (batch.id,),
    )
    contents: dict[str, dict[int, BatchedContent]] = {}
    for custom_id, position, workspace, content_hash, observation in rows:
        contents.setdefault(custom_id, {})[position] = BatchedContent(
            (workspace, content_hash), observation
        )
    return contents


def remove_batch(conn: Connection, batch: OpenBatch) -> None:
    """Forgets a batch: what it asked and got no answer may be asked again. The caller commits."""
    conn.execute("DELETE FROM lightfast.model_batches WHERE id = %s", (batch.id,))


def count_batched(conn: Connection) -> int:
    """Contents that open batches ask about."""
    row = conn.execute("SELECT count(*) FROM lightfast.model_batch_questions").fetchone()
    return int(row[0]) if row else 0
