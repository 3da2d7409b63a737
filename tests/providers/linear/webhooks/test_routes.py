"""How Linear's payloads are routed: by team, project, organization, or the thing that they are about."""

from __future__ import annotations

import pytest

from lightfast_pipelines.providers.linear import PROVIDER
from tests.providers.linear.payloads import (
    attachment,
    comment,
    cycle,
    envelope,
    issue,
    label,
    project,
    project_update,
    reaction,
)
from tests.providers.linear.readings import route_of, statement_of

TEAM, PROJECT, ORGANIZATION = (
    "linear:team:team-1",
    "linear:project:project-1",
    "linear:organization:org-1",
)


def test_an_issue_belongs_to_its_team_then_to_its_project_and_organization() -> None:
    route = route_of(issue(project="project-1"))
    assert (route.resource_key, route.resource_id) == (TEAM, "team-1")
    assert (route.resource_name, route.resource_meta) == ("Engineering", {"team_key": "ENG"})
    assert route.alternatives == ((PROJECT, "project-1"), (ORGANIZATION, "org-1"))
    assert route.installation_id == "org-1"
    assert route.via is None


def test_a_payload_of_2021_names_no_organization() -> None:
    route = route_of(issue(generation=2021))
    assert (route.resource_key, route.alternatives, route.installation_id) == (TEAM, (), None)


@pytest.mark.parametrize("payload", [cycle(), label(teamId="team-1")], ids=["cycle", "label"])
def test_a_payload_goes_to_the_team_that_it_names(payload: dict[str, object]) -> None:
    assert route_of(payload).resource_key == TEAM


def test_a_label_of_all_teams_goes_to_the_organization() -> None:
    assert route_of(label()).resource_key == ORGANIZATION


def test_a_project_belongs_to_each_of_its_teams_and_is_a_resource_itself() -> None:
    route = route_of(project())
    assert route.resource_key == TEAM
    assert [key for key, _ in route.alternatives] == ["linear:team:team-2", PROJECT, ORGANIZATION]
    assert route_of(project(teamIds=[])).resource_key == PROJECT


def test_a_comment_goes_to_the_team_that_it_names_or_through_its_issue() -> None:
    assert route_of(comment(team=True)).resource_key == TEAM
    route = route_of(comment())
    assert (route.resource_key, route.via) == (ORGANIZATION, "linear:issue:issue-12")
    oldest = route_of(comment(generation=2021))
    assert oldest.resource_key == oldest.via == "linear:issue:issue-12"
    assert oldest.alternatives == ()


def test_a_project_update_goes_to_the_teams_in_its_snapshot_or_through_its_project() -> None:
    route = route_of(project_update(infoSnapshot={"teamsInfo": [{"id": "team-1"}]}))
    assert route.resource_key == TEAM
    assert route.via == PROJECT
    assert route_of(project_update()).resource_key == PROJECT
    assert route_of(project_update()).alternatives == ((ORGANIZATION, "org-1"),)


def test_an_attachment_goes_through_its_issue_and_a_reaction_through_its_issue_or_comment() -> None:
    assert route_of(attachment()).via == "linear:issue:issue-12"
    assert route_of(reaction()).via == "linear:issue:issue-12"
    assert route_of(reaction(generation=2023)).via == "linear:ref:comment:comment-1"


@pytest.mark.parametrize(
    "payload",
    [attachment(), comment(), project_update(), reaction()],
    ids=["attachment", "comment", "project update", "reaction"],
)
def test_a_payload_routed_by_a_thing_is_about_it_or_mentions_it(
    payload: dict[str, object],
) -> None:
    statement = statement_of(payload)
    assert route_of(payload).via in {mention.thing.key for mention in statement.mentions}


def test_a_reaction_is_routed_by_an_alias_of_the_comments_issue() -> None:
    assert route_of(reaction(generation=2023)).via in statement_of(comment()).subject.aliases


def test_the_connection_itself_belongs_to_the_organization() -> None:
    assert route_of(envelope("OAuthApp", "revoked", {})).resource_key == ORGANIZATION


def test_a_payload_that_names_nothing_has_no_route() -> None:
    assert PROVIDER.route("Issue", {"type": "Issue", "data": {"id": "x"}}) is None
