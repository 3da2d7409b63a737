"""Linear's payloads in capture: routing by an issue, and edges to pull requests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from itertools import permutations
from typing import Any

import pytest

from lightfast_pipelines.capture.queue.batches import capture
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.deliveries import Delivery, insert_deliveries
from lightfast_pipelines.store.linked_resources import add_workspace, link_resource
from tests.providers.github.payloads import pull_request
from tests.providers.linear.payloads import attachment, comment, encoded, issue, reaction

NOW = datetime(2024, 6, 1, tzinfo=UTC)


def arrive(conn: Connection, provider: str, event: str, payload: dict[str, Any]) -> None:
    """One delivery, captured at once."""
    body = encoded(payload)
    delivery = Delivery(
        provider=provider,
        delivery_id=sha256(body).hexdigest(),
        event_type=event,
        body=body,
        headers={},
        received_at=NOW,
        partition_date=NOW.date(),
        ingestion_source="webhook",
        verified_by="env:SECRET",
    )
    insert_deliveries(conn, [delivery])
    conn.commit()
    more = True
    while more:
        more = capture(conn, days=None, max_rows=100, batch_rows=10, now=NOW).more


def link(conn: Connection, resources: Sequence[tuple[str, str]]) -> None:
    workspace = add_workspace(conn, "shop")
    for provider, resource in resources:
        link_resource(conn, workspace, provider, resource)
    conn.commit()


def outcomes(conn: Connection) -> list[str]:
    rows = conn.execute("SELECT status FROM lightfast.outcomes ORDER BY raw_payload_id").fetchall()
    conn.rollback()
    return [status for (status,) in rows]


def edges(conn: Connection) -> set[tuple[str, str, str]]:
    rows = conn.execute(
        """
        SELECT s.key, r.type, o.key FROM lightfast.relationships r
        JOIN lightfast.entities s ON s.id = r.subject_id
        JOIN lightfast.entities o ON o.id = r.object_id
        """
    ).fetchall()
    conn.rollback()
    return {(subject, kind, thing) for subject, kind, thing in rows}


@pytest.mark.parametrize("generation", [2021, 2023, 2026])
@pytest.mark.parametrize("resource", ["team-1", "project-1"])
def test_a_comment_and_an_attachment_wait_for_their_issue_and_go_where_it_goes(
    conn: Connection, generation: int, resource: str
) -> None:
    link(conn, [("linear", resource)])
    arrive(conn, "linear", "Comment", comment(generation=generation))
    arrive(conn, "linear", "Attachment", attachment(generation=generation))
    assert outcomes(conn) == ["parked", "parked"]
    arrive(conn, "linear", "Issue", issue(project="project-1", generation=generation))
    assert outcomes(conn) == ["delivered", "delivered", "delivered"]


@pytest.mark.parametrize("generation", [2021, 2023, 2026])
def test_a_reaction_goes_where_its_comment_goes_and_that_where_its_issue_goes(
    conn: Connection, generation: int
) -> None:
    link(conn, [("linear", "team-1")])
    for event, make in (("Reaction", reaction), ("Comment", comment), ("Issue", issue)):
        assert set(outcomes(conn)) <= {"parked"}
        arrive(conn, "linear", event, make(generation=generation))
    assert outcomes(conn) == ["delivered", "delivered", "delivered"]
    counted = conn.execute(
        """
        SELECT e.key, m.stated_key FROM lightfast.observation_entities m
        JOIN lightfast.entities e ON e.id = m.entity_id WHERE m.role = 'reacted_to'
        """
    ).fetchall()
    assert counted == [("linear:issue:issue-12", "linear:ref:comment:comment-1")]


def test_a_link_to_the_organization_reaches_everything_in_it(conn: Connection) -> None:
    link(conn, [("linear", "org-1")])
    for event, payload in (("Comment", comment()), ("Issue", issue()), ("Reaction", reaction())):
        arrive(conn, "linear", event, payload)
    assert outcomes(conn) == ["delivered", "delivered", "delivered"]


@pytest.mark.parametrize(
    "order", list(permutations(range(3))), ids=lambda order: "".join(map(str, order))
)
def test_issue_and_pull_request_find_each_other_in_any_order(
    conn: Connection, order: tuple[int, ...]
) -> None:
    link(conn, [("linear", "team-1"), ("github", "1")])
    story = [
        ("linear", "Issue", issue()),
        ("linear", "Attachment", attachment()),
        ("github", "pull_request", pull_request("opened", number=7, body="Fixes ENG-12")),
    ]
    for position in order:
        arrive(conn, *story[position])
    between = {edge for edge in edges(conn) if edge[1] in ("tracked_in", "fixes", "references")}
    assert between == {
        ("linear:issue:issue-12", "tracked_in", "github:pr:1#7"),
        ("github:pr:1#7", "fixes", "linear:issue:issue-12"),
    }
