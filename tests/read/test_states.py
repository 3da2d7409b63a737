"""States of all things at a moment are those that the functions give for each of them."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pandas as pd

import lightfast_pipelines.read as lf
from tests.read.conftest import WORKSPACE

BY_FUNCTION = """
    SELECT f.entity AS key, f.state_type, f.state_value AS value, f.valid_from, f.valid_to, f.observation
    FROM (SELECT DISTINCT entity_id AS key FROM temporal_states) things
    CROSS JOIN LATERAL states_as_known(%s, things.key, %s, %s) f
    ORDER BY f.entity, f.state_type
"""


def test_the_states_are_those_of_the_function_for_each_thing(story: lf.AnalystConnection) -> None:
    changed = lf.table("temporal_states", on=story)
    moments = sorted({*changed["valid_from"].iloc[::25], *changed["recorded_at"].iloc[::25]})
    later = pd.Timestamp("2027-01-01", tz="UTC")
    full = 0
    for at, known in itertools.product([*moments, later], repeat=2):
        ours = lf.states(WORKSPACE, at=at, known=known, on=story)
        theirs = lf.query(
            BY_FUNCTION, [WORKSPACE, at.to_pydatetime(), known.to_pydatetime()], on=story
        )
        pd.testing.assert_frame_equal(ours[list(theirs.columns)], theirs)
        full += len(ours) > 0
    assert full > 10


def test_what_is_known_now_is_the_default(story: lf.AnalystConnection) -> None:
    now = lf.states(WORKSPACE, on=story)
    current = lf.query("SELECT * FROM temporal_states WHERE is_current", on=story)
    assert set(zip(now["key"], now["state_type"], now["value"], strict=True)) == set(
        zip(current["entity_id"], current["state_type"], current["state_value"], strict=True)
    )
    assert lf.states(on=story)["key"].tolist() == now["key"].tolist()


def test_a_state_says_who_brought_it_about(story: lf.AnalystConnection) -> None:
    merged = lf.states(WORKSPACE, state_type="status", on=story).query("value == 'merged'")
    once = merged[merged["name"].str.contains("Charge a checkout only once")].iloc[0]
    assert once["changed_by"] == "Mira Okafor"
    assert once["thing"] == "pull_request"
    assert once["observation"] in set(lf.observations(WORKSPACE, on=story)["external_id"])


def test_states_of_some_things_are_found_by_key_and_by_alias(story: lf.AnalystConnection) -> None:
    alias = lf.query(
        """
        SELECT a.alias, e.key FROM entity_aliases a JOIN entities e ON e.id = a.entity_id
        WHERE EXISTS (SELECT FROM temporal_states t WHERE t.entity_id = e.key AND t.is_current) LIMIT 1
        """,
        on=story,
    ).iloc[0]
    other = lf.states(WORKSPACE, on=story)["key"].iloc[-1]
    for keys, expected in (
        (alias["alias"], {alias["key"]}),
        (alias["key"], {alias["key"]}),
        ([alias["alias"], alias["key"], other, "nothing"], {alias["key"], other}),
    ):
        frame = lf.states(WORKSPACE, keys=keys, on=story)
        assert set(frame["key"]) == expected
        assert not frame.duplicated(["key", "state_type"]).any()


def test_states_come_in_chunks(story: lf.AnalystConnection) -> None:
    whole = lf.states(WORKSPACE, on=story)
    chunks = list(lf.states(WORKSPACE, chunks=5, on=story))
    assert {len(chunk) for chunk in chunks[:-1]} == {5}
    assert pd.concat(chunks)["value"].tolist() == whole["value"].tolist()


def test_before_everything_nothing_was_in_any_state(story: lf.AnalystConnection) -> None:
    before = lf.states(WORKSPACE, at="1970-01-01", on=story)
    assert before.empty
    assert before.dtypes.equals(lf.states(WORKSPACE, on=story).dtypes)
    unknown = lf.states(WORKSPACE, known=datetime(1970, 1, 1, tzinfo=UTC) + timedelta(1), on=story)
    assert unknown.empty
