"""What comments, reactions, attachments, projects, cycles and labels state, and the connection."""

from __future__ import annotations

from typing import Any

import pytest

from lightfast_pipelines.domain.enrichment import enrich
from lightfast_pipelines.domain.events import Filtered, Lifecycle, Parked
from lightfast_pipelines.providers.linear import PROVIDER
from tests.providers.linear.payloads import (
    CHANGED_AT,
    ORGANIZATION,
    attachment,
    comment,
    cycle,
    envelope,
    issue,
    issue_update,
    label,
    project,
    project_update,
    reaction,
)
from tests.providers.linear.readings import (
    edges,
    mentioned,
    read,
    references,
    statement_of,
    statements_of,
    states,
)

ISSUE, PROJECT, CYCLE = "linear:issue:issue-12", "linear:project:project-1", "linear:cycle:cycle-1"
COMMENT, COMMENT_REF = "linear:comment:comment-1", "linear:ref:comment:comment-1"
AT = "2024-05-02T12:00:00.500Z"


def test_a_comment_is_about_its_issue_and_gives_it_an_alias() -> None:
    statement = statement_of(comment(parentId="comment-0"))
    assert statement.source_id == f"{COMMENT}|created"
    assert statement.source_type == "comment.created"
    assert statement.subject.key == ISSUE
    assert statement.subject.aliases == ("linear:ref:ENG-12", "linear:ref:acme/ENG-12", COMMENT_REF)
    assert statement.title == "[Comment Added] ENG-12: The total is wrong."
    assert statement.content == "The total is wrong.\nOn issue: ENG-12 - Add a cart"
    assert references(statement) == [("issue", "ENG-12", None)]
    assert statement.metadata["parentCommentId"] == "comment-0"
    assert statement.author is not None
    assert statement.author.name == "Ada"


def test_the_identifier_of_a_comments_issue_can_come_from_the_address() -> None:
    statement = statement_of(comment(generation=2023))
    assert statement.subject.aliases == ("linear:ref:ENG-12", "linear:ref:acme/ENG-12", COMMENT_REF)
    assert statement.subject.url == "https://linear.app/acme/issue/ENG-12/a-cart"
    assert statement.title == "[Comment Added] ENG-12: The total is wrong."


def test_a_comment_edited_resolved_and_deleted() -> None:
    edited = statement_of(comment("update", updated_from={"body": "x", "editedAt": None}))
    assert edited.source_id == f"{COMMENT}|edited|{AT}"
    assert edited.title == "[Comment Updated] ENG-12: The total is wrong."
    resolved = statement_of(
        comment("update", updated_from={"resolvedAt": None}, resolvedAt="2024-05-02T11:00:00.000Z")
    )
    assert resolved.source_id == f"{COMMENT}|resolved|2024-05-02T11:00:00.000Z"
    assert statement_of(comment("remove")).source_id == f"{COMMENT}|deleted|{AT}"
    assert isinstance(read(comment("update", updated_from={"reactionData": []})), Filtered)


def test_a_long_comment_is_cut_in_the_title_and_whole_in_the_content() -> None:
    statement = statement_of(comment(body="word " * 400))
    assert len(statement.title) < 100
    assert statement.title.endswith("...")
    assert len(statement.content) > 1900


def test_a_comment_on_a_project_update_is_about_the_project() -> None:
    update = {"id": "update-1", "project": {"id": "project-1", "name": "Checkout"}}
    statement = statement_of(comment(issueId=None, issue=None, projectUpdate=update))
    assert statement.subject.key == PROJECT
    assert statement.title == "[Comment Added] Checkout: The total is wrong."


def test_a_comment_on_something_unknown_is_about_itself() -> None:
    statement = statement_of(comment(issueId=None, issue=None, postId="post-1"))
    assert statement.subject.key == COMMENT


def test_a_reaction_is_counted_on_the_comment_in_every_generation() -> None:
    found = [statement_of(reaction(generation=generation)) for generation in (2021, 2023, 2026)]
    assert {each.source_id for each in found} == {"linear:reaction:reaction-1|created"}
    assert [mentioned(each, "reacted_to") for each in found] == [[COMMENT_REF]] * 3
    assert [each.subject.key for each in found] == [COMMENT_REF, COMMENT_REF, ISSUE]
    assert {each.metadata["emoji"] for each in found} == {"heart"}
    assert {each.base_significance for each in found} == {5}
    removed = statement_of(reaction("remove"))
    assert removed.source_id == f"linear:reaction:reaction-1|deleted|{AT}"
    assert mentioned(removed, "reacted_to") == [COMMENT_REF]


def test_a_reaction_to_an_issue_or_a_project_update_is_counted_there() -> None:
    on_issue = statement_of(reaction(comment=None, issue={"id": "issue-12"}))
    assert (on_issue.subject.key, mentioned(on_issue, "reacted_to")) == (ISSUE, [ISSUE])
    update = {"id": "update-1", "project": {"id": "project-1"}}
    on_update = statement_of(reaction(comment=None, projectUpdate=update))
    assert on_update.subject.key == PROJECT
    assert mentioned(on_update, "reacted_to") == ["linear:ref:project-update:update-1"]
    assert isinstance(read(reaction(comment=None)), Parked)


def test_an_attachment_links_the_issue_to_its_pull_request() -> None:
    statement = statement_of(attachment())
    assert statement.source_id == "linear:attachment:attachment-1|created"
    assert statement.subject.key == ISSUE
    assert edges(statement) == {(ISSUE, "tracked_in", "github:ref:acme/shop#7")}
    assert references(statement) == [("pr", "#7", "tracked_in")]
    assert statement.title == "[Attachment Added] Add a cart"


@pytest.mark.parametrize(
    ("address", "more", "expected"),
    [
        (
            "https://acme.sentry.io/issues/991/?referrer=linear",
            {},
            "sentry:ref:sentry.io/issue:991",
        ),
        ("https://sentry.io/organizations/acme/issues/991", {}, "sentry:ref:sentry.io/issue:991"),
        ("https://acme.sentry.io/issues/SHOP-1A/", {}, "sentry:ref:sentry.io/acme/SHOP-1A"),
        (
            "https://sentry.acme.dev/organizations/acme/issues/991/",
            {},
            "sentry:ref:sentry.acme.dev/issue:991",
        ),
        (
            "https://sentry.acme.dev/x",
            {"sourceType": "sentryIssue", "metadata": {"shortId": "shop-1a"}},
            "sentry:ref:SHOP-1A",
        ),
        ("https://git.acme.dev/acme/shop/issues/7", {}, "github:ref:git.acme.dev/acme/shop#7"),
        ("https://git.acme.dev/acme/shop/issues/7", {"sourceType": "url"}, None),
        ("https://notsentry.io/issues/991", {"sourceType": "url"}, None),
        ("https://figma.com/file/1", {"sourceType": "figma"}, None),
        ("https://sentry.acme.dev/x", {"sourceType": "sentry"}, None),
    ],
)
def test_an_attachment_that_is_no_pull_request(
    address: str, more: dict[str, Any], expected: str | None
) -> None:
    statement = statement_of(attachment(address=address, **more))
    assert [edge.object.key for edge in statement.edges] == ([expected] if expected else [])
    assert {edge.type for edge in statement.edges} <= {"references"}


@pytest.mark.parametrize(
    ("address", "relation"),
    [
        ("https://github.com/Acme/shop/pull/7", "tracked_in"),
        ("https://acme.sentry.io/issues/991/", "references"),
    ],
)
def test_an_attachment_makes_one_edge_although_its_text_names_the_thing_too(
    address: str, relation: str
) -> None:
    statement = statement_of(attachment(address=address, subtitle=f"see {address}"))
    assert [edge.type for edge in enrich(statement).edges] == [relation]


def test_an_attachment_with_only_a_new_status_is_filtered_and_one_without_an_issue_parked() -> None:
    assert isinstance(read(attachment("update", updated_from={"metadata": {"a": 1}})), Filtered)
    assert statement_of(attachment("update", updated_from={"title": "x"})).source_type == (
        "attachment.title-changed"
    )
    assert isinstance(read(attachment(issueId=None)), Parked)


@pytest.mark.parametrize("generation", [2021, 2023, 2026])
def test_a_project_with_its_state_in_every_generation(generation: int) -> None:
    statement = statement_of(project(generation=generation))
    assert statement.source_id == f"{PROJECT}|created"
    assert statement.title == "[Project Created] Project: Checkout"
    assert states(statement) == [(PROJECT, "status", "planned")]
    assert statement.metadata["teamIds"] == ["team-1", "team-2"]
    before = {"statusId": "x"} if generation == 2026 else {"state": "backlog"}
    moved = statement_of(
        project("update", status="started", updated_from=before, generation=generation)
    )
    assert moved.source_id == f"{PROJECT}|state-changed|{AT}"
    assert states(moved) == [(PROJECT, "status", "started")]
    gone = statement_of(project("remove", generation=generation))
    assert gone.source_type == "project.deleted"
    assert states(gone) == [(PROJECT, "status", "canceled"), (PROJECT, "existence", "deleted")]


def test_a_project_update_moves_the_health_of_its_project() -> None:
    statement = statement_of(project_update())
    assert statement.source_id == "linear:project-update:update-1|created"
    assert statement.subject.key == PROJECT
    assert statement.title == "[Project Update Posted] Checkout: The cart is done."
    assert statement.content == "The cart is done.\nProject: Checkout\nHealth: + onTrack"
    assert states(statement) == [(PROJECT, "health", "on_track")]
    assert statement.states[0].reason == "project-update.created"  # it does not open the project
    assert statement.subject.aliases == ("linear:ref:project-update:update-1",)
    worse = statements_of(
        project_update("update", health="atRisk", updated_from={"health": "onTrack", "body": "x"})
    )
    assert [each.source_type for each in worse] == [
        "project-update.edited",
        "project-update.health-changed",
    ]
    assert [states(each) for each in worse] == [[], [(PROJECT, "health", "at_risk")]]
    gone = statement_of(project_update("remove"))
    assert states(gone) == [("linear:project-update:update-1", "existence", "deleted")]
    assert gone.part == "linear:project-update:update-1"
    assert isinstance(read(project_update(projectId=None, project=None)), Parked)


def test_a_cycle_from_planned_to_completed() -> None:
    created = statement_of(cycle())
    assert created.title == "[Cycle Created] Cycle 3"
    assert states(created) == [(CYCLE, "status", "upcoming")]
    renamed = statement_of(cycle("update", name="Launch", updated_from={"name": None}))
    assert renamed.source_id == f"{CYCLE}|name-changed|{AT}"
    assert states(renamed) == [(CYCLE, "status", "started")]  # it had begun at midnight
    assert renamed.states[0].at.isoformat() == "2024-05-02T00:00:00+00:00"
    done = statement_of(
        cycle("update", completedAt=CHANGED_AT, updated_from={"completedAt": None, "scope": 3})
    )
    assert done.source_type == "cycle.completed"
    assert states(done) == [(CYCLE, "status", "completed")]
    gone = statement_of(cycle("remove"))
    assert states(gone) == [(CYCLE, "status", "canceled"), (CYCLE, "existence", "deleted")]


def test_a_label_is_an_observation_but_a_change_of_its_color_is_not() -> None:
    assert statement_of(label()).title == "[Label Created] Bug"
    renamed = statement_of(label("update", updated_from={"name": "Defect", "color": "#000"}))
    assert renamed.source_id == f"linear:label:label-1|name-changed|{AT}"
    assert statement_of(label("remove")).source_type == "issue-label.deleted"
    reading = read(label("update", updated_from={"color": "#000"}))
    assert isinstance(reading, Filtered)
    assert reading.reason == "no relevant field changed: color"


def test_a_revoked_application_removes_the_installation() -> None:
    payload = envelope("OAuthApp", "revoked", {}, at=CHANGED_AT) | {"oauthClientId": "o"}
    reading = read(payload)
    assert isinstance(reading, Lifecycle)
    (event,) = reading.events
    assert (event.subject_kind, event.subject_id, event.change) == (
        "installation",
        ORGANIZATION,
        "removed",
    )
    assert event.occurred_at is not None


def test_teams_that_the_application_gained_and_lost() -> None:
    payload = envelope("PermissionChange", "teamAccessChanged", {}, at=CHANGED_AT)
    reading = read(payload | {"addedTeamIds": ["team-1"], "removedTeamIds": ["team-2"]})
    assert isinstance(reading, Lifecycle)
    assert [(event.subject_id, event.change) for event in reading.events] == [
        ("team-1", "active"),
        ("team-2", "removed"),
    ]
    assert isinstance(read(payload), Filtered)


@pytest.mark.parametrize("kind", ["Customer", "AgentSessionEvent", "IssueSLA", "OAuthApp"])
def test_an_unknown_event_is_parked(kind: str) -> None:
    reading = read(envelope(kind, "create", {"id": "x"}))
    assert isinstance(reading, Parked)
    assert "not known yet" in reading.reason


def test_an_unknown_action_and_a_body_of_another_type_are_parked() -> None:
    assert isinstance(read(envelope("Issue", "merge", {"id": "x"})), Parked)
    assert isinstance(PROVIDER.read("Issue", comment()), Parked)


@pytest.mark.parametrize("kind", ["AppUserNotification", "OAuthAuthorization"])
def test_events_for_the_application_alone_are_filtered(kind: str) -> None:
    assert isinstance(read(envelope(kind, "issueMention", {})), Filtered)


def test_every_event_has_its_declared_outcome() -> None:
    rules = {(rule.event, rule.action): rule for rule in PROVIDER.events}
    assert len(rules) == len(PROVIDER.events)
    made = (comment, reaction, attachment, project, project_update, cycle, label, issue)
    for make in made:
        for action in ("create", "remove"):
            payload = make(action)
            rule = rules[payload["type"], action]
            assert (statement_of(payload).source_type,) == rule.source_types
    for kind in PROVIDER.default_events - {"IssueSLA"}:
        assert rules[kind, "update"].source_types
    statements = statements_of(issue_update({"stateId": "x", "title": "x", "trashed": True}))
    assert {statement.source_type for statement in statements} < set(
        rules["Issue", "update"].source_types
    )
    others = {rule.event for rule in PROVIDER.events} - PROVIDER.default_events
    assert others == {"OAuthApp", "PermissionChange", "AppUserNotification", "OAuthAuthorization"}


def test_every_kind_that_is_read_is_among_the_default_events() -> None:
    kinds = {
        each["type"]
        for each in (comment(), reaction(), attachment(), project(), project_update(), cycle())
    } | {"Issue", "IssueLabel"}
    kinds |= {"Initiative", "InitiativeUpdate", "Document", "Release", "ReleaseNote"}
    kinds |= {"CustomerNeed", "IssueRelation", "IssueSLA"}
    assert PROVIDER.default_events == kinds
    assert {PROVIDER.sync_event(kind, {}) for kind in kinds} == kinds
