"""The analysts' views: each is made, described and readable, and `changes` and `current_states` say what is so."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lightfast_pipelines.cli.pages import data_dictionary
from lightfast_pipelines.store import migrations
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.tables import view_metadata
from lightfast_pipelines.store.tables.columns import KEY
from tests.capture.deliveries import NOW, capture_all, delivery, receive, rows, workspace_with
from tests.providers.github import payloads as github

_FILES = Path(migrations.__file__).parent / "versions" / "views"


def _columns(conn: Connection) -> dict[str, list[tuple[str, str, str]]]:
    """View -> (column, type, comment) in the order of the view."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    for view, *column in rows(
        conn,
        """
        SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod),
               coalesce(col_description(c.oid, a.attnum), '')
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relnamespace = 'lightfast'::regnamespace AND c.relkind = 'v' AND a.attnum > 0
        ORDER BY c.relname, a.attnum
        """,
    ):
        found.setdefault(view, []).append(tuple(column))
    return found


def test_every_file_of_the_folder_is_made_once_and_every_view_is_described(
    conn: Connection,
) -> None:
    from lightfast_pipelines.store.migrations.versions.base import VIEWS

    assert sorted(VIEWS) == sorted(path.stem for path in _FILES.glob("*.sql"))
    assert {view.name for view in view_metadata.tables.values()} == _columns(conn).keys()


def test_every_view_has_the_described_columns_with_their_types_and_comments(
    conn: Connection,
) -> None:
    from sqlalchemy.dialects import postgresql

    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    found = _columns(conn)
    for view in view_metadata.sorted_tables:
        assert found[view.name] == [
            (
                column.name,
                column.type.compile(dialect=dialect).lower().partition(" collate")[0],
                column.comment,
            )
            for column in view.columns
        ]


def test_keys_are_compared_in_every_view_as_in_the_indexes(conn: Connection) -> None:
    """A function returns text in the database's order of letters, which no index of keys has."""
    keys = {
        (view.name, column.name)
        for view in view_metadata.tables.values()
        for column in view.columns
        if column.type is KEY
    }
    bytewise = rows(
        conn,
        """
        SELECT c.relname::text, a.attname::text FROM pg_class c
        JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_collation l ON l.oid = a.attcollation
        WHERE c.relnamespace = 'lightfast'::regnamespace AND c.relkind = 'v' AND l.collname = 'C'
        """,
    )
    assert keys - set(bytewise) == set()
    assert len(keys) > 20


def test_every_view_of_the_database_is_in_the_dictionary_with_every_column(
    conn: Connection,
) -> None:
    text = data_dictionary()
    silent = {
        (view, column)
        for view, columns in _columns(conn).items()
        for column, _, _ in columns
        if f"| {column} |"
        not in text.partition(f"\n## {view}\n")[2].partition("\n## ")[0].replace("**", "")
    }
    assert silent == set()


def _shop(conn: Connection) -> None:
    """Two issues; the news that the first is closed came a day later."""
    workspace_with(conn, "shop", 1)
    receive(
        conn,
        [
            delivery("issues", github.issue("opened", 1)),
            delivery("issues", github.issue("opened", 2)),
            delivery("issues", github.issue("closed", 1), received_at=NOW + timedelta(days=1)),
        ],
    )
    capture_all(conn)


def test_a_change_names_its_thing_and_its_repository(conn: Connection) -> None:
    _shop(conn)
    found: list[Any] = rows(
        conn,
        """
        SELECT workspace, provider, thing, change, type, key, name, repository, url
        FROM lightfast.changes WHERE change = 'closed'
        """,
    )
    assert found == [
        (
            *("shop", "github", "issue", "closed", "issue.closed", "github:issue:1#1"),
            *("#1 The cart is empty", "acme/shop", "https://github.com/acme/shop/issues/1"),
        )
    ]


def test_what_is_superseded_never_shows_among_current_states(conn: Connection) -> None:
    _shop(conn)
    assert rows(
        conn,
        """
        SELECT key, value FROM lightfast.current_states WHERE state_type = 'status' ORDER BY key
        """,
    ) == [("github:issue:1#1", "closed"), ("github:issue:1#2", "open")]
    # The condition that comes to mind first is wrong on the table: it counts what is no longer believed.
    assert rows(
        conn,
        """
        SELECT count(*) FROM lightfast.temporal_states
        WHERE state_value = 'open' AND valid_to IS NULL
        """,
    ) == [(2,)]


def test_a_view_reads_only_the_tables_that_a_question_needs(conn: Connection) -> None:
    """The planner drops a join on a unique key; one on another key would be made for every question."""
    needed = {
        "SELECT title FROM lightfast.changes WHERE workspace_id = 1": {"observation_facts"},
        "SELECT key FROM lightfast.pull_requests WHERE status = 'open'": {
            "observation_facts",
            "temporal_states",
        },
        "SELECT key FROM lightfast.issues WHERE is_open": {"observation_facts", "temporal_states"},
        "SELECT verdict FROM lightfast.reviews": {"observation_facts"},
        "SELECT path FROM lightfast.file_changes": {
            "entities",
            "observation_entities",
            "observation_facts",
        },
    }
    for question, tables in needed.items():
        plan = rows(conn, f"EXPLAIN (FORMAT json) {question}")[0][0]
        assert set(_values(plan, "Relation Name")) == tables, question


def _values(plan: Any, name: str) -> Iterator[str]:
    """The values of this name anywhere in a plan."""
    if isinstance(plan, dict):
        if name in plan:
            yield plan[name]
        plan = list(plan.values())
    for part in plan if isinstance(plan, list) else ():
        yield from _values(part, name)


_BY_INDEX = {
    "SELECT title FROM changes WHERE workspace = 'shop' ORDER BY occurred_at DESC LIMIT 20": (
        "ix_observation_facts_time"
    ),
    "SELECT key FROM current_states WHERE workspace = 'shop' ORDER BY since DESC LIMIT 20": (
        "ix_temporal_states_time"
    ),
    "SELECT key FROM pull_requests WHERE merged_at > '2024-05-01'": "ix_temporal_states_merged",
    "SELECT key FROM pull_requests WHERE closed_at > '2024-05-01'": "ix_temporal_states_closed",
    "SELECT key FROM issues WHERE closed_at > '2024-05-01'": "ix_temporal_states_closed",
    "SELECT key FROM pull_requests WHERE number = 51": "ix_temporal_states_number",
    "SELECT key FROM pull_requests ORDER BY created_at DESC LIMIT 20": (
        "ix_observation_facts_written"
    ),
    "SELECT key FROM issues WHERE identifier = 'CHK-12'": "ix_entities_identifier",
    "SELECT last_deployed_at FROM repositories": "ix_temporal_states_live_now",
    "SELECT last_commit_at FROM repositories": "ix_observation_facts_commits",
    "SELECT verdict FROM reviews ORDER BY submitted_at DESC LIMIT 20": "ix_observation_facts_reviews",
    "SELECT title FROM file_changes WHERE path = 'web/pay.ts'": "ix_entities_path",
    "SELECT title FROM file_changes WHERE path LIKE 'web/%%'": "ix_entities_path",
    "SELECT title FROM changes WHERE author = 'Ada'": "ix_lightfast_actors_display_name",
}


@pytest.mark.parametrize(("question", "index"), list(_BY_INDEX.items()))
def test_what_analysts_ask_about_can_be_found_by_index(
    database: Database, question: str, index: str
) -> None:
    """Empty tables are read whole unless that is forbidden: then a plan uses what indexes there are."""
    with database.connect("analyst", autocommit=True) as conn:
        conn.execute("SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off")
        plan = rows(conn, f"EXPLAIN (FORMAT json) {question}")[0][0]
    assert index in set(_values(plan, "Index Name"))
