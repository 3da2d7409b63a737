"""Alerts, comments and installations, and how payloads are routed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from lightfast_pipelines.domain.events import Lifecycle, Parked
from lightfast_pipelines.domain.states import StateFact
from lightfast_pipelines.providers.sentry import PROVIDER
from lightfast_pipelines.providers.sentry import keys as sentry_keys
from tests.believed import fold_current
from tests.providers.sentry import payloads
from tests.providers.sentry.payloads import NOW, Json
from tests.providers.sentry.readings import decoded, edges, read, statement_of

ISSUE = sentry_keys.issue(42, 4711)


def test_an_issue_alert_names_its_rule_and_points_at_its_issue() -> None:
    statement = statement_of("event_alert", payloads.event_alert())
    assert statement.source_id == "sentry:alert:issues:42:Checkout errors|triggered|e1"
    assert statement.source_type == "event-alert.triggered"
    assert statement.title == "[Alert Triggered] Checkout errors: TypeError: price is undefined"
    assert (statement.subject.key, "references", ISSUE) in edges(statement)
    assert statement.base_significance == 65
    assert statement.metadata["triggeredRule"] == "Checkout errors"


def test_two_rules_that_fire_on_one_event_are_two_observations() -> None:
    told = []
    for rule in ("Checkout errors", "Everything!"):
        payload = payloads.event_alert(rule=rule)
        del payload["data"]["issue_alert"]
        told.append(statement_of("event_alert", payload).source_id)
    assert told == [
        "sentry:alert:issues:42:Checkout errors|triggered|e1",
        "sentry:alert:issues:42:Everything!|triggered|e1",
    ]


def test_a_metric_alerts_levels_are_states_of_its_rule() -> None:
    sent = [NOW + timedelta(minutes=minute) for minute in range(4)]
    told = [
        statement_of("metric_alert", payloads.metric_alert(action), at)
        for action, at in zip(("warning", "critical", "warning", "resolved"), sent, strict=True)
    ]
    assert [statement.source_type for statement in told] == [
        "metric-alert.warning",
        "metric-alert.critical",
        "metric-alert.warning",
        "metric-alert.resolved",
    ]
    assert {statement.subject.key for statement in told} == {"sentry:alert:5:7"}
    assert len({statement.source_id for statement in told}) == 4
    states = [state for statement in told for state in statement.states]
    assert [state.value for state in states] == ["warning", "critical", "warning", "resolved"]
    assert all(one.at < other.at for one, other in pairwise(states))


def test_a_metric_alert_without_a_time_of_sending_is_dated_by_its_end_or_beginning() -> None:
    critical = statement_of("metric_alert", payloads.metric_alert())
    assert critical.occurred_at == datetime(2024, 5, 1, 10, 5, tzinfo=UTC)
    ended = payloads.metric_alert("resolved", date_closed="2024-05-01T10:20:00Z")
    assert statement_of("metric_alert", ended).occurred_at == datetime(
        2024, 5, 1, 10, 20, 59, tzinfo=UTC
    )


# Sentry cuts the end to the minute, and dates it a rule's time window before it noticed it.
@pytest.mark.parametrize("closed", ["2024-05-01T10:05:00Z", "2024-05-01T09:56:00Z"])
@pytest.mark.parametrize("is_sending_known", [True, False])
def test_an_alert_that_opens_and_closes_within_a_minute_ends_resolved(
    closed: str, is_sending_known: bool
) -> None:
    begun = datetime(2024, 5, 1, 10, 5, 5, tzinfo=UTC)
    times = {"date_detected": "2024-05-01T10:05:04.5Z"}
    told = [
        statement_of("metric_alert", payload, begun + timedelta(seconds=after))
        if is_sending_known
        else statement_of("metric_alert", payload)
        for payload, after in (
            (payloads.metric_alert("critical", **times), 0),
            (payloads.metric_alert("resolved", date_closed=closed, **times), 12),
        )
    ]
    for found in (told, told[::-1]):
        facts = [
            StateFact(state.value, state.at, state.rank, each.source_id, state.at, state.reason)
            for each in found
            for state in each.states
        ]
        assert fold_current(facts)[-1].value == "resolved"


def test_an_end_that_is_sent_twice_is_one_observation() -> None:
    ended = payloads.metric_alert("resolved", date_closed="2024-05-01T10:20:00Z")
    told = [statement_of("metric_alert", ended, NOW + timedelta(seconds=n)) for n in (0, 90)]
    assert told[0].source_id == told[1].source_id


def test_of_levels_at_one_moment_resolved_comes_last() -> None:
    ranks = [
        statement_of("metric_alert", payloads.metric_alert(action)).states[0].rank
        for action in ("warning", "critical", "resolved")
    ]
    assert ranks == sorted(ranks)


def test_a_metric_alert_says_what_it_measures() -> None:
    statement = statement_of("metric_alert", payloads.metric_alert(date_detected=None))
    assert statement.title == "[Metric Alert Critical] Failed payments"
    assert "Aggregate: count()" in statement.content.splitlines()
    assert "Window: 10 minutes" in statement.content.splitlines()
    assert (statement.subject.key, "belongs_to", "sentry:ref:project:acme/shop") in edges(statement)


def test_a_comment_belongs_to_an_issue_that_it_names_by_number() -> None:
    statement = statement_of("comment", payloads.comment())
    assert statement.source_id == "sentry:comment:31|created"
    assert statement.title == "[Comment Added] shop 4711: Seen it before"
    assert edges(statement) == {("sentry:comment:31", "belongs_to", "sentry:ref:issue:4711")}
    assert "sentry:ref:issue:4711" in statement_of("issue", payloads.issue()).subject.aliases
    assert statement.author == statement.actor
    assert statement.actor is not None
    assert statement.actor.name == "Ada"


def test_each_change_of_a_comment_is_an_observation_and_a_repetition_is_not() -> None:
    told = [
        statement_of("comment", payloads.comment("updated", said), sent).source_id
        for said, sent in (("one", NOW), ("two", NOW), ("two", NOW + timedelta(minutes=5)))
    ]
    assert told[0] != told[1] == told[2]
    deleted = statement_of("comment", payloads.comment("deleted"), NOW)
    assert deleted.source_id == "sentry:comment:31|deleted"
    assert deleted.occurred_at == NOW


@pytest.mark.parametrize(
    ("action", "change"),
    [("created", "active"), ("deleted", "removed"), ("suspended", "suspended")],
)
def test_an_installation_follows_its_lifecycle_and_keeps_no_code(action: str, change: str) -> None:
    reading = read("installation", payloads.installation(action), NOW)
    assert isinstance(reading, Lifecycle)
    (event,) = reading.events
    assert (event.subject_kind, event.subject_id) == ("installation", payloads.UUID)
    assert event.change == change
    assert event.occurred_at == NOW
    assert event.value["account_login"] == "acme"
    assert "one-time-code" not in repr(reading)


@pytest.mark.parametrize(
    "resource", ["issue", "error", "event_alert", "metric_alert", "comment", "installation"]
)
def test_a_body_under_another_resource_is_parked(resource: str) -> None:
    bodies = {
        "issue": payloads.issue(),
        "error": payloads.error(),
        "event_alert": payloads.event_alert(),
        "metric_alert": payloads.metric_alert(),
        "comment": payloads.comment(),
        "installation": payloads.installation(),
    }
    for told, payload in bodies.items():
        if told != resource:
            assert read(resource, payload) == Parked(
                f"event {resource} does not fit its body, which is about {told}"
            )


def ways(payload: Json) -> list[str]:
    route = PROVIDER.route("whatever the header says", decoded(payload))
    assert route is not None
    assert route.installation_id == payloads.UUID
    found = [(route.resource_key, route.resource_id), *route.alternatives]
    for key, resource in found:
        assert key.split(":", 2)[2] == resource
    return [resource for _, resource in found]


@pytest.mark.parametrize(
    "payload",
    [payloads.issue(), payloads.error(), payloads.event_alert()],
    ids=["issue", "error", "event_alert"],
)
def test_a_project_can_be_linked_by_number_address_installation_or_organization(
    payload: Json,
) -> None:
    assert ways(payload) == ["42", "acme/shop", payloads.UUID, "acme"]


def test_a_slug_alone_never_routes() -> None:
    assert ways(payloads.issue(organization=None)) == ["42", payloads.UUID]


def test_a_metric_alert_goes_to_each_of_its_projects_by_address() -> None:
    payload = payloads.metric_alert(projects=["shop", "api"])
    assert ways(payload) == ["acme/shop", "acme/api", payloads.UUID, "acme"]


def test_a_comment_goes_where_its_issue_goes() -> None:
    route = PROVIDER.route("comment", payloads.comment())
    assert route is not None
    assert route.via == sentry_keys.issue_by_id(4711)
    assert route.resource_id == payloads.UUID


@pytest.mark.parametrize(
    ("address", "organization"),
    [
        ("https://acme.sentry.io/issues/1/", "acme"),
        ("https://sentry.io/organizations/acme/issues/1/", "acme"),
        ("https://us.sentry.io/api/0/organizations/acme/issues/1/", "acme"),
        ("https://sentry.io/acme/shop/issues/1/", "acme"),
        ("https://errors.acme.test/organizations/acme/issues/1/", "acme"),
        ("https://sentry.io/issues/1/", None),
        ("https://us.sentry.io/issues/1/", None),
        ("https://[broken/organizations/acme/", None),
    ],
)
def test_the_organization_is_found_in_every_form_of_address(
    address: str, organization: str | None
) -> None:
    statement = statement_of("issue", payloads.issue(organization=None, permalink=address))
    assert statement.metadata["organizationSlug"] == organization


def test_a_payload_that_names_nothing_has_no_route() -> None:
    assert PROVIDER.route("issue", {}) is None
