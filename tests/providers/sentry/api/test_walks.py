"""Sentry's issues, errors and alerts, walked: nothing lost, told as the webhooks told it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import Statement
from lightfast_pipelines.providers.api_contract import (
    Answer,
    Credential,
    LinkedResource,
    Walker,
    Window,
)
from lightfast_pipelines.providers.sentry import PROVIDER
from lightfast_pipelines.providers.sentry.api import API
from lightfast_pipelines.providers.sentry.api.activities import NOT_KEPT
from lightfast_pipelines.providers.sentry.api.envelope import site
from lightfast_pipelines.providers.sentry.api.errors import SAMPLE
from lightfast_pipelines.providers.sentry.api.organization import organization_of, project_params
from lightfast_pipelines.providers.sentry.api.shared_facts import (
    DATED_BY_SENDING,
    ONLY_BY_API,
    ONLY_BY_WEBHOOK,
    SHARED,
)
from tests.depth import examples
from tests.providers.agreement import api_of, statements, untold
from tests.servers.sentry import (
    TOKEN,
    UUID,
    Activity,
    Incident,
    Issue,
    World,
    application,
    webhooks,
)
from tests.servers.walking import Walk

WALKERS = {walker.entity_type: walker for walker in API.walkers}
PLACE = LinkedResource("sentry", "42", "shop", meta={"organization": "acme"}, installation_id=UUID)
CREDENTIAL = Credential("token", TOKEN)
BEGIN = datetime(2024, 5, 1, 10, tzinfo=UTC)
WINDOW = Window(BEGIN - timedelta(days=2), BEGIN + timedelta(days=20))
SHA = "ab" * 20

_KINDS: list[tuple[str, dict[str, Any]]] = [
    ("set_resolved", {}),
    ("set_resolved_in_release", {"version": "shop@1.5.0"}),
    (
        "set_resolved_in_commit",
        {"commit": {"id": SHA, "message": "Guard it", "repository": {"name": "acme/shop"}}},
    ),
    ("set_resolved_by_age", {"age": 168}),
    ("set_unresolved", {}),
    ("set_ignored", {"ignoreUntilEscalating": True}),
    ("assigned", {"assignee": "7", "assigneeName": "User 7", "assigneeType": "user"}),
    ("assigned", {"assignee": "3", "assigneeName": "web", "assigneeType": "team"}),
    ("note", {"text": "Seen it before"}),
    ("set_priority", {"priority": "high"}),
]


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Some issues of one first sight, seen again before and after what was decided of them."""
    world = World()
    minutes = st.integers(0, 20_000)
    for number in range(1, draw(st.integers(0, 5)) + 1):
        first = BEGIN + timedelta(minutes=draw(st.sampled_from([0, 0, 7, 3_000])))
        later = draw(st.lists(st.integers(1, 9_000), max_size=3, unique=True))
        issue = Issue(number, [first, *(first + timedelta(minutes=one) for one in sorted(later))])
        issue.release = draw(st.sampled_from(["shop@1.4.2", None]))
        for position, minute in enumerate(sorted(draw(st.lists(minutes, max_size=4, unique=True)))):
            kind, data = draw(st.sampled_from(_KINDS))
            at = first + timedelta(minutes=minute, seconds=30, milliseconds=250)
            by = (
                draw(st.sampled_from([7, 8]))
                if kind == "note"
                else draw(st.sampled_from([7, None]))
            )
            issue.activities.append(Activity(number * 100 + position, kind, at, by, data))
        if len(issue.seen) > 1 and draw(st.booleans()):
            issue.activities.append(
                Activity(number * 100 + 90, "set_regression", issue.seen[-1], None)
            )
        world.issues.append(issue)
    for number in range(1, draw(st.integers(0, 4)) + 1):
        begun = BEGIN + timedelta(minutes=draw(minutes))
        levels = draw(st.lists(st.sampled_from(["warning", "critical"]), max_size=3))
        told = [(level, begun + timedelta(minutes=n, seconds=5)) for n, level in enumerate(levels)]
        if draw(st.booleans()):
            told.append(("resolved", begun + timedelta(minutes=30, seconds=17)))
        world.incidents.append(Incident(number, begun, told))
    return world


def _walked(world: World, kind: str, place: LinkedResource = PLACE, **how: Any) -> Walk:
    world.limit = 10**6
    with api_of(API, application(world), CREDENTIAL) as api:
        return api.walk(WALKERS[kind], place, WINDOW, **how)


def _all(world: World) -> list[Statement]:
    world.limit = 10**6
    found: list[Statement] = []
    with api_of(API, application(world), CREDENTIAL) as api:
        for walker in API.walkers:
            walked = api.walk(walker, PLACE, WINDOW)
            assert not walked.troubles
            for record in walked.records:
                told = statements(PROVIDER, record.event_type, record.payload, record.headers)
                assert told[0].occurred_at == record.occurred_at
                found += told
    return found


def _sent(world: World, delay: float = 0.0) -> list[Statement]:
    deliveries = webhooks(world, delay)
    return [one for delivery in deliveries for one in statements(PROVIDER, *delivery)]


def _who(found: Statement) -> tuple[Any, ...]:
    both = (found.actor, found.author)
    return tuple((one.source, one.source_id) if one else None for one in both)


def _states(found: Statement) -> frozenset[Any]:
    return frozenset((one.thing.key, one.state_type, one.value, one.at) for one in found.states)


def _fact(found: Statement) -> tuple[Any, ...]:
    event = found.occurrence.event_id if found.occurrence else None
    return (
        found.source_id,
        found.source_type,
        found.occurred_at,
        _who(found),
        _states(found),
        event,
    )


def _facts(found: Iterable[Statement], kinds: frozenset[str]) -> set[tuple[Any, ...]]:
    return {_fact(one) for one in found if one.source_type in kinds}


def _decided(found: Iterable[Statement]) -> list[tuple[Any, ...]]:
    """Decisions without what names them, to the second: many alike may be told."""
    return sorted(
        (one.source_type, one.subject.key, one.occurred_at.replace(microsecond=0), _who(one))
        for one in found
        if one.source_type in DATED_BY_SENDING
    )


@examples(25)
@given(worlds(), st.sampled_from([0.0, 3.0]))
def test_webhooks_and_the_walks_state_the_same(world: World, delay: float) -> None:
    by_api, by_webhook = _all(world), _sent(world, delay)
    assert _facts(by_api, SHARED) == _facts(by_webhook, SHARED)
    assert {one.source_type for one in by_api} <= SHARED | DATED_BY_SENDING | set(ONLY_BY_API)


@examples(25)
@given(worlds())
def test_what_is_sent_at_once_is_told_alike_though_only_the_sending_dates_it(world: World) -> None:
    by_api, by_webhook = _all(world), _sent(world)
    assert _decided(by_api) == _decided(by_webhook)
    last = {f"sentry:issue:42:{one.number}": one.last_seen() for one in world.issues}
    silent = [
        [
            one
            for one in found
            if one.occurred_at >= last.get(one.subject.key, BEGIN) or "metric" in one.source_type
        ]
        for found in (by_api, by_webhook)
    ]
    assert _facts(silent[0], DATED_BY_SENDING) == _facts(silent[1], DATED_BY_SENDING)


def _halving(size: int, smaller: int) -> Any:
    return lambda number: size if number < 2 else min(size, smaller)


@examples(12)
@given(worlds(), st.sampled_from([1, 2, 4]), st.sampled_from([1, 2, 4]))
@pytest.mark.parametrize("kind", sorted(WALKERS))
def test_pages_of_any_length_and_a_walk_taken_up_anywhere_lose_nothing(
    kind: str, world: World, size: int, smaller: int
) -> None:
    world.limit = 10**6
    with api_of(API, application(world), CREDENTIAL) as api:
        walker = WALKERS[kind]
        # Of errors the page's length is the sample's too, which must be the same to be compared.
        least = SAMPLE if kind == "error" else 1
        sizes = _halving(max(size, least), max(smaller, least))
        whole = api.walk(walker, PLACE, WINDOW).rows
        short = api.walk(walker, PLACE, WINDOW, sizes=sizes)
        assert short.rows == whole
        for cursor, done in zip(short.cursors, short.had, strict=True):
            rest = api.walk(walker, PLACE, WINDOW, start=cursor, sizes=lambda _: smaller * least)
            seen = {one.delivery_id for one in short.records[:done]}
            assert seen | rest.rows.keys() == whole.keys()


def test_what_the_api_does_not_tell_of_an_event_is_listed() -> None:
    world = World(limit=10**6)
    for number, (kind, data) in enumerate([*_KINDS, ("set_regression", {})], start=1):
        issue = Issue(number, [BEGIN], [Activity(number * 10, kind, BEGIN, 7, data)])
        world.issues.append(issue)
    levels = [("warning", BEGIN), ("critical", BEGIN), ("resolved", BEGIN + timedelta(minutes=2))]
    world.incidents.append(Incident(1, BEGIN, levels))
    by_api = {}
    for kind in WALKERS:
        for record in _walked(world, kind).records:
            (found,) = statements(PROVIDER, record.event_type, record.payload, record.headers)
            by_api[found.source_id, record.payload["action"], str(found.occurrence)] = record
    for event, payload, headers in webhooks(world):
        (found,) = statements(PROVIDER, event, payload, headers)
        record = by_api[found.source_id, payload["action"], str(found.occurrence)]
        known = ONLY_BY_WEBHOOK.get(f"{event}.{payload['action']}", {})
        assert not untold(payload, record.payload, known), (event, payload["action"])


def test_an_issue_resolved_long_after_it_was_last_seen_is_found() -> None:
    silent = Issue(1, [WINDOW.since - timedelta(days=15)])
    silent.activities.append(Activity(11, "set_resolved", WINDOW.since + timedelta(days=1)))
    walked = _walked(World([silent]), "issue")
    assert [record.payload["action"] for record in walked.records] == ["resolved"]


def test_that_nobody_has_an_issue_any_more_is_told_by_the_api_alone() -> None:
    issue = Issue(1, [BEGIN], [Activity(11, "unassigned", BEGIN + timedelta(hours=1))])
    (found,) = [one for one in _all(World([issue])) if one.source_type == "issue.assigned"]
    assert [(one.state_type, one.value) for one in found.states] == [("assignee", "nobody")]


def test_of_many_events_the_newest_and_the_oldest_are_taken() -> None:
    seen = [BEGIN + timedelta(minutes=n) for n in range(SAMPLE * 3)]
    walked = _walked(World([Issue(1, seen)]), "error")
    assert [one.occurred_at for one in walked.records] == [*reversed(seen[-SAMPLE:]), seen[0]]
    assert "customer@shop.test" not in str(walked.records)
    assert "203.0.113.9" not in str(walked.records)


COMMIT = {"id": SHA, "message": "Guard it", "repository": {"name": "acme/shop"}}
PULL = {"id": "5", "title": "Guard", "externalUrl": "https://github.com/acme/shop/pull/5"}


def _told(kind: str, data: dict[str, Any]) -> Statement:
    """What an activity of issue 1 states, beside that it was created."""
    activity = Activity(11, kind, BEGIN + timedelta(hours=1), 7, data)
    (found,) = [
        one
        for one in _all(World([Issue(1, [BEGIN], [activity], release=None)]))
        if one.source_type not in ("issue.created", "error.occurred")
    ]
    return found


@pytest.mark.parametrize(
    ("kind", "data", "told", "origin", "status"),
    [
        ("set_resolved_in_release", {"version": "1.5", "commit": COMMIT}, "resolved", "commit", 1),
        ("set_resolved_in_commit", {"commit": COMMIT}, "resolved", "commit", 1),
        ("referenced_in_commit", {"commit": COMMIT}, "linked", "commit", 0),
        ("set_resolved_in_pull_request", {"pullRequest": PULL}, "linked", "pull", 0),
        (
            "seer_pr_created",
            {"pull_requests": [{"pull_request": {"pr_url": PULL["externalUrl"]}}]},
            "linked",
            "pull",
            0,
        ),
    ],
)
def test_what_resolves_an_issue_is_told_and_a_proposed_fix_leaves_it_open(
    kind: str, data: dict[str, Any], told: str, origin: str, status: int
) -> None:
    found = _told(kind, data)
    assert found.source_type == f"issue.{told}"
    key = {"commit": f"github:commit:{SHA}", "pull": "github:ref:acme/shop#5"}[origin]
    assert (key, "resolves", "sentry:issue:42:1") in {
        (one.subject.key, one.type, one.object.key) for one in found.edges
    }
    assert len(found.states) == status


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("https://github.com/acme/shop/issues/7", "github:ref:acme/shop#7"),
        ("https://linear.app/acme/issue/ENG-12/guard-it", "linear:ref:"),
    ],
)
def test_an_issue_of_another_tracker_references_it(address: str, key: str) -> None:
    (edge,) = [
        one
        for one in _told("create_issue", {"location": address, "label": "ENG-12"}).edges
        if one.type == "references"
    ]
    assert edge.subject.key.startswith(key)
    assert edge.object.key == "sentry:issue:42:1"


def test_a_priority_is_a_state_from_when_it_was_set() -> None:
    (state,) = _told("set_priority", {"priority": "high", "reason": "escalating"}).states
    assert (state.state_type, state.value, state.at) == (
        "priority",
        "high",
        BEGIN + timedelta(hours=1),
    )


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("merge", {"issues": [{"id": 900}]}),
        ("reprocess", {"oldGroupId": 900, "newGroupId": 1, "eventCount": 3}),
    ],
)
def test_an_issue_that_got_another_number_is_an_alias_of_it(
    kind: str, data: dict[str, Any]
) -> None:
    found = _told(kind, data)
    assert found.subject.key == "sentry:issue:42:900"
    assert [(one.state_type, one.value) for one in found.states] == [("status", "merged")]
    (survivor,) = [one.object for one in found.edges if one.type == "duplicates"]
    assert survivor.key == "sentry:issue:42:1"
    assert keys.sentry_merged_issue(900) in survivor.aliases


def test_until_when_an_issue_is_archived_is_told_alike() -> None:
    activity = Activity(
        11, "set_ignored", BEGIN + timedelta(hours=1), 7, {"ignoreUntil": "2024-06-01T00:00:00Z"}
    )
    told = _all(World([Issue(1, [BEGIN], [activity])]))
    state = next(one for each in told for one in each.states if one.value == "archived")
    assert state.metadata == {
        "substatus": "archived_until_condition_met",
        "ignoreUntil": "2024-06-01T00:00:00Z",
    }


def test_every_kind_of_activity_is_decided_and_a_new_one_is_a_trouble() -> None:
    at = BEGIN + timedelta(hours=1)
    activities = [Activity(n, kind, at) for n, kind in enumerate([*NOT_KEPT, "a_new_one"], 11)]
    walked = _walked(World([Issue(1, [BEGIN], activities)]), "issue")
    assert [one.item for one in walked.troubles] == ["a_new_one of issue 1"]


def test_an_end_that_no_activity_tells_comes_after_the_last_level() -> None:
    incident = {
        "id": "1",
        "dateDetected": "2024-05-01T10:00:00Z",
        "dateClosed": "2024-05-01T10:00:00Z",
        "alertRule": {"id": "70", "name": "Failed payments"},
        "organizationId": "5",
        "activities": [
            {"id": "2", "type": 2, "value": "20", "dateCreated": "2024-05-01T10:00:05.5Z"}
        ],
    }
    cursor = {"organization": "acme", "offset": 0}
    page = WALKERS["metric_alert"].read(PLACE, WINDOW, cursor, Answer(200, {}, [incident]))
    critical, resolved = page.records
    assert resolved.payload["action"] == "resolved"
    assert critical.occurred_at == resolved.occurred_at  # and what is resolved ranks behind
    (told,) = statements(PROVIDER, "metric_alert", resolved.payload, resolved.headers)
    assert told.occurred_at == resolved.occurred_at


@pytest.mark.parametrize(
    ("category", "title", "value"),
    [
        ("cron", "Cron failure: nightly", "A missed check-in was detected"),
        ("db_query", "N+1 Query", "SELECT 1"),
        ("feedback", "User Feedback", "Too small, says eve@else.dev"),
    ],
)
def test_what_is_no_error_is_called_alike_by_webhook_and_api(
    category: str, title: str, value: str
) -> None:
    metadata = {"title": title, "value": value, "contact_email": "eve@else.dev", "name": "Eve"}
    called = {"title": title, "metadata": metadata, "issueType": f"a_{category}", "type": "generic"}
    issue = Issue(1, [BEGIN], category=category, called=called, release=None)
    by_api, by_webhook = _all(World([issue])), _sent(World([issue]))
    assert [one.title for one in by_api] == [one.title for one in by_webhook]
    assert by_api[0].title.startswith(f"[Issue Created] {title}: {value[:9]}")
    assert by_api[0].subject == by_webhook[0].subject
    for told in (*by_api, *by_webhook):
        assert "else.dev" not in repr(told)
        assert "Eve" not in repr(told)


def test_events_of_a_monitor_are_no_errors() -> None:
    seen = [BEGIN, BEGIN + timedelta(hours=1)]
    world = World([Issue(1, seen, category="cron"), Issue(2, seen)])
    walked = _walked(world, "error")
    assert {one.payload["data"]["error"]["issue_id"] for one in walked.records} == {"2"}
    assert not walked.troubles


def test_an_issue_that_is_gone_is_told_as_a_trouble_and_the_walk_goes_on() -> None:
    walker = WALKERS["issue"]
    cursor = {"organization": "acme", "after": "x", "pending": ["1", "2"], "ended": True}
    gone = Answer(404, {}, {"detail": "The requested resource does not exist"})
    call = walker.call(PLACE, WINDOW, cursor, 100)
    assert call.of_one
    assert API.verdict(call, gone, BEGIN).outcome == "missing"
    page = walker.read(PLACE, WINDOW, cursor, gone)
    assert [one.item for one in page.troubles] == ["issue 1"]
    assert page.next is not None
    assert page.next["pending"] == ["2"]


def test_a_server_of_ones_own_is_asked_as_its_webhooks_name_it() -> None:
    place = LinkedResource("sentry", "42@sentry.acme.dev", "acme/shop", installation_id=UUID)
    inside = Answer(200, {}, [], url="http://sentry-web:9000/api/0/organizations/acme/issues/")
    assert site(place, inside) == "https://sentry.acme.dev"
    assert project_params(place) == {"project": "42"}
    named = LinkedResource("sentry", "acme/shop@sentry.acme.dev", None, installation_id=UUID)
    assert organization_of(named) == "acme"
    assert project_params(named) == {"projectSlug": "shop"}


def test_the_organization_is_asked_for_where_nothing_names_it() -> None:
    place = LinkedResource("sentry", "42", "shop")
    world = World([Issue(1, [BEGIN])])
    for kind in WALKERS:
        assert _walked(world, kind, place).cursors[0]["organization"] is None
    assert len(_walked(world, "issue", place).records) == 1


@pytest.mark.parametrize("seen", [[], ["acme", "beta"]])
def test_none_or_several_organizations_say_what_to_do(seen: list[str]) -> None:
    with pytest.raises(ValueError, match="organization/project"):
        _walked(World(organizations=seen), "issue", LinkedResource("sentry", "42", "shop"))


def _ways() -> Iterator[LinkedResource]:
    yield LinkedResource("sentry", "acme/shop", None)
    yield LinkedResource("sentry", "42", "acme/shop")
    yield LinkedResource("sentry", "42", "shop", account_login="acme")
    yield LinkedResource("sentry", "42", "shop", account={"organization": {"slug": "acme"}})
    yield LinkedResource("sentry", "acme", "Acme")
    yield LinkedResource("sentry", UUID, None, account_login="acme")


@pytest.mark.parametrize("place", list(_ways()))
def test_the_organization_is_taken_from_whatever_names_it(place: LinkedResource) -> None:
    walked = _walked(World([Issue(1, [BEGIN])]), "issue", place)
    assert walked.cursors[0]["organization"] == "acme"
    assert len(walked.records) == 1


def test_a_place_that_names_no_project_says_what_to_do() -> None:
    place = LinkedResource("sentry", "no such thing", None, account_login="acme")
    with pytest.raises(ValueError, match="link the resource by one of them"):
        _walked(World(), "issue", place)


@pytest.mark.parametrize("kind", sorted(WALKERS))
@pytest.mark.parametrize("count", [0, 1, 100, 330, 1_010])
def test_the_estimate_is_within_a_tenth_of_what_the_walk_asks(kind: str, count: int) -> None:
    world = World(limit=10**6)
    for number in range(1, count + 1):
        at = BEGIN + timedelta(minutes=number * 11)
        if kind == "metric_alert":
            world.incidents.append(Incident(number, at, [("critical", at)]))
        else:
            seen = [at + timedelta(seconds=n) for n in range(SAMPLE + 1 if number % 3 == 0 else 1)]
            world.issues.append(Issue(number, seen))
    walker: Walker = WALKERS[kind]
    with api_of(API, application(world), CREDENTIAL) as api:
        estimate, probes = api.estimate(walker, PLACE, WINDOW)
        walked = api.walk(walker, PLACE, WINDOW)
    assert probes <= 12
    assert len(walked.records) >= count
    assert abs(estimate.requests - walked.requests) <= max(1, walked.requests * 0.1)
