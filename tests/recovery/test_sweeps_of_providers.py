"""Each provider's sweep: its requests, its lists, and that its record is read as a deletion."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lightfast_pipelines.domain.events import Understood
from lightfast_pipelines.providers import discover
from lightfast_pipelines.providers.api_contract import Answer, LinkedResource
from lightfast_pipelines.providers.recovery_contract import IdSweep, KnownEntity, discover_recovery
from tests.providers.github import more_payloads as more
from tests.providers.github import payloads as github
from tests.providers.linear import payloads as linear
from tests.providers.sentry import payloads as sentry
from tests.providers.vercel import payloads as vercel

AT = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)
PLACES = {
    "github": LinkedResource("github", "1", "acme/shop"),
    "vercel": LinkedResource("vercel", "prj_1", "shop"),
    "linear": LinkedResource("linear", "team-1", "Engineering"),
    "sentry": LinkedResource("sentry", "42", "acme/shop"),
}
# Provider, kind of the sweep, event, and the latest payload about the thing.
LAST: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "issue": ("github", "issue", "issues", github.issue("closed")),
    "discussion": ("github", "discussion", "discussion", github.discussion("created")),
    "comment": ("github", "comment", "issue_comment", more.issue_comment()),
    "review comment": (
        "github",
        "review-comment",
        "pull_request_review_comment",
        more.review_comment(),
    ),
    "commit comment": ("github", "commit-comment", "commit_comment", more.commit_comment()),
    "discussion comment": (
        "github",
        "discussion-comment",
        "discussion_comment",
        more.discussion_comment(node_id="DC_5"),
    ),
    "release": ("github", "release", "release", github.release()),
    "deployment": ("github", "deployment", "deployment_status", more.deployment_status()),
    "Vercel deployment": ("vercel", "deployment", "deployment.created", vercel.deployment()),
    "Linear issue": ("linear", "issue", "Issue", linear.issue("create")),
    "Linear project": ("linear", "project", "Project", linear.project("create")),
    "Linear comment": ("linear", "comment", "Comment", linear.comment("create")),
    "Sentry issue": ("sentry", "issue", "issue", sentry.issue("resolved")),
}


def sweep_of(provider: str, kind: str) -> IdSweep:
    [sweep] = [each for each in discover_recovery()[provider].sweeps if each.kind == kind]
    return sweep


@pytest.mark.parametrize("case", LAST)
def test_a_deletion_that_a_sweep_found_is_read_like_the_webhooks(case: str) -> None:
    name, kind, event, payload = LAST[case]
    provider, sweep, place = discover()[name], sweep_of(name, kind), PLACES[name]
    reading = provider.read(event, payload)
    assert isinstance(reading, Understood)
    statement = reading.statements[0]
    key = statement.part or statement.subject.key
    scope = sweep.scope(place)
    assert key.startswith(scope.prefix)
    assert statement.source_type.startswith(scope.source_type)
    assert scope.of_parts == (statement.part is not None)
    record = sweep.record(place, KnownEntity(key, statement.subject.name, event, payload), AT)
    from msgspec.json import encode

    body = provider.decode(encode(record.payload), record.headers)
    deletion_read = provider.read(record.event_type, body)
    assert isinstance(deletion_read, Understood), deletion_read
    [deletion] = deletion_read.statements
    assert (deletion.part or deletion.subject.key) == key
    assert deletion.actor is None
    assert deletion.occurred_at == AT
    assert [
        (each.thing.key, each.value, each.at)
        for each in deletion.states
        if each.state_type == "existence"
    ] == [(key, "deleted", AT)]
    before, after = provider.route(event, payload), provider.route(record.event_type, body)
    assert before is not None
    assert after is not None
    assert (after.resource_key, after.alternatives) == (before.resource_key, before.alternatives)
    assert sweep.record(place, KnownEntity(key, None, event, payload), AT) == sweep.record(
        place, KnownEntity(key, None, event, payload), AT
    )


@pytest.mark.parametrize("case", ["issue", "discussion", "release", "deployment"])
def test_a_deletion_at_github_can_be_recorded_without_a_stored_payload(case: str) -> None:
    name, kind, event, payload = LAST[case]
    provider, sweep = discover()[name], sweep_of(name, kind)
    reading = provider.read(event, payload)
    assert isinstance(reading, Understood)
    key = reading.statements[0].subject.key
    record = sweep.record(PLACES[name], KnownEntity(key, "#5 The cart", "", {}), AT)
    deletion_read = provider.read(record.event_type, record.payload)
    assert isinstance(deletion_read, Understood)
    assert deletion_read.statements[0].subject.key == key


def test_the_deletion_of_a_comment_needs_a_stored_payload() -> None:
    with pytest.raises(ValueError, match="what the comment was about"):
        sweep_of("github", "comment").record(
            PLACES["github"], KnownEntity("github:comment:comment:5", None, "", {}), AT
        )


def answer(data: Any, **headers: str) -> Answer:
    return Answer(200, headers, data)


def test_vercel_lists_by_time_and_shows_what_is_deleted() -> None:
    sweep, place = sweep_of("vercel", "deployment"), PLACES["vercel"]
    assert sweep.call(place, None).params == {"limit": "100", "projectId": "prj_1"}
    listed = sweep.read(
        place,
        None,
        answer(
            {
                "deployments": [
                    {"uid": "dpl_1", "readyState": "READY"},
                    {"uid": "dpl_2", "readyState": "DELETED", "deleted": 1_714_644_000_000},
                ],
                "pagination": {"count": 2, "next": 1_714_000_000_000, "prev": None},
            }
        ),
    )
    assert listed.keys == ["vercel:deployment:dpl_1"]
    assert listed.gone == {"vercel:deployment:dpl_2": datetime(2024, 5, 2, 10, tzinfo=UTC)}
    assert sweep.call(place, listed.next).params["until"] == "1714000000000"
    alone = [KnownEntity("vercel:deployment:dpl_3", None, "", {})]
    assert sweep.confirm(place, alone).path == "/v13/deployments/dpl_3"
    assert sweep.gone(place, alone, None) == {"vercel:deployment:dpl_3": None}
    assert sweep.gone(place, alone, answer({"id": "dpl_3", "readyState": "READY"})) == {}


def test_linear_lists_the_trash_with_its_times_and_confirms_many_at_once() -> None:
    sweep, place = sweep_of("linear", "issue"), PLACES["linear"]
    variables = sweep.call(place, None).json["variables"]
    named = {"id": {"eq": "team-1"}}
    assert variables == {"filter": {"or": [{"team": named}, {"project": named}]}}
    page = {"hasNextPage": True, "endCursor": "c1"}
    nodes = [
        {"id": "a", "trashed": None, "archivedAt": None},
        {"id": "b", "trashed": True, "archivedAt": "2024-05-02T10:00:00.000Z"},
    ]
    listed = sweep.read(
        place, None, answer({"data": {"issues": {"nodes": nodes, "pageInfo": page}}})
    )
    assert (listed.keys, listed.next) == (["linear:issue:a"], {"after": "c1"})
    assert listed.gone == {"linear:issue:b": datetime(2024, 5, 2, 10, tzinfo=UTC)}
    things = [KnownEntity(f"linear:issue:{each}", None, "", {}) for each in "abc"]
    assert sweep.confirm(place, things).json["variables"]["filter"] == {
        "id": {"in": ["a", "b", "c"]}
    }
    gone = sweep.gone(place, things, answer({"data": {"issues": {"nodes": nodes}}}))
    assert gone == {
        "linear:issue:b": datetime(2024, 5, 2, 10, tzinfo=UTC),
        "linear:issue:c": None,
    }


def test_linear_lists_comments_by_the_team_of_their_issue() -> None:
    call = sweep_of("linear", "comment").call(PLACES["linear"], None)
    wanted = call.json["variables"]["filter"]["or"]
    assert {"issue": {"team": {"id": {"eq": "team-1"}}}} in wanted


@pytest.mark.parametrize("case", LAST)
def test_a_call_for_a_single_thing_is_marked_so(case: str) -> None:
    """Without the mark, a thing that is missing would be a failure and not a deletion."""
    name, kind, _, _ = LAST[case]
    sweep, place = sweep_of(name, kind), PLACES[name]
    call = sweep.confirm(
        place, [KnownEntity("a:b:c:1#5", None, "", {"comment": {"node_id": "DC_5"}})]
    )
    assert call.of_one is (name != "linear")  # it takes many, by a filter


def test_sentry_lists_three_months_and_follows_the_link() -> None:
    sweep, place = sweep_of("sentry", "issue"), PLACES["sentry"]
    assert "statsPeriod=90d" in sweep.call(place, None).path
    link = '<https://sentry.io/x/?&cursor=0:100:0>; rel="next"; results="true"; cursor="0:100:0"'
    items = [{"id": "7", "project": {"id": "42", "slug": "shop"}}]
    listed = sweep.read(place, None, answer(items, link=link))
    assert listed.keys == ["sentry:issue:42:7"]
    assert "cursor=0%3A100%3A0" in sweep.call(place, listed.next).path


@pytest.mark.parametrize(
    ("provider", "kind"),
    [
        ("github", "issue"),
        ("github", "release"),
        ("vercel", "deployment"),
        ("linear", "issue"),
        ("sentry", "issue"),
    ],
)
@pytest.mark.parametrize("data", [None, [1], {"data": None}, "text", {"deployments": 3}])
def test_a_malformed_list_is_an_error_and_not_an_empty_list(
    provider: str, kind: str, data: Any
) -> None:
    if provider == "sentry" and data == [1]:
        return
    with pytest.raises((ValueError, LookupError, TypeError, AttributeError)):
        sweep_of(provider, kind).read(PLACES[provider], None, answer(data))
