"""Grows a processed history within its database: reads the seed, adds the rows of its copies, checks them.

`bench/grown_rows.py` says what the rows are; `bench/grown.py` makes the seed and the database.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bench.grown_names import Copy, Repository, suffix_of
from bench.grown_rows import TABLES, Seed, hashed
from lightfast_pipelines.domain.cluster_status import IDLE_SECONDS
from lightfast_pipelines.domain.threads import thread_of
from lightfast_pipelines.store.database import Connection

SMALLER_WORKSPACES = 8
# People whom an organisation's copies have in common, and at most one in twenty.
SHARED_ACTORS = 12
# What is active to the end had its last event within so many days.
ACTIVE_DAYS = 7
ALL_VIEWS = ("title", "content", "summary")


@dataclass(frozen=True, slots=True)
class Grown:
    """The large workspace of a grown history and the repository in it that deliveries can still arrive for.

    `shared` are people whom its copies have in common.
    """

    observations: int
    copies: tuple[Copy, ...]
    repository: Repository
    shared: frozenset[str]

    @property
    def newest(self) -> Copy:
        return self.copies[0]


def grow(
    conn: Connection,
    observations: int,
    *,
    views: Sequence[str] = ALL_VIEWS,
    active: int = 1,
    show: Callable[[str], object] = lambda _line: None,
) -> Grown:
    """Grows a database that holds one processed history with one repository, to about so many observations.

    Commits once, at the end, and must not be in a transaction; `views` are the vectors that are copied.
    So many repositories of the large workspace are `active` to the end; the others end earlier.
    """
    seed, count = _read_seed(conn)
    numbers = range(1, max(1, round(observations / count - 1)) + 1)
    copies = _place_copies(conn, numbers, active)
    _make_names(conn, seed, copies)
    with _without_indexes(conn, show):
        for table in TABLES:
            began = time.perf_counter()
            where = (
                f"t.view = ANY('{{{','.join(views)}}}')"
                if table == "observation_vectors"
                else "true"
            )
            rows = conn.execute(seed.statement(table, where)).rowcount
            show(f"{table}: {rows:,} rows in {time.perf_counter() - began:.1f} s")
    _finish(conn, seed)
    conn.commit()
    return Grown(
        count * (1 + len(copies)),
        tuple(copies),
        seed.repository,
        frozenset(key.partition(":")[2] for key in seed.shared_keys),
    )


def _read_seed(conn: Connection) -> tuple[Seed, int]:
    row = conn.execute(
        """
        SELECT w.org_id, r.provider_resource_id, r.resource_name,
               (SELECT count(*) FROM lightfast.observations)
        FROM lightfast.workspaces w CROSS JOIN lightfast.resources r WHERE r.provider = 'github'
        """
    ).fetchall()
    [(org, resource, name, count)] = row
    repository = Repository(resource, name)
    serial = conn.execute(
        """
        SELECT table_name FROM information_schema.columns
        WHERE table_schema = 'lightfast' AND column_name = 'id' AND is_identity = 'YES'
          AND table_name = ANY(%s)
        """,
        (list(TABLES),),
    ).fetchall()
    strides = {
        table: _one(conn, f"SELECT coalesce(max(id), 0) + 1 FROM lightfast.{table}")
        for (table,) in serial
    }
    # Those who did the most, and the bots.
    shared = conn.execute(
        """
        SELECT i.id, i.source || ':' || i.source_id
        FROM lightfast.actor_identities i JOIN lightfast.actors a ON a.id = i.actor_id
        WHERE a.kind = 'bot' OR a.id IN (
          SELECT i.actor_id FROM lightfast.identity_mentions m
          JOIN lightfast.actor_identities i ON i.id = m.identity_id
          GROUP BY 1 ORDER BY count(*) DESC, 1
          LIMIT (SELECT least(%s, 1 + count(*) / 20) FROM lightfast.actors))
        """,
        (SHARED_ACTORS,),
    ).fetchall()
    ids, keys = {row[0] for row in shared}, {row[1] for row in shared}
    bare = Seed(org, repository, strides, (), ids, keys)
    common = conn.execute(
        f"""
        SELECT t.id FROM lightfast.entities t
        CROSS JOIN (VALUES ('x', 'x', 'x', '{"z" * 16}')) AS c
          (repository_id, repository_name, suffix, hex_digits)
        WHERE {bare.key("t.key")} = t.key
        """
    )
    entities = {row[0] for row in common}
    return Seed(org, repository, strides, entities, ids, keys), count


def _place_copies(conn: Connection, numbers: Sequence[int], active: int) -> list[Copy]:
    """Every second copy is part of the large workspace."""
    places = [
        ("large", "large")
        if number % 2
        else (f"org-{number // 2 % 2}", f"small-{number // 2 % SMALLER_WORKSPACES}")
        for number in numbers
    ]
    workspaces = {
        place: _one(
            conn,
            "INSERT INTO lightfast.workspaces (org_id, slug, name) VALUES (%s, %s, %s) RETURNING id",
            (*place, place[1]),
        )
        for place in dict.fromkeys(places)
    }
    copies: list[Copy] = []
    homes: dict[str, int] = {}
    firsts: dict[tuple[str, str], int] = {}
    for number, (org, slug) in zip(numbers, places, strict=True):
        copies.append(
            Copy(
                number,
                home=homes.setdefault(org, number),
                first=firsts.setdefault((org, slug), number),
                workspace_id=workspaces[org, slug],
                org_id=org,
                slug=slug,
                # The first one is the newest: its deliveries can go on.
                days=-(number // 2 % ACTIVE_DAYS)
                if number % 2 and number // 2 < active
                else -(number - 1) * 37 % -1_000,
            )
        )
    return copies


def _make_names(conn: Connection, seed: Seed, copies: Sequence[Copy]) -> None:
    """What the statements of the rows join: the copies, and what clusters and actors are called in each."""
    kind = _one(
        conn,
        """
        SELECT format_type(atttypid, -1) FROM pg_attribute
        WHERE attrelid = 'lightfast.observation_vectors'::regclass AND attname = 'vector'
        """,
    )
    size = _one(conn, "SELECT max(vector_dims(vector)) FROM lightfast.observation_vectors")
    conn.execute(
        f"""
        CREATE TEMPORARY TABLE grown_copies (
          number int PRIMARY KEY, home int, first int, workspace_id bigint, org_id text, slug text,
          days int, shift interval, suffix text, home_suffix text, hex_digits text,
          repository_id text, repository_name text, copies int, signs {kind})
        """
    )
    of_workspace = [copy.workspace_id for copy in copies]
    with conn.cursor().copy("COPY grown_copies FROM STDIN") as rows:
        for copy in copies:
            repository = copy.repository(seed.repository)
            rows.write_row(
                (
                    *(
                        copy.number,
                        copy.home,
                        copy.first,
                        copy.workspace_id,
                        copy.org_id,
                        copy.slug,
                    ),
                    *(copy.days, copy.shift, copy.suffix, suffix_of(copy.home), copy.hex_digits),
                    *(repository.id, repository.name, of_workspace.count(copy.workspace_id)),
                    str(copy.signs(size)),
                )
            )
    conn.execute(
        """
        CREATE TEMPORARY TABLE grown_texts AS
        SELECT external_id, source_id, md5(title || E'\\x1f' || content) AS text_hash
        FROM lightfast.observations;
        CREATE INDEX ON grown_texts (external_id);
        CREATE TEMPORARY TABLE grown_earliest (old_id text, name text)
        """
    )
    earliest = conn.execute(
        """
        SELECT DISTINCT ON (m.cluster_id) m.cluster_id, o.subject_key, o.source_id
        FROM lightfast.cluster_members m JOIN lightfast.observations o ON o.id = m.observation_id
        ORDER BY m.cluster_id, o.occurred_at, o.source_id
        """
    ).fetchall()
    with conn.cursor().copy("COPY grown_earliest FROM STDIN") as rows:
        for cluster, subject, source_id in earliest:
            rows.write_row((cluster, thread_of(subject, source_id, {})))
    conn.execute(
        f"""
        CREATE TEMPORARY TABLE grown_clusters AS
        SELECT c.number, e.old_id,
               {hashed("'cluster'", "c.org_id", "c.slug", seed.key("e.name"))} AS new_id
        FROM grown_copies c CROSS JOIN grown_earliest e;
        CREATE INDEX ON grown_clusters (number, old_id);
        CREATE TEMPORARY TABLE grown_actors AS
        SELECT c.number, i.actor_id AS old_id,
               {hashed("'actor'", "c.org_id", f"min({seed.identity_key('i.key')})")} AS new_id,
               bool_and({seed.is_shared_identity("i.id")}) AS is_shared,
               min({seed.suffix("i.id")}) AS suffix
        FROM grown_copies c
        CROSS JOIN (SELECT id, actor_id, source || ':' || source_id AS key FROM lightfast.actor_identities) i
        GROUP BY 1, 2, c.org_id;
        CREATE INDEX ON grown_actors (number, old_id);
        ANALYZE grown_copies, grown_texts, grown_clusters, grown_actors
        """
    )


@contextmanager
def _without_indexes(conn: Connection, show: Callable[[str], object]) -> Iterator[None]:
    """Drops foreign keys, other constraints and indexes, and makes them again afterwards, so that each is
    built, and checked, in one go."""
    tables = [f"lightfast.{table}" for table in TABLES]
    constraints = conn.execute(
        """
        SELECT c.conrelid::regclass::text, quote_ident(c.conname), pg_get_constraintdef(c.oid), c.contype
        FROM pg_constraint c
        WHERE (c.conrelid = ANY(%(tables)s::regclass[]) OR c.confrelid = ANY(%(tables)s::regclass[]))
          AND c.contype IN ('p', 'u', 'f') AND c.conparentid = 0
        ORDER BY c.contype = 'f', c.conrelid
        """,
        {"tables": tables},
    ).fetchall()
    indexes = conn.execute(
        """
        SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index i
        WHERE indrelid = ANY(%(tables)s::regclass[])
          AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid)
        """,
        {"tables": tables},
    ).fetchall()
    for table in tables:
        conn.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    for table, name, _, _ in reversed(constraints):
        conn.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    for name, _ in indexes:
        conn.execute(f"DROP INDEX {name}")
    yield
    began = time.perf_counter()
    for table, name, definition, kind in constraints:
        if kind != "f":
            conn.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")
    for _, definition in indexes:
        conn.execute(definition)
    show(f"indexes: {time.perf_counter() - began:.1f} s")
    began = time.perf_counter()
    for table in tables:
        conn.execute(f"ANALYZE {table}")
    for table, name, definition, kind in constraints:
        if kind == "f":
            conn.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")
    for table in tables:
        conn.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
    show(f"foreign keys: {time.perf_counter() - began:.1f} s")


def _finish(conn: Connection, seed: Seed) -> None:
    """Work that is over by the workspaces' clocks; the marks of all that is done; words; serial numbers."""
    # Triggers write them otherwise.
    conn.execute(
        """
        SELECT lightfast.write_observation_words(array_agg(f.id))
        FROM lightfast.observation_facts f
        WHERE NOT EXISTS (SELECT FROM lightfast.observation_words w WHERE w.observation_id = f.id)
        GROUP BY f.id / 10000
        """
    )
    conn.execute(
        """
        UPDATE lightfast.clusters k SET status = 'closed', status_reason = 'idle'
        FROM (
          SELECT workspace_id, max(last_observation_at) AS latest FROM lightfast.clusters GROUP BY 1
        ) clock
        WHERE clock.workspace_id = k.workspace_id AND k.status = 'open'
          AND clock.latest - k.last_observation_at > make_interval(secs => %s)
        """,
        (IDLE_SECONDS,),
    )
    conn.execute(
        """
        INSERT INTO lightfast.consolidation_marks
        SELECT w.workspace_id, 1, 1, m.rule_version, org.changes, m.profile_rules, 1, m.summary_rules
        FROM (SELECT DISTINCT workspace_id, org_id FROM grown_copies) w
        JOIN (SELECT org_id, count(DISTINCT workspace_id) AS changes FROM grown_copies GROUP BY 1) org
          USING (org_id)
        CROSS JOIN (SELECT * FROM lightfast.consolidation_marks LIMIT 1) m
        """
    )
    conn.execute(
        """
        UPDATE lightfast.partition_start SET first_day =
          least(first_day, (SELECT date_trunc('year', min(partition_date))::date FROM lightfast.raw_payloads))
        """
    )
    for table in seed.strides:
        conn.execute(
            f"""
            SELECT setval(pg_get_serial_sequence('lightfast.{table}', 'id'), max(id))
            FROM lightfast.{table} HAVING max(id) IS NOT NULL
            """
        )
    conn.execute(
        "DROP TABLE grown_copies, grown_texts, grown_earliest, grown_clusters, grown_actors"
    )


def _one(conn: Connection, query: str, parameters: Any = None) -> Any:
    row = conn.execute(query, parameters).fetchone()
    assert row is not None
    return row[0]
