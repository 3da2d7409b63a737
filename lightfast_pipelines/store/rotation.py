"""Reseals all secrets and credentials under the first key, so that older keys can be removed.

They can be read and renewed meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from lightfast_pipelines.store import installations, tokens
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.sealed import Keys, Sealed, SealedError

BATCH = 100
"""Rows sealed in one transaction; none is locked for longer than that takes."""


@dataclass(frozen=True, slots=True)
class KeyCount:
    """How much is sealed with a key."""

    key_id: str
    credentials: int
    secrets: int


@dataclass(slots=True)
class Rotation:
    """What a rotation did. A row that cannot be opened stays as it is."""

    sealed: int = 0
    problems: list[str] = field(default_factory=list)


class _Kind(Protocol):
    table: str
    columns: str

    def reseal(self, keys: Keys, row: tuple[Any, ...]) -> dict[str, str | None]: ...


class _Secrets:
    table = "lightfast.installation_secrets"
    columns = "sealed"

    def reseal(self, keys: Keys, row: tuple[Any, ...]) -> dict[str, str | None]:
        _, installation, key_id, text = row
        bound_to = installations.identity(installation)
        return {"sealed": keys.seal(keys.open(Sealed(key_id, text), bound_to), bound_to).text}


class _Credentials:
    table = "lightfast.tokens"
    columns = "access_token, refresh_token"

    def reseal(self, keys: Keys, row: tuple[Any, ...]) -> dict[str, str | None]:
        _, installation, key_id, access, refresh = row
        resealed: dict[str, str | None] = {}
        pairs: tuple[tuple[tokens.Column, str | None], ...] = (
            ("access_token", access),
            ("refresh_token", refresh),
        )
        for column, text in pairs:
            token = tokens.opened(keys, key_id, text, installation, column)
            resealed[column] = tokens.sealed(keys, installation, column, token)
        return resealed


_KINDS: tuple[_Kind, ...] = (_Credentials(), _Secrets())


def count_by_key(conn: Connection) -> list[KeyCount]:
    """How much each key seals, most first."""
    rows = conn.execute(
        """
        SELECT key_id, sum(credentials)::int, sum(secrets)::int FROM (
          SELECT key_id, 1 AS credentials, 0 AS secrets FROM lightfast.tokens
          UNION ALL SELECT key_id, 0, 1 FROM lightfast.installation_secrets
        ) AS every GROUP BY key_id ORDER BY count(*) DESC, key_id
        """
    )
    return [KeyCount(*row) for row in rows]


def to_rotate(conn: Connection, keys: Keys) -> int:
    """How many are sealed with a key other than the first."""
    return sum(
        count.credentials + count.secrets
        for count in count_by_key(conn)
        if count.key_id != keys.first_id
    )


def rotate(
    conn: Connection,
    keys: Keys,
    *,
    on_rows: Callable[[int], None] = lambda _: None,
    batch: int = BATCH,
) -> Rotation:
    """Seals everything under the first key, batch by batch; each batch is committed.

    Rows that are being written are skipped at first and waited for at the end. An interrupted rotation
    is continued by the next one. All keys that seal something must be live.
    """
    done = Rotation()
    for kind in _KINDS:
        broken: dict[int, str] = {}
        for skip in (True, False):
            for count in _batches(conn, keys, kind, broken, skip=skip, batch=batch):
                done.sealed += count
                on_rows(count)
        done.problems += broken.values()
    return done


def _batches(
    conn: Connection, keys: Keys, kind: _Kind, broken: dict[int, str], *, skip: bool, batch: int
) -> Iterator[int]:
    after = 0
    while True:
        rows = conn.execute(
            f"""
            SELECT id, installation_id, key_id, {kind.columns} FROM {kind.table}
            WHERE key_id <> %s AND id > %s ORDER BY id LIMIT %s
            FOR UPDATE {"SKIP LOCKED" if skip else ""}
            """,
            (keys.first_id, after, batch),
        ).fetchall()
        if not rows:
            conn.rollback()
            return
        count = 0
        for row in rows:
            after = row[0]
            try:
                values = kind.reseal(keys, row)
            except SealedError as error:
                broken[row[0]] = f"{kind.table.partition('.')[2]} of installation {row[1]}: {error}"
                continue
            columns = ", ".join(f"{name} = %({name})s" for name in values)
            conn.execute(
                f"UPDATE {kind.table} SET {columns}, key_id = %(key)s WHERE id = %(id)s",
                {**values, "key": keys.first_id, "id": row[0]},
            )
            count += 1
        conn.commit()
        yield count
