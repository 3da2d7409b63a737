"""What initiatives, documents, releases, customer requests, relations and deadlines state."""

from __future__ import annotations

from typing import Any

import pytest

from lightfast_pipelines.domain.enrichment import enrich
from lightfast_pipelines.domain.events import Parked
from lightfast_pipelines.providers.linear import PROVIDER
from tests.providers.linear.payloads import (
    CHANGED_AT,
    CREATED_AT,
    ORGANIZATION,
    TEAM,
    comment,
    envelope,
    issue_data,
    user,
)
from tests.providers.linear.readings import (
    edges,
    mentioned,
    read,
    route_of,
    statement_of,
    statements_of,
    states,
)

Json = dict[str, Any]
SHA = "0123456789abcdef0123456789abcdef01234567"
INITIATIVE, RELEASE = "linear:initiative:initiative-1", "linear:release:release-1"
ISSUE = {"id": "issue-12", "identifier": "ENG-12", "title": "Add a cart", "team": dict(TEAM)}
KINDS: dict[str, Json] = {
    "Initiative": {
        "id": "initiative-1",
        "name": "Sell abroad",
        "description": "In every currency.",
        "status": "Planned",
        "ownerId": "user-ada",
        "owner": user("Ada"),
        "creatorId": "user-grace",
        "slugId": "abc",
        "url": "https://linear.app/acme/initiative/sell-abroad-abc",
        "projects": [{"id": "project-1", "name": "Checkout", "url": "https://linear.app/acme/p/1"}],
        "parentInitiatives": [{"id": "initiative-0", "name": "Grow", "url": None}],
    },
    "InitiativeUpdate": {
        "id": "report-1",
        "body": "Two of three currencies are in.",
        "health": "atRisk",
        "initiativeId": "initiative-1",
        "initiative": {"id": "initiative-1", "name": "Sell abroad", "url": None},
        "userId": "user-ada",
        "user": user("Ada"),
    },
    "Document": {
        "id": "document-1",
        "title": "How money is rounded",
        "content": "Half to even.",
        "projectId": "project-1",
        "creatorId": "user-ada",
        "slugId": "def",
    },
    "Release": {
        "id": "release-1",
        "name": "Spring",
        "version": "2.1.0",
        "commitSha": SHA,
        "stageId": "stage-planned",
        "stage": {"id": "stage-planned", "name": "Planned", "type": "planned"},
        "pipelineId": "pipeline-1",
        "pipeline": {"id": "pipeline-1", "name": "Web"},
        "issues": [ISSUE],
        "creatorId": "user-ada",
        "url": "https://linear.app/acme/release/web-2-1-0",
    },
    "ReleaseNote": {
        "id": "note-1",
        "title": "Spring is here",
        "content": "A cart.",
        "releaseIds": ["release-0", "release-1"],
        "lastReleaseId": "release-1",
        "pipelineId": "pipeline-1",
        "creatorId": "user-ada",
    },
    "CustomerNeed": {
        "id": "need-1",
        "body": "We lose the cart at night.",
        "priority": 1,
        "customerId": "customer-1",
        "customer": {"id": "customer-1", "name": "Globex"},
        "issueId": "issue-12",
        "issue": ISSUE,
        "creatorId": "user-ada",
    },
    "IssueRelation": {
        "id": "relation-1",
        "type": "blocks",
        "issueId": "issue-12",
        "issue": ISSUE,
        "relatedIssueId": "issue-13",
        "relatedIssue": {"id": "issue-13", "identifier": "ENG-13", "title": "Pay"},
    },
}


def event(kind: str, action: str = "create", was: Json | None = None, **more: Any) -> Json:
    at = CREATED_AT if action == "create" else CHANGED_AT
    data = {"createdAt": CREATED_AT, "updatedAt": at, "archivedAt": None, **KINDS[kind], **more}
    updated_from = None if was is None else {"updatedAt": CREATED_AT, **was}
    return envelope(kind, action, data, at=at, updated_from=updated_from)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("action", ["create", "remove"])
def test_each_kind_of_event_yields_the_declared_source_type(kind: str, action: str) -> None:
    declared = {(rule.event, rule.action): rule.source_types for rule in PROVIDER.events}
    statement = statement_of(event(kind, action))
    assert (statement.source_type,) == declared[kind, action]
    assert enrich(statement).observation_type != "other"
    assert route_of(event(kind, action)).installation_id == ORGANIZATION


def test_an_initiative_has_a_status_a_health_and_projects() -> None:
    created = statement_of(event("Initiative"))
    assert states(created) == [(INITIATIVE, "status", "planned")]
    assert edges(created) == {
        ("linear:project:project-1", "belongs_to", INITIATIVE),
        (INITIATIVE, "parent", "linear:initiative:initiative-0"),
    }
    begun = statement_of(event("Initiative", "update", {"status": "Planned"}, status="Active"))
    assert begun.source_type == "initiative.status-changed"
    assert states(begun) == [(INITIATIVE, "status", "active")]
    health = event(
        "Initiative",
        "update",
        {"health": None, "healthUpdatedAt": None, "updatedAt": CHANGED_AT},
        health="offTrack",
        healthUpdatedAt="2024-05-20T08:00:00.000Z",
    )
    assert statement_of(health).source_id.endswith("|health-changed|2024-05-20T08:00:00.000Z")
    assert states(statement_of(health)) == [(INITIATIVE, "health", "off_track")]


def test_a_report_on_an_initiative_sets_its_health() -> None:
    told = statement_of(event("InitiativeUpdate"))
    assert told.subject.key == INITIATIVE
    assert told.part == "linear:initiative-update:report-1"
    assert states(told) == [(INITIATIVE, "health", "at_risk")]
    assert "Two of three currencies" in told.content


def test_a_comment_on_a_report_is_about_the_initiative() -> None:
    """A comment names the report alone: the initiative answers to it."""
    told = statement_of(comment(issueId=None, issue=None, initiativeUpdate={"id": "report-1"}))
    assert told.subject.key in statement_of(event("InitiativeUpdate")).subject.aliases
    of_document = {"document": {"id": "document-1", "initiativeId": "initiative-1"}}
    about = statement_of(comment(issueId=None, issue=None, documentContent=of_document))
    assert about.subject.key == INITIATIVE


def test_a_document_has_its_title_and_belongs_to_its_project() -> None:
    told = statement_of(event("Document", "update", {"title": "Rounding"}))
    assert told.source_type == "document.title-changed"
    assert "How money is rounded" in told.title
    assert edges(told) == {("linear:document:document-1", "belongs_to", "linear:project:project-1")}


def test_a_release_contains_its_commit_and_issues_and_goes_through_its_stages() -> None:
    created = statement_of(event("Release"))
    assert edges(created) == {
        (RELEASE, "contains", f"github:commit:{SHA}"),
        (RELEASE, "contains", "linear:issue:issue-12"),
    }
    assert states(created) == [(RELEASE, "status", "planned")]
    stage = {"id": "stage-done", "name": "Live", "type": "completed"}
    out = statement_of(
        event("Release", "update", {"stageId": "stage-planned"}, stageId="stage-done", stage=stage)
    )
    assert out.source_type == "release.stage-changed"
    assert states(out) == [(RELEASE, "status", "completed")]
    assert out.title == "[Release Updated] Web Spring (stage: Live)"
    note = statement_of(event("ReleaseNote"))
    assert note.subject.key == RELEASE


def test_a_customer_request_is_about_the_issue_that_it_asks_for() -> None:
    told = statement_of(event("CustomerNeed"))
    assert told.subject.key == "linear:issue:issue-12"
    assert mentioned(told, "customer") == ["linear:customer:customer-1"]
    assert told.title == "[Customer Request] ENG-12: We lose the cart at night. (Globex)"
    of_project = event("CustomerNeed", issueId=None, issue=None, projectId="project-1")
    assert statement_of(of_project).subject.key == "linear:project:project-1"
    assert isinstance(read(event("CustomerNeed", issueId=None, issue=None)), Parked)


@pytest.mark.parametrize(
    ("kind", "edge"),
    [("blocks", "blocks"), ("duplicate", "duplicates"), ("related", "references")],
)
def test_a_relation_is_an_edge_between_the_two_issues(kind: str, edge: str) -> None:
    told = statement_of(event("IssueRelation", type=kind))
    assert edges(told) == {("linear:issue:issue-12", edge, "linear:issue:issue-13")}
    assert edges(statement_of(event("IssueRelation", "remove", type=kind))) == set()


@pytest.mark.parametrize(
    ("action", "transition", "state"),
    [
        ("set", "sla-set", "running"),
        ("highRisk", "sla-at-risk", "at_risk"),
        ("breached", "sla-breached", "breached"),
    ],
)
def test_a_deadline_that_is_set_at_risk_or_missed_is_dated_by_its_event(
    action: str, transition: str, state: str
) -> None:
    payload = envelope(
        "IssueSLA", action, {}, at=CHANGED_AT, url="https://linear.app/acme/issue/ENG-12"
    )
    del payload["data"]
    payload["issueData"] = issue_data() | {"slaBreachesAt": "2024-05-02T12:00:00.000Z"}
    told = statement_of(payload)
    assert told.source_type == f"issue.{transition}"
    assert told.source_id == f"linear:issue:issue-12|{transition}|{CHANGED_AT}"
    assert states(told) == [("linear:issue:issue-12", "sla", state)]
    assert route_of(payload).resource_id == TEAM["id"]


def test_an_update_of_an_initiative_without_a_relevant_change_is_filtered() -> None:
    both = event("Initiative", "update", {"sortOrder": 1, "name": "Sell"}, sortOrder=2)
    assert [statement.source_type for statement in statements_of(both)] == [
        "initiative.name-changed"
    ]
