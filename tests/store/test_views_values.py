"""The dictionary names every value that the demo and recorded payloads bring into the analysts' views, and
no view repeats a thing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from lightfast_pipelines.cli.opening import CHECKOUT
from lightfast_pipelines.cli.pages import data_dictionary
from lightfast_pipelines.cli.values import read_vocabulary, values_of
from lightfast_pipelines.embedded_postgres import Lease
from lightfast_pipelines.people.organisations import decide_people
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.tables import view_metadata
from lightfast_pipelines.store.tables.view_columns import VALUES
from tests.capture.deliveries import capture_all, receive, rows
from tests.capture.recorded import link_everything, recorded
from tests.demo.test_story import play

VOCABULARY = read_vocabulary(CHECKOUT / "docs" / "vocabulary.json")
# Columns of these names have a fixed vocabulary in any view.
_FIXED = {
    *("category", "change", "found_by", "kind", "level", "priority", "provider", "state_type"),
    *("status", "thing", "type", "verdict"),
}
# View -> what identifies a row in a workspace.
_IDENTITIES = {
    "changes": "observation",
    "current_states": "key, state_type",
    "state_intervals": "key, state_type, valid_from",
    "pull_requests": "key",
    "reviews": "observation",
    "issues": "key",
    "file_changes": "commit, path",
    "people": "person_id",
    "repositories": "key",
    "deployments": "key",
    "releases": "key",
    "errors": "key",
    "incidents": "key, started_at",
}


@pytest.fixture(scope="module")
def loaded(postgres: Lease, shared: Path) -> Iterator[Connection]:
    """The demo's story and all recorded payloads."""
    name = "values_of_views"
    with Database(lease=postgres).connect("migrator", autocommit=True) as owner:
        owner.execute(f"CREATE DATABASE {name} TEMPLATE lightfast_template")
    with Database(lease=postgres, name=name).connect() as conn:
        play(conn)
        deliveries = recorded(shared)
        link_everything(conn, deliveries)
        receive(conn, deliveries)
        while capture_all(conn).more:
            pass
        decide_people(conn, now=datetime(2026, 5, 20, tzinfo=UTC))
        conn.commit()
        yield conn
    with psycopg.connect(postgres.url("postgres", "postgres"), autocommit=True) as superuser:
        superuser.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_every_value_of_a_fixed_vocabulary_is_in_the_dictionary(loaded: Connection) -> None:
    """If this fails, a new value occurs: name it where the column is described (store/tables/views*.py)."""
    missing: set[str] = set()
    compared = 0
    for view in view_metadata.tables.values():
        for column in view.columns:
            values = values_of(column, VOCABULARY)
            if values is None or column.info[VALUES] in ("state_types", "state_values"):
                continue
            found = rows(loaded, f'SELECT DISTINCT "{column.name}" FROM lightfast.{view.name}')
            compared += len(found)
            missing |= {f"{view.name}.{column.name}: {value}" for (value,) in found} - {
                f"{view.name}.{column.name}: {value}"
                for value in (*values, *([None] if column.nullable else []))
            }
    assert missing == set()
    assert compared > 300


@pytest.mark.parametrize("view", ["current_states", "state_intervals"])
def test_every_state_and_its_values_are_in_the_dictionary(loaded: Connection, view: str) -> None:
    listed = {
        tuple(name.partition(":*")[0].rsplit(" ", 1)): values
        for name, values in VOCABULARY["state"].items()
    }
    missing = set()
    for key, state_type, value in rows(
        loaded,
        f"""
        SELECT DISTINCT substring(key FROM '^[^:]+:[^:]+'), split_part(state_type, ':', 1), value
        FROM lightfast.{view}
        """,
    ):
        values = listed.get((key, state_type))
        if values is None or (values and value not in values):
            missing.add(f"{key} {state_type}: {value}")
    assert missing == set()


def test_a_column_whose_name_promises_a_fixed_vocabulary_has_one() -> None:
    silent = [
        f"{view.name}.{column.name}"
        for view in view_metadata.tables.values()
        if view.columns.keys()[0] == "workspace"
        for column in view.columns
        if column.name in _FIXED and VALUES not in column.info
    ]
    assert silent == []


def test_the_dictionary_shows_the_values_beside_their_column() -> None:
    section = data_dictionary().partition("\n## reviews\n")[2].partition("\n## ")[0]
    [line] = [line for line in section.splitlines() if line.startswith("| verdict |")]
    assert "`changes_requested`" in line


@pytest.mark.parametrize(("view", "identity"), sorted(_IDENTITIES.items()))
def test_a_thing_has_one_row(loaded: Connection, view: str, identity: str) -> None:
    [(count, distinct)] = rows(
        loaded,
        f"""
        SELECT count(*), count(DISTINCT (workspace_id, {identity})) FROM lightfast.{view}
        """,
    )
    assert count == distinct
    assert count > 0
