"""An unsigned header cannot turn one event into another: the signed body must fit it."""

from __future__ import annotations

from typing import Any

import pytest

from lightfast_pipelines.domain.events import Parked
from lightfast_pipelines.providers.github import PROVIDER
from tests.providers.github import more_payloads as more
from tests.providers.github import payloads

STAR = {"action": "deleted", "starred_at": None, "repository": payloads.repository()}
LABEL = {
    "action": "deleted",
    "label": more.LABEL,
    "repository": payloads.repository(),
    "installation": {"id": 7},
}
ARCHIVE = {
    "action": "deleted",
    "repository": payloads.repository(),
    "installation": {"id": 7, "updated_at": 1},
}


@pytest.mark.parametrize(
    ("header", "payload"),
    [
        ("repository", STAR),
        ("repository", LABEL),
        ("installation", LABEL),
        ("installation", ARCHIVE),
        ("pull_request", more.review_comment(action="edited")),
        ("pull_request", more.review(action="edited")),
        ("issues", more.issue_comment(action="deleted")),
        ("commit_comment", more.issue_comment()),
        ("deployment", more.deployment_status()),
        ("discussion", more.discussion_comment(action="deleted")),
        ("star", payloads.pull_request("closed")),
        ("ping", payloads.push()),
    ],
)
def test_a_body_of_another_event_is_parked_and_not_read_as_this_one(
    header: str, payload: dict[str, Any]
) -> None:
    reading = PROVIDER.read(header, payload)
    assert isinstance(reading, Parked)
    assert "does not fit" in reading.reason
