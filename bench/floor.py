"""What no pipeline can avoid, measured beside it: decoding the bodies, embedding the texts, writing the rows.

Each is done alone in the database that a history was processed in, with the decoder, the embedder and the
tables that `process` uses. What compares them is in `bench/capture.py`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass

import psutil

from lightfast_pipelines.store.database import Connection

# The copies are made here, beside the tables themselves.
COPIES = "bench_copies"
_REFERENCES = re.compile(r"REFERENCES lightfast\.(\w+)\(")


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds by the clock, and of processors: of this process and the server."""

    seconds: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Floor:
    """What each part took."""

    decoding: Spent
    embedder: Spent
    rows: Spent

    @property
    def seconds(self) -> float:
        return self.decoding.seconds + self.embedder.seconds + self.rows.seconds

    @property
    def cpu(self) -> float:
        return self.decoding.cpu + self.embedder.cpu + self.rows.cpu


def decode_bodies(conn: Connection) -> Spent:
    """What it takes to decode every body with the decoder of capture, without any check."""
    import msgspec

    bodies = [row[0] for row in conn.execute("SELECT body FROM lightfast.raw_bodies")]
    decode = msgspec.json.Decoder().decode
    began, cpu_began = time.perf_counter(), time.process_time()
    for body in bodies:
        decode(body)
    return Spent(time.perf_counter() - began, time.process_time() - cpu_began)


def embed_texts(conn: Connection) -> Spent:
    """What it takes to embed the three views of every observation, once the model is loaded."""
    from lightfast_pipelines.domain.views import view_texts
    from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder

    rows = conn.execute("SELECT title, content FROM lightfast.observations").fetchall()
    texts = [text for title, content in rows for text in view_texts(title, content)]
    embedder = WordLlamaEmbedder()
    embedder.embed(["loads the model"])
    began, cpu_began = time.perf_counter(), time.process_time()
    embedder.embed(texts)
    return Spent(time.perf_counter() - began, time.process_time() - cpu_began)


def row_counts(conn: Connection) -> dict[str, int]:
    """The rows of each table; those of partitions are in their parent's."""
    tables = conn.execute(
        """
        SELECT relname FROM pg_class
        WHERE relnamespace = 'lightfast'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
        ORDER BY 1
        """
    ).fetchall()
    counts = {}
    for (table,) in tables:
        row = conn.execute(f"SELECT count(*) FROM lightfast.{table}").fetchone()
        counts[table] = row[0] if row else 0
    return counts


def written(before: Mapping[str, int], after: Mapping[str, int]) -> list[str]:
    """The tables that have more rows than before."""
    return [table for table, rows in after.items() if rows > before.get(table, 0)]


def copy_rows(owner: Connection, tables: list[str]) -> Spent:
    """What it takes to insert the rows of the tables into empty ones with the same defaults, constraints,
    foreign keys and indexes, and to commit. The copies stay until `drop_copies`."""
    owner.execute(f"CREATE SCHEMA {COPIES}")
    for table in tables:
        owner.execute(f"CREATE TABLE {COPIES}.{table} (LIKE lightfast.{table} INCLUDING ALL)")
    keys = owner.execute(
        """
        SELECT c.relname, quote_ident(k.conname), pg_get_constraintdef(k.oid)
        FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
        WHERE k.contype = 'f' AND c.relnamespace = 'lightfast'::regnamespace AND c.relname = ANY(%s)
        """,
        (tables,),
    ).fetchall()
    for table, name, definition in keys:
        # Rows refer to copies where there are some.
        own = _REFERENCES.sub(
            lambda found: f"REFERENCES {COPIES if found[1] in tables else 'lightfast'}.{found[1]}(",
            definition,
        )
        owner.execute(f"ALTER TABLE {COPIES}.{table} ADD CONSTRAINT {name} {own}")
    owner.commit()
    began, cpu_began = time.perf_counter(), server_seconds(owner)
    for table in _by_reference(
        tables, {(table, found) for table, _, text in keys for found in _REFERENCES.findall(text)}
    ):
        names = _columns(owner, table)
        owner.execute(
            f"INSERT INTO {COPIES}.{table} ({names}) SELECT {names} FROM lightfast.{table}"
        )
    owner.commit()
    return Spent(time.perf_counter() - began, server_seconds(owner) - cpu_began)


def _by_reference(tables: list[str], references: set[tuple[str, str]]) -> list[str]:
    """In an order in which each table follows those that it refers to."""
    ordered: list[str] = []
    while len(ordered) < len(tables):
        ready = [
            table
            for table in tables
            if table not in ordered
            and all(
                other in ordered or other not in tables or other == table
                for one, other in references
                if one == table
            )
        ]
        ordered += ready
    return ordered


def _columns(conn: Connection, table: str) -> str:
    rows = conn.execute(
        """
        SELECT quote_ident(attname) FROM pg_attribute
        WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
        ORDER BY attnum
        """,
        (f"lightfast.{table}",),
    )
    return ", ".join(name for (name,) in rows)


def bloat(owner: Connection, table: str) -> tuple[int, int]:
    """Bytes of a table, with what is stored out of line, and of its fresh copy."""
    row = owner.execute(
        "SELECT pg_table_size(%s::regclass), pg_table_size(%s::regclass)",
        (f"lightfast.{table}", f"{COPIES}.{table}"),
    ).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


def drop_copies(owner: Connection) -> None:
    owner.execute(f"DROP SCHEMA {COPIES} CASCADE")
    owner.commit()


def server_seconds(conn: Connection) -> float:
    """CPU seconds of the server so far: of the processes that run, and of those that have ended."""
    row = conn.execute("SELECT pg_backend_pid()").fetchone()
    assert row is not None
    postmaster = psutil.Process(row[0]).parent()
    assert postmaster is not None
    own = postmaster.cpu_times()
    spent = own.user + own.system + own.children_user + own.children_system
    for child in postmaster.children():
        try:
            times = child.cpu_times()
        except psutil.Error:
            continue
        spent += times.user + times.system
    return float(spent)
