"""What the SQL functions answer about states, on both clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lightfast_pipelines.capture.writers.intervals import insert_intervals, interval_row
from lightfast_pipelines.domain.states import StateFact, history
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.linked_resources import add_workspace

DAY = datetime(2026, 3, 2, tzinfo=UTC)
KEY = "github:pr:1#7"


def _hour(number: int) -> datetime:
    return DAY + timedelta(hours=number)


def _facts(state: str) -> st.SearchStrategy[list[StateFact]]:
    fact = st.builds(
        lambda value, at, rank, source_id, known, reason: StateFact(
            value, _hour(at), rank, f"{state}|{source_id}", _hour(known), reason
        ),
        st.sampled_from(["open", "closed", "draft"]),
        st.integers(0, 5),
        st.integers(0, 1),
        st.sampled_from("abcdef"),
        st.integers(0, 5),
        st.sampled_from(["opened", "closed", "ended", None]),
    )
    return st.lists(fact, max_size=8, unique_by=lambda each: each.source_id)


def _remember(conn: Connection, workspace: int, by_type: dict[str, list[StateFact]]) -> None:
    conn.execute(
        """
        INSERT INTO lightfast.entities
          (workspace_id, category, key, value, confidence, first_seen_at, last_seen_at,
           occurrence_count, is_stub)
        VALUES (%s, 'pull_request', %s, 'Seven', 1, now(), now(), 1, false) ON CONFLICT DO NOTHING
        """,
        (workspace, KEY),
    )
    insert_intervals(
        conn,
        [
            interval_row((workspace, KEY, state_type), interval)
            for state_type, facts in by_type.items()
            for interval in history(facts)
        ],
    )


def _believed(facts: list[StateFact], at: datetime, known: datetime) -> list[str]:
    """The definition: the intervals folded from what was recorded by `known` that hold at `at`."""
    return [
        interval.value
        for interval in history([fact for fact in facts if fact.recorded_at <= known])
        if interval.superseded_at is None
        and interval.valid_from <= at
        and (interval.valid_to is None or interval.valid_to > at)
    ]


# Each example is rolled back.
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_facts("status"), _facts("assignee"))
def test_at_most_one_value_holds_at_any_moment_as_known_at_any_other(
    database: Database, status: list[StateFact], assignee: list[StateFact]
) -> None:
    by_type = {"status": status, "assignee": assignee}
    with database.connect("pipeline") as conn:
        workspace = add_workspace(conn, "shop")
        _remember(conn, workspace.id, by_type)
        rows = conn.execute(
            """
            SELECT a.at, k.known, s.state_type, array_agg(s.state_value)
            FROM unnest(%(moments)s::timestamptz[]) AS a (at)
            CROSS JOIN unnest(%(moments)s::timestamptz[]) AS k (known)
            CROSS JOIN LATERAL lightfast.states_as_known('shop', %(key)s, a.at, k.known) s
            GROUP BY 1, 2, 3
            """,
            {"moments": [_hour(number) for number in range(-1, 7)], "key": KEY},
        ).fetchall()
        now = conn.execute(
            "SELECT state_type, state_value FROM lightfast.state_at('shop', %s, %s)",
            (KEY, _hour(9)),
        ).fetchall()
        conn.rollback()
    answered = {(at, known, state): values for at, known, state, values in rows}
    for at in map(_hour, range(-1, 7)):
        for known in map(_hour, range(-1, 7)):
            for state, facts in by_type.items():
                values = _believed(facts, at, known)
                assert len(values) <= 1
                assert answered.get((at, known, state), []) == values
    assert dict(now) == {
        state: value
        for state, facts in by_type.items()
        for value in _believed(facts, _hour(9), _hour(9))
    }


def test_an_alias_names_the_entity(conn: Connection) -> None:
    workspace = add_workspace(conn, "shop")
    opened = StateFact("open", _hour(0), 1, "a", _hour(0), "opened")
    _remember(conn, workspace.id, {"status": [opened]})
    conn.execute(
        """
        INSERT INTO lightfast.entity_aliases (workspace_id, alias, entity_id)
        SELECT workspace_id, 'github:ref:ann/shop#7', id FROM lightfast.entities WHERE key = %s
        """,
        (KEY,),
    )
    rows = conn.execute(
        "SELECT entity, state_value FROM lightfast.state_at('shop', 'github:ref:ann/shop#7', %s)",
        (_hour(1),),
    ).fetchall()
    assert rows == [(KEY, "open")]


def test_a_slug_of_two_organisations_has_to_be_written_with_its_organisation(
    conn: Connection,
) -> None:
    ours, theirs = add_workspace(conn, "shop"), add_workspace(conn, "shop", org_id="acme")
    for workspace, value in ((ours, "open"), (theirs, "closed")):
        fact = StateFact(value, _hour(0), 1, "a", _hour(0))
        _remember(conn, workspace.id, {"status": [fact]})
    question = "SELECT state_value FROM lightfast.state_at(%s, %s, %s)"
    assert conn.execute(question, ("acme/shop", KEY, _hour(1))).fetchall() == [("closed",)]
    conn.commit()
    with pytest.raises(psycopg.errors.NoDataFound, match="organisation/shop"):
        conn.execute(question, ("shop", KEY, _hour(1)))
    conn.rollback()
    with pytest.raises(psycopg.errors.NoDataFound, match="no workspace 'shoes'"):
        conn.execute(question, ("shoes", KEY, _hour(1)))
