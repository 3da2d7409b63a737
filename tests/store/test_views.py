"""The analysts' views: each is made, described and readable, and `changes` and `current_states` say what is so."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from lightfast_pipelines.cli.pages import data_dictionary
from lightfast_pipelines.store import migrations
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.tables import view_metadata
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
