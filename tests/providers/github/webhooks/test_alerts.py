"""Alerts of Dependabot, code scanning and secret scanning: dangers, not failures."""

from __future__ import annotations

import pytest

from lightfast_pipelines.domain.enrichment import enrich
from lightfast_pipelines.domain.events import Filtered
from tests.providers.github.payloads import sha
from tests.providers.github.planning_payloads import (
    code_scanning_alert,
    dependabot_alert,
    secret_scanning_alert,
)
from tests.providers.github.readings import mentioned, read, statement


@pytest.mark.parametrize(
    ("action", "name", "state"),
    [
        ("created", "opened", "open"),
        ("reintroduced", "reopened", "open"),
        ("auto_reopened", "reopened", "open"),
        ("fixed", "fixed", "fixed"),
        ("dismissed", "dismissed", "dismissed"),
        ("auto_dismissed", "dismissed", "dismissed"),
    ],
)
def test_an_alert_of_dependabot_is_open_fixed_or_dismissed(
    action: str, name: str, state: str
) -> None:
    result = statement("dependabot_alert", dependabot_alert(action))
    assert result.source_type == f"dependabot-alert.{name}"
    assert result.subject.key == "github:alert:dependabot:1#20"
    assert [(each.state_type, each.value) for each in result.states] == [("status", state)]
    assert result.title.endswith("] semver: Slow regular expression")
    assert mentioned(result, "file") == ["file:web/package-lock.json"]


def test_the_reason_of_a_dismissal_is_kept() -> None:
    (state,) = statement("dependabot_alert", dependabot_alert("dismissed")).states
    assert (state.reason, state.metadata) == ("tolerable_risk", {"reason": "tolerable_risk"})


def test_a_severe_alert_is_more_significant() -> None:
    severe, mild = (
        statement("dependabot_alert", dependabot_alert(severity=each)).base_significance
        for each in ("critical", "low")
    )
    assert severe > 50 > mild


def test_an_alert_is_about_security_and_is_not_an_incident() -> None:
    for event, payload in (
        ("dependabot_alert", dependabot_alert()),
        ("code_scanning_alert", code_scanning_alert()),
        ("secret_scanning_alert", secret_scanning_alert()),
    ):
        result = statement(event, payload)
        enriched = enrich(result)
        assert (enriched.category, enriched.observation_type) == ("security", "issue")
        assert not any(word in result.title.lower() for word in ("error", "fail", "incident"))


def test_a_finding_names_its_place_its_commit_and_its_branch() -> None:
    result = statement("code_scanning_alert", code_scanning_alert())
    assert result.title == "[Code Scanning Alert Opened] Query from user input in shop/cart.py"
    assert {f"github:commit:{sha('c')}", "github:branch:1:main"} <= set(
        mentioned(result, "reference")
    )


def test_a_finding_that_is_fixed_only_on_a_branch_is_still_open() -> None:
    fixed = statement("code_scanning_alert", code_scanning_alert("fixed"))
    still = statement("code_scanning_alert", code_scanning_alert("fixed", state="open"))
    assert [each.value for each in (*fixed.states, *still.states)] == ["fixed", "open"]


def test_a_secret_is_never_kept() -> None:
    for action in ("created", "resolved", "reopened", "publicly_leaked", "validated"):
        result = statement("secret_scanning_alert", secret_scanning_alert(action))
        assert "sk_live" not in repr(result)
        assert result.title.endswith("] Stripe API Key")
    resolved = statement("secret_scanning_alert", secret_scanning_alert("resolved"))
    assert [(state.value, state.reason) for state in resolved.states] == [("resolved", "revoked")]


def test_an_old_alert_without_a_time_has_the_time_of_its_repositorys_last_update() -> None:
    payload = secret_scanning_alert("reopened", created_at=None, updated_at=None)
    result = statement("secret_scanning_alert", payload)
    assert result.occurred_at.isoformat() == "2024-05-01T10:00:00+00:00"


def test_the_assignees_of_an_alert_are_not_kept() -> None:
    assert isinstance(read("dependabot_alert", dependabot_alert("assignees_changed")), Filtered)
