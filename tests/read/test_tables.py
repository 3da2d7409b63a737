"""Tables and views as frames: windows, conditions, columns, chunks, and what is said about a wrong name."""

from __future__ import annotations

import itertools
from datetime import date
from typing import Any

import pandas as pd
import psycopg
import pytest

import lightfast_pipelines.read as lf
from lightfast_pipelines.store.database import Database
from tests.read.conftest import WORKSPACE


def test_a_window_has_its_first_moment_and_not_its_last(story: lf.AnalystConnection) -> None:
    all_of_it = lf.table("observations", WORKSPACE, on=story)
    times = all_of_it["occurred_at"]
    first, last = times.iloc[10], times.iloc[-10]
    inside = lf.table("observations", WORKSPACE, since=first, until=last, on=story)
    assert inside["id"].tolist() == all_of_it["id"][(times >= first) & (times < last)].tolist()
    assert times.is_monotonic_increasing


def test_a_window_can_be_about_another_time(story: lf.AnalystConnection) -> None:
    frame = lf.table("observations", WORKSPACE, since="1 day", time="captured_at", on=story)
    assert len(frame) == len(lf.table("observations", WORKSPACE, on=story))
    assert frame["captured_at"].is_monotonic_increasing
    assert lf.table("observations", WORKSPACE, until="1 day", time="captured_at", on=story).empty


def test_a_window_of_days_has_whole_days(story: lf.AnalystConnection) -> None:
    days = lf.table("raw_payloads", time="partition_date", on=story)["partition_date"]
    day = days.iloc[len(days) // 2]
    part = lf.table(
        "raw_payloads",
        time="partition_date",
        since=day + pd.Timedelta(hours=7),
        until=day + pd.Timedelta(days=1),
        on=story,
    )
    assert set(part["partition_date"]) == {day}
    assert len(part) == (days == day).sum()


@pytest.mark.parametrize(
    ("where", "condition"),
    [
        ({"source_type": "pull-request.merged"}, "source_type = 'pull-request.merged'"),
        ({"source": ["linear", "sentry"]}, "source IN ('linear', 'sentry')"),
        (
            {"source": {"linear"}, "category": "bug_fix"},
            "source = 'linear' AND category = 'bug_fix'",
        ),
        ({"series_key": None}, "series_key IS NULL"),
        (
            {"series_key": [None, "x"], "source": "linear"},
            "series_key IS NULL AND source = 'linear'",
        ),
        ({"is_deleted": False}, "NOT is_deleted"),
        ({"topics": "checkout"}, "'checkout' = ANY(topics)"),
        ({"topics": ["checkout", "guest"]}, "topics && '{checkout,guest}'"),
        ({"source": []}, "false"),
        ({"title": "x' OR 'a' = 'a"}, "false"),
    ],
)
def test_a_condition_is_a_value_or_several(
    story: lf.AnalystConnection, where: dict[str, Any], condition: str
) -> None:
    frame = lf.table("observations", where=where, columns=["id"], on=story)
    expected = lf.query(f"SELECT id FROM observations WHERE {condition}", on=story)
    assert set(frame["id"]) == set(expected["id"])
    assert (condition == "false") == frame.empty


def test_a_column_of_a_frame_is_a_condition(story: lf.AnalystConnection) -> None:
    some = lf.table("observations", WORKSPACE, on=story).head(5)
    again = lf.table("observations", where={"id": some["id"]}, on=story)
    assert again["id"].tolist() == some["id"].tolist()


def test_only_the_columns_that_are_named_come_in_their_order(story: lf.AnalystConnection) -> None:
    frame = lf.table("observations", columns=["title", "occurred_at"], on=story)
    assert list(frame.columns) == ["title", "occurred_at"]


def test_a_column_that_is_not_named_is_not_computed(
    memory: lf.AnalystConnection, database: Database
) -> None:
    """In the views a time or a list may cost a look-up for each row."""
    with database.connect("migrator") as owner:
        owner.execute(
            """
            CREATE VIEW lightfast.costly AS
            SELECT n AS key, now() + interval '1 day' / (n - n) AS at FROM generate_series(1, 2) n
            """
        )
        owner.execute("GRANT SELECT ON lightfast.costly TO lightfast_analyst")
    assert lf.table("costly", columns=["key"], on=memory)["key"].tolist() == [1, 2]
    for asked in ({}, {"columns": ["at"]}, {"columns": ["key"], "since": "1 day"}):
        with pytest.raises(psycopg.errors.DivisionByZero):
            lf.table("costly", on=memory, **asked)


def test_every_table_and_view_can_be_read(story: lf.AnalystConnection) -> None:
    there = lf.tables(on=story)
    assert {"observations", "workspaces", "temporal_states"} <= set(there["table"])
    assert not {"raw_bodies", "tokens", "installation_secrets"} & set(there["table"])
    for name in there["table"]:
        frame, described = lf.table(name, on=story), lf.columns(name, on=story)
        assert list(frame.columns) == described["column"].tolist()
        assert [str(dtype) for dtype in frame.dtypes] == described["dtype"].tolist(), name


def test_a_column_is_described_by_the_dictionary(story: lf.AnalystConnection) -> None:
    described = lf.columns("observations", on=story).set_index("column")
    assert (
        described.loc["occurred_at", "description"] == "When it happened, by the provider's clock."
    )
    assert described.loc["occurred_at", "type"] == "timestamp with time zone"
    assert described.loc["source", "values"] == ["github", "linear", "sentry", "vercel"]
    assert described.loc["title", "values"] == []


def test_categories_are_the_declared_values_in_every_chunk(story: lf.AnalystConnection) -> None:
    chunks = list(lf.table("observations", WORKSPACE, chunks=7, on=story))
    assert len(chunks) > 3
    assert max(map(len, chunks)) == 7
    kinds = [chunk["source"].dtype for chunk in chunks]
    assert set(kinds) == {
        pd.CategoricalDtype(pd.Index(["github", "linear", "sentry", "vercel"], dtype="str"))
    }
    whole = lf.table("observations", WORKSPACE, on=story)
    pd.testing.assert_frame_equal(pd.concat(chunks, ignore_index=True), whole)


def test_a_query_of_ones_own_knows_a_columns_values(story: lf.AnalystConnection) -> None:
    sql = "SELECT o.source AS provider, count(*) AS n FROM observations o GROUP BY 1 HAVING count(*) > %s ORDER BY 1"
    frame = lf.query(sql, [0], on=story)
    assert frame["provider"].cat.categories.tolist() == ["github", "linear", "sentry", "vercel"]
    assert frame["n"].sum() == len(lf.table("observations", on=story))
    (chunk,) = lf.query(sql, [0], chunks=100, on=story)
    pd.testing.assert_frame_equal(chunk, frame)


def test_a_value_that_is_not_declared_is_kept(story: lf.AnalystConnection) -> None:
    chunks = list(
        lf.query(
            """
            SELECT source FROM (SELECT source, 1 AS n FROM observations UNION ALL SELECT 'jira', 2) o
            """,
            on=story,
            chunks=50,
        )
    )
    assert "jira" in pd.concat(chunks)["source"].tolist()


def test_an_empty_answer_in_chunks_is_one_empty_frame(story: lf.AnalystConnection) -> None:
    (frame,) = lf.table("observations", WORKSPACE, until="1970-01-01", chunks=10, on=story)
    assert frame.empty
    assert frame.dtypes.equals(lf.table("observations", WORKSPACE, on=story).dtypes)


def test_a_chunk_is_there_before_the_answer_ends(memory: lf.AnalystConnection) -> None:
    """The server makes rows as they are fetched: these would take months and terabytes."""
    endless = lf.query("SELECT generate_series(1, 1000000000000) AS n", chunks=1000, on=memory)
    first, second = itertools.islice(endless, 2)
    assert (first["n"].iloc[0], second["n"].iloc[-1]) == (1, 2000)
    assert len(second) == 1000


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"name": "observation"}, r"no table or view 'observation': did you mean 'observations'"),
        (
            {"name": "raw_bodies"},
            r"no table or view 'raw_bodies'.*Known: activity, .*workspaces",
        ),
        ({"columns": ["titel"]}, r"no column of observations 'titel': did you mean 'title'"),
        ({"where": {"status": "x"}}, r"no column of observations 'status'.*nown: .*, title,"),
        ({"time": "title"}, r"no time in observations 'title'.*nown: captured_at, occurred_at,"),
        ({"workspace": "nowhere"}, rf"no workspace 'nowhere' \(known: demo/{WORKSPACE}\)"),
        ({"name": "actors", "workspace": WORKSPACE}, r"actors is not kept by workspace"),
        (
            {"name": "workspaces", "columns": ["slug"], "where": {"x": 1}},
            r"no column of workspaces",
        ),
        ({"name": "schema_version"}, r"no table or view 'schema_version'"),
        ({"chunks": 0}, r"chunks=0 is no number of rows"),
    ],
)
def test_a_wrong_name_is_answered_with_what_there_is(
    story: lf.AnalystConnection, asked: dict[str, Any], message: str
) -> None:
    with pytest.raises(lf.ReadError, match=message):
        lf.table(**{"name": "observations", "on": story, **asked})


def test_a_table_without_times_has_no_window(story: lf.AnalystConnection) -> None:
    with pytest.raises(lf.ReadError, match="observation_entities has no column with a time"):
        lf.table("observation_entities", since=date(2026, 5, 1), on=story)


def test_two_columns_of_one_name_are_refused(memory: lf.AnalystConnection) -> None:
    with pytest.raises(lf.ReadError, match="more than one column is called id: name them with AS"):
        lf.query("SELECT 1 AS id, 2 AS id", on=memory)


def test_a_statement_without_rows_is_refused(memory: lf.AnalystConnection) -> None:
    with pytest.raises(lf.ReadError, match="no rows to read"):
        lf.query("SET LOCAL work_mem = '1MB'", on=memory)


def test_parameters_are_values_and_never_sql(memory: lf.AnalystConnection) -> None:
    hostile = "'; DROP TABLE lightfast.workspaces; --"
    by_place = lf.query("SELECT %s::text AS v", [hostile], on=memory)
    by_name = lf.query("SELECT %(v)s::text AS v, '100%%' AS whole", {"v": hostile}, on=memory)
    assert by_place["v"][0] == by_name["v"][0] == hostile
    assert by_name["whole"][0] == "100%"
    assert lf.query("SELECT '100%' AS whole", on=memory)["whole"][0] == "100%"
