"""Observations as a frame: what is remembered, by whom, of which types."""

from __future__ import annotations

import pytest

import lightfast_pipelines.read as lf
from lightfast_pipelines.store.database import Database
from tests.read.conftest import WORKSPACE


def test_observations_have_people_and_only_what_is_remembered(story: lf.AnalystConnection) -> None:
    frame = lf.observations(WORKSPACE, on=story)
    remembered = lf.query("SELECT * FROM remembered", on=story)
    assert set(frame["external_id"]) == set(remembered["external_id"])
    assert frame["external_id"].is_unique
    merged = frame[
        frame["title"].str.contains("Charge a checkout only once")
        & (frame["source_type"] == "pull-request.merged")
    ]
    assert merged[["actor", "author", "workspace"]].to_numpy().tolist() == [
        ["Mira Okafor", "Priya Raman", WORKSPACE]
    ]
    assert {type(each) for each in frame["metadata"]} == {dict}
    assert {type(each) for each in frame["topics"]} == {list}


def test_types_are_whole_or_of_a_thing(story: lf.AnalystConnection) -> None:
    everything = lf.observations(WORKSPACE, on=story)["source_type"].astype("str")
    for types, expected in (
        ("pull-request.merged", everything == "pull-request.merged"),
        ("pull-request", everything.str.startswith("pull-request.")),
        (
            ["issue", "release.published"],
            everything.str.startswith("issue.") | (everything == "release.published"),
        ),
    ):
        found = lf.observations(WORKSPACE, types=types, columns=["source_type"], on=story)
        assert found["source_type"].tolist() == everything[expected].tolist()
        assert len(found) > 0


def test_a_declared_type_may_have_no_rows_and_an_unknown_one_is_refused(
    story: lf.AnalystConnection,
) -> None:
    assert lf.observations(WORKSPACE, types="dependabot-alert", on=story).empty
    with pytest.raises(
        lf.ReadError, match=r"'pull-request.merge': did you mean 'pull-request.merged'"
    ):
        lf.observations(WORKSPACE, types=["issue", "pull-request.merge"], on=story)


def test_a_type_that_only_the_rows_have_is_known(database: Database) -> None:
    """Such as one of a provider that was added as a folder and removed since."""
    with database.connect("migrator") as owner:
        owner.execute(
            """
            WITH workspace AS (
              INSERT INTO lightfast.workspaces (org_id, slug, name) VALUES ('o', 'acme', 'Acme') RETURNING id
            )
            INSERT INTO lightfast.observation_facts
              (external_id, workspace_id, source_id, source, source_type, observation_type, subject_key,
               occurred_at, recorded_at, ingestion_source, title, category, significance_score, rule_version,
               is_deleted)
            SELECT kind, id, kind, 'jira', kind, 'issue', kind, now(), now(), 'webhook', kind, 'other', 1, 1,
                   kind = 'ticket.moved'
            FROM workspace,
                 unnest(ARRAY['ticket.opened', 'ticket.closed', 'ticket.moved', 'sprint.ended']) kind
            """
        )
        owner.commit()
    with lf.connect(database.url("analyst")) as memory:
        tickets = lf.observations("acme", types="ticket", on=memory)  # not the one that is deleted
        assert sorted(tickets["source_type"]) == ["ticket.closed", "ticket.opened"]
        assert tickets["source"].cat.categories.tolist()[-1] == "jira"
        assert len(lf.observations("o/acme", types="sprint.ended", on=memory)) == 1
        with pytest.raises(lf.ReadError, match=r"'ticket\.reopened': did you mean 'ticket.opened'"):
            lf.observations("acme", types="ticket.reopened", on=memory)
