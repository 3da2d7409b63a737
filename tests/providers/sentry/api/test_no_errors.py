"""Issues of monitors, performance and feedback have their own titles, and keep nothing of end users."""

from __future__ import annotations

from typing import Any

import pytest

from tests.providers.sentry import payloads
from tests.providers.sentry.payloads import Json
from tests.providers.sentry.readings import statement_of


def of_a_monitor(**more: Any) -> Json:
    """An alert about an occurrence whose event is of another name than its issue."""
    return payloads.event_alert(
        rule="Tell on-call",
        **{
            "title": "/checkout",
            "type": "transaction",
            "metadata": {"title": "/checkout"},
            "exception": None,
            "occurrence": {
                "issueTitle": "Cron failure: nightly",
                "subtitle": "A missed check-in was detected",
                "type": 4001,
                "evidenceDisplay": [
                    {"name": "Failure reason", "value": "1 missed check-in detected"},
                ],
            },
            **more,
        },
    )


def test_an_alert_about_a_monitor_has_sentrys_own_title() -> None:
    statement = statement_of("event_alert", of_a_monitor())
    assert statement.title == (
        "[Alert Triggered] Tell on-call: Cron failure: nightly: A missed check-in was detected"
    )
    assert "Failure reason: 1 missed check-in detected" in statement.content.splitlines()
    issue = next(edge.object for edge in statement.edges if edge.type == "references")
    assert issue.name == "Cron failure: nightly"


def test_a_rule_is_one_alert_with_or_without_its_number() -> None:
    numbered, bare, elsewhere = of_a_monitor(), of_a_monitor(), of_a_monitor(project=43)
    del bare["data"]["issue_alert"]
    keys = [statement_of("event_alert", one).subject.key for one in (numbered, bare, elsewhere)]
    assert keys[0] == keys[1]
    assert keys[2] != keys[0]  # every project has a rule of this name


@pytest.mark.parametrize(
    ("told", "headline"),
    [
        (
            {
                "issueType": "performance_slow_db_query",
                "issueCategory": "db_query",
                "title": "Slow DB Query",
                "metadata": {"title": "Slow DB Query", "value": "SELECT 1"},
            },
            "Slow DB Query: SELECT 1",
        ),
        (
            {
                "type": "generic",
                "title": "Rage Click",
                "metadata": {"title": "Rage Click", "value": "button.pay"},
            },
            "Rage Click: button.pay",
        ),
        (
            {
                "issueCategory": "replay",
                "title": "Hydration Error",
                "metadata": {"type": "Error", "title": "Hydration Error", "value": ""},
            },
            "Hydration Error",
        ),
        (
            {
                "issueType": "a_kind_of_tomorrow",
                "title": "Something new",
                "metadata": {"value": "and why"},
            },
            "Something new: and why",
        ),
        (
            {"metadata": {"title": "Told without a kind", "value": "and why"}, "title": "x"},
            "x: and why",
        ),
        (
            {
                "issueCategory": "error",
                "title": "<unknown>",
                "metadata": {"value": "price is undefined"},
            },
            "Error: price is undefined",
        ),
        (
            {
                "type": "default",
                "title": "disk is full",
                "metadata": {"title": "disk is full"},
            },
            "disk is full",
        ),
    ],
)
def test_each_kind_of_issue_has_its_own_title(told: Json, headline: str) -> None:
    assert statement_of("issue", payloads.issue(**told)).title == f"[Issue Created] {headline}"


def feedback(**more: Any) -> Json:
    return {
        "issueType": "feedback",
        "issueCategory": "feedback",
        "title": "User Feedback: too small, write to eve@else.dev",
        "metadata": {
            "title": "User Feedback: too small, write to eve@else.dev",
            "value": "Too small, write to Eve.Other@else.dev",
            "contact_email": "eve@else.dev",
            "name": "Eve",
        },
        **more,
    }


def test_a_strangers_address_is_kept_nowhere() -> None:
    statement = statement_of("issue", payloads.issue(**feedback()))
    assert statement.title.startswith(
        "[Issue Created] User Feedback: too small, write to [address]"
    )
    assert "else.dev" not in repr(statement)
    assert "Eve" not in repr(statement)


def test_a_strangers_address_in_an_alert_or_an_error_is_hidden_too() -> None:
    told: Json = {
        "title": "ValueError: no cart of customer@shop.test at 203.0.113.9",
        "metadata": {"type": "ValueError", "value": "no cart of customer@shop.test"},
        "message": "No cart of CUSTOMER@shop.test",
    }
    for resource, payload in (
        ("error", payloads.error(**told)),
        ("event_alert", payloads.event_alert(**told)),
    ):
        found = repr(statement_of(resource, payload)).lower()
        assert "customer@" not in found
        assert "203.0.113.9" not in found
    evidence = {
        "issueTitle": "User Feedback",
        "subtitle": "Too small",
        "type": 6001,
        "evidenceDisplay": [
            {"name": "contact_email", "value": "eve@else.dev"},
            {"name": "name", "value": "Eve"},
            {"name": "message", "value": "Too small (eve@else.dev)"},
        ],
    }
    told_by_alert = statement_of("event_alert", payloads.event_alert(occurrence=evidence))
    assert "message: Too small ([address])" in told_by_alert.content.splitlines()
    assert "Eve" not in repr(told_by_alert)
