"""Documents and their parts: what is stored of an integration, and what a look at its repository changes.

`documents/look.py` decides what is written. Each function works in the caller's transaction.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

from lightfast_pipelines.domain.document_chunks import Chunk
from lightfast_pipelines.store.database import Connection

ConfigStatus = Literal["ok", "invalid", "absent"]


class StoredVersion(NamedTuple):
    """What a stored document was made of."""

    blob_sha: str
    commit_sha: str
    model: str
    rule_version: int


@dataclass(frozen=True, slots=True)
class IntegrationDocuments:
    """What an integration's documents were chosen by, and the commit that they agree with."""

    settings: Any
    """`sync_config.documents`; None: the repository's own file counts."""
    commit_sha: str | None
    asked: Any


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """A file as a commit has it; `skipped` says why it has no parts."""

    path: str
    title: str
    url: str | None
    commit_sha: str
    commit_key: str
    blob_sha: str
    changed_at: datetime
    changed_by: str | None
    size: int
    skipped: str | None = None


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A row of `documents` for people."""

    repository: str
    path: str
    title: str
    url: str | None
    commit_sha: str
    changed_at: datetime
    changed_by: str | None
    size: int
    chunk_count: int
    skipped: str | None


class UnlinkedError(Exception):
    """The integration was removed meanwhile."""


def hold_integration(conn: Connection, integration_id: int) -> None:
    """Keeps others from removing the integration or its workspace until this transaction ends.

    Raises UnlinkedError if it is gone. The workspace comes first, as for whoever removes one.
    """
    conn.execute(
        """
        SELECT FROM lightfast.workspaces WHERE id = (
          SELECT workspace_id FROM lightfast.integrations WHERE id = %s) FOR KEY SHARE
        """,
        (integration_id,),
    )
    found = conn.execute(
        "SELECT is_active FROM lightfast.integrations WHERE id = %s FOR NO KEY UPDATE",
        (integration_id,),
    ).fetchone()
    if found is None or not found[0]:
        raise UnlinkedError("it was paused or removed meanwhile")


def documents_of(conn: Connection, integration_id: int) -> IntegrationDocuments:
    """Raises UnlinkedError."""
    row = conn.execute(
        """
        SELECT sync_config -> 'documents', documents_commit, documents_asked
        FROM lightfast.integrations WHERE id = %s
        """,
        (integration_id,),
    ).fetchone()
    if row is None:
        raise UnlinkedError("it was removed meanwhile")
    return IntegrationDocuments(*row)


def stored_versions(conn: Connection, integration_id: int) -> dict[str, StoredVersion]:
    """Path -> what its document was made of."""
    rows = conn.execute(
        """
        SELECT path, blob_sha, commit_sha, model, rule_version
        FROM lightfast.documents WHERE integration_id = %s
        """,
        (integration_id,),
    )
    return {path: StoredVersion(*version) for path, *version in rows}


def list_documents(conn: Connection, workspace_id: int, most: int) -> list[StoredDocument]:
    """The workspace's documents, those that changed last first."""
    rows = conn.execute(
        """
        SELECT repository, path, title, url, commit_sha, changed_at, changed_by, size, chunk_count,
               skipped
        FROM lightfast.documents WHERE workspace_id = %s
        ORDER BY changed_at DESC, repository, path LIMIT %s
        """,
        (workspace_id, most),
    )
    return [StoredDocument(*row) for row in rows]


def write_document(
    conn: Connection,
    integration_id: int,
    repository: str,
    document: DocumentRow,
    chunks: Sequence[tuple[Chunk, str]],
    *,
    model: str,
    rule_version: int,
) -> None:
    """Writes a version of a document in place of the former one; each part comes with its vector, as
    Postgres reads it."""
    row = conn.execute(
        """
        INSERT INTO lightfast.documents AS d
          (workspace_id, integration_id, repository, path, title, url, commit_sha, commit_key, blob_sha,
           changed_at, changed_by, size, chunk_count, skipped, model, rule_version)
        SELECT i.workspace_id, i.id, %(repository)s, %(path)s, %(title)s, %(url)s, %(commit)s,
               %(commit_key)s, %(blob)s, %(changed_at)s, %(changed_by)s, %(size)s, %(chunks)s,
               %(skipped)s, %(model)s, %(rules)s
        FROM lightfast.integrations i WHERE i.id = %(integration)s
        ON CONFLICT (integration_id, path) DO UPDATE SET
          repository = excluded.repository, title = excluded.title, url = excluded.url,
          commit_sha = excluded.commit_sha, commit_key = excluded.commit_key,
          blob_sha = excluded.blob_sha, changed_at = excluded.changed_at,
          changed_by = excluded.changed_by, size = excluded.size, chunk_count = excluded.chunk_count,
          skipped = excluded.skipped, model = excluded.model, rule_version = excluded.rule_version,
          fetched_at = now()
        RETURNING d.id, d.workspace_id
        """,
        {
            "integration": integration_id,
            "repository": repository,
            "path": document.path,
            "title": document.title,
            "url": document.url,
            "commit": document.commit_sha,
            "commit_key": document.commit_key,
            "blob": document.blob_sha,
            "changed_at": document.changed_at,
            "changed_by": document.changed_by,
            "size": document.size,
            "chunks": len(chunks),
            "skipped": document.skipped,
            "model": model,
            "rules": rule_version,
        },
    ).fetchone()
    assert row is not None
    conn.execute("DELETE FROM lightfast.document_chunks WHERE document_id = %s", (row[0],))
    with conn.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO lightfast.document_chunks
              (document_id, position, workspace_id, heading_path, text, first_line, last_line, tokens,
               model, vector)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s::halfvec)
            """,
            [
                (
                    row[0],
                    position,
                    row[1],
                    list(chunk.heading_path),
                    chunk.text,
                    chunk.first_line,
                    chunk.last_line,
                    chunk.tokens,
                    model,
                    vector,
                )
                for position, (chunk, vector) in enumerate(chunks)
            ],
        )


def date_document(
    conn: Connection, integration_id: int, repository: str, document: DocumentRow
) -> None:
    """Updates the commit that dates a document whose content is unchanged."""
    conn.execute(
        """
        UPDATE lightfast.documents SET repository = %s, url = %s, commit_sha = %s, commit_key = %s,
          changed_at = %s, changed_by = %s
        WHERE integration_id = %s AND path = %s
        """,
        (
            repository,
            document.url,
            document.commit_sha,
            document.commit_key,
            document.changed_at,
            document.changed_by,
            integration_id,
            document.path,
        ),
    )


def delete_others(conn: Connection, integration_id: int, kept: Collection[str]) -> int:
    """Deletes the documents whose files are gone or no longer named; returns how many."""
    deleted = conn.execute(
        "DELETE FROM lightfast.documents WHERE integration_id = %s AND NOT path = ANY(%s)",
        (integration_id, sorted(kept)),
    )
    return deleted.rowcount


def note_config(
    conn: Connection, integration_id: int, status: ConfigStatus, message: str, now: datetime
) -> None:
    """Records what names the documents, or what is wrong with it."""
    conn.execute(
        """
        UPDATE lightfast.integrations SET config_status = %s, config_message = %s,
          last_config_check = %s
        WHERE id = %s
        """,
        (status, message, now, integration_id),
    )


def note_documents(
    conn: Connection, integration_id: int, commit_sha: str | None, asked: Mapping[str, Any] | None
) -> None:
    """Records the commit that the documents agree with, what chose them, and how many there are."""
    conn.execute(
        """
        UPDATE lightfast.integrations i SET documents_commit = %(commit)s, documents_asked = %(asked)s,
          document_count = (SELECT count(*) FROM lightfast.documents d
                            WHERE d.integration_id = i.id AND d.skipped IS NULL)
        WHERE i.id = %(id)s
        """,
        {
            "commit": commit_sha,
            "asked": None if asked is None else json.dumps(dict(asked), sort_keys=True),
            "id": integration_id,
        },
    )


def rename_repository(conn: Connection, integration_id: int, name: str) -> None:
    """Gives the documents the repository's current name."""
    conn.execute(
        """
        UPDATE lightfast.documents SET repository = %(name)s,
          url = replace(url, '/' || repository || '/blob/', '/' || %(name)s || '/blob/')
        WHERE integration_id = %(id)s AND repository <> %(name)s
        """,
        {"name": name, "id": integration_id},
    )
