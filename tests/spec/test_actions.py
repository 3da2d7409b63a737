"""What an action is taken for (ingestion.md, A5), row by row of its table."""

from __future__ import annotations

from typing import Any

import pytest

from lightfast_pipelines.domain.events import Lifecycle, Parked, Understood
from lightfast_pipelines.providers import discover
from lightfast_pipelines.store.database import Connection
from tests.capture.deliveries import capture_all, one, receive
from tests.capture.provider_deliveries import linked, provider_delivery
from tests.providers.github import more_payloads as more
from tests.providers.github import payloads as github
from tests.providers.linear import payloads as linear
from tests.providers.sentry import payloads as sentry
from tests.providers.vercel import payloads as vercel

Json = dict[str, Any]


def _read(provider: str, event: str, payload: Json) -> Any:
    found = discover()[provider]
    return found.read(event, found.decode(vercel.encoded(payload), {}))


def _listed() -> Json:
    payload = github.pull_request("closed", merged=True)
    del payload["pull_request"]["merged"]
    return payload


def _never_merged() -> Json:
    payload = github.pull_request("closed")
    del payload["pull_request"]["merged"]
    return payload


LABELED = {**github.pull_request("labeled"), "label": more.LABEL}
SYNCHRONIZED = {**github.pull_request("synchronize"), "before": "a" * 40, "after": "b" * 40}

TYPES: dict[str, tuple[str, str, Json, str]] = {
    "closed, merged": ("github", "pull_request", github.pull_request("closed", merged=True),
                       "pull-request.merged"),
    "closed, not merged": ("github", "pull_request", github.pull_request("closed"),
                           "pull-request.closed"),
    "closed, merged missing, merged_at set": ("github", "pull_request", _listed(),
                                              "pull-request.merged"),
    "closed, merged missing, merged_at null": ("github", "pull_request", _never_merged(),
                                               "pull-request.closed"),
    "ready_for_review": ("github", "pull_request", github.pull_request("ready_for_review"),
                         "pull-request.ready-for-review"),
    # Decided: each is told, as small observations, since they move states and entities.
    "converted_to_draft": ("github", "pull_request",
                           github.pull_request("converted_to_draft", draft=True),
                           "pull-request.converted-to-draft"),
    "synchronize": ("github", "pull_request", SYNCHRONIZED, "pull-request.synchronized"),
    "labeled": ("github", "pull_request", LABELED, "pull-request.labeled"),
    "issues closed": ("github", "issues", github.issue("closed"), "issue.closed"),
    "Linear Issue remove": ("linear", "Issue", linear.issue("remove"), "issue.deleted"),
    "metric_alert critical": ("sentry", "metric_alert", sentry.metric_alert("critical"),
                              "metric-alert.critical"),
    "metric_alert warning": ("sentry", "metric_alert", sentry.metric_alert("warning"),
                             "metric-alert.warning"),
    "metric_alert resolved": ("sentry", "metric_alert", sentry.metric_alert("resolved"),
                              "metric-alert.resolved"),
    # The table calls it unknown; it is one of the events that are understood here.
    "deployment.promoted": ("vercel", "deployment.promoted", vercel.deployment("promoted"),
                            "deployment.promoted"),
}  # fmt: skip


@pytest.mark.parametrize("case", TYPES)
def test_an_action_is_taken_for_what_it_means(case: str) -> None:
    provider, event, payload, expected = TYPES[case]
    reading = _read(provider, event, payload)
    assert isinstance(reading, Understood), reading
    assert [statement.source_type for statement in reading.statements] == [expected]


UNKNOWN: dict[str, tuple[str, str, str, Json]] = {
    "vercel": ("prj_1", "vercel", "deployment.teleported", vercel.deployment("teleported")),
    "github": ("1", "github", "pull_request", github.pull_request("teleported")),
    "linear": ("team-1", "linear", "Issue", linear.issue("teleport")),
    "sentry": ("42", "sentry", "issue", sentry.issue("teleported")),
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_what_is_unknown_is_stored_and_parked_with_the_reason_and_not_tried_again(
    conn: Connection, case: str
) -> None:
    resource, provider, event, payload = UNKNOWN[case]
    linked(conn, "shop", (provider, resource))
    receive(conn, [provider_delivery(provider, event, payload)])
    assert isinstance(_read(provider, event, payload), Parked)
    assert capture_all(conn).outcomes == {"parked": 1}
    assert capture_all(conn).deliveries == 0
    assert "not known yet" in one(conn, "SELECT reason FROM lightfast.outcomes")
    assert one(conn, "SELECT count(*) FROM lightfast.raw_bodies") == 1


@pytest.mark.parametrize(
    ("action", "change"),
    [("suspend", "suspended"), ("unsuspend", "active"), ("deleted", "removed")],
)
def test_an_installations_action_changes_the_connection(action: str, change: str) -> None:
    payload = {
        "action": action,
        "installation": {"id": 7, "suspended_at": "2024-05-02T00:00:00Z"},
        "sender": github.user(),
    }
    reading = _read("github", "installation", payload)
    assert isinstance(reading, Lifecycle)
    assert [(each.subject_kind, each.subject_id, each.change) for each in reading.events] == [
        ("installation", "7", change)
    ]
