"""What is signed is what is read, from the socket to the derived rows, whatever the headers say about a
body and however large it would become in memory."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest

from lightfast_pipelines.store.database import Database
from tests.capture.deliveries import capture_all, rows, workspace_with
from tests.providers.github import more_payloads as more
from tests.providers.github import payloads
from tests.webhook_receiver.serving import ready_receiver, signed

FORM = "application/x-www-form-urlencoded"
OUTCOMES = """
SELECT p.delivery_id, o.status, o.reason FROM lightfast.outcomes o
JOIN lightfast.raw_payloads p ON p.id = o.raw_payload_id ORDER BY 1
"""
TITLES = "SELECT source_type, title FROM lightfast.observations ORDER BY 1, 2"


def sent(database: Database, *deliveries: tuple[bytes, str, str]) -> None:
    """Posts (body, event, content type), each under its number as its id, and captures."""
    with ready_receiver(database.url("receiver")) as client:
        for number, (body, event, content_type) in enumerate(deliveries):
            headers = signed(body, str(number)) | {
                "x-github-event": event,
                "content-type": content_type,
            }
            answer = client.post("/webhooks/github", content=body, headers=headers)
            assert answer.status_code == 200, answer.text
    with database.connect() as conn:
        workspace_with(conn, "shop", 1, 2)
        capture_all(conn)


@pytest.mark.parametrize("content_type", [FORM, f"{FORM}; charset=utf-8", "application/json"])
def test_a_form_inside_a_comment_stays_the_comments_text(
    database: Database, content_type: str
) -> None:
    merged = payloads.pull_request("closed", repo="acme/vault", repo_id=2, merged=True)
    forged = urlencode({"payload": json.dumps(merged)})
    comment = payloads.encoded(more.issue_comment(body=f"Look: &{forged}&x="))
    sent(database, (comment, "issue_comment", content_type), (comment, "pull_request", FORM))
    with database.connect() as conn:
        stored = rows(conn, TITLES)
        assert [kind for kind, _ in stored] == ["comment.created"]
        (first, second) = rows(conn, OUTCOMES)
        assert first[1] == "delivered"
        assert (second[1], "does not fit" in second[2]) == ("parked", True)
        named = rows(conn, "SELECT key FROM lightfast.entities WHERE key LIKE '%%:2#%%'")
        assert named == []


def test_a_github_form_is_read_whatever_its_content_type(database: Database) -> None:
    opened = [payloads.pull_request("opened", number=number) for number in (5, 6)]
    bodies = [urlencode({"payload": json.dumps(payload)}).encode() for payload in opened]
    sent(
        database,
        (bodies[0], "pull_request", FORM),
        (bodies[1], "pull_request", "application/json"),
    )
    with database.connect() as conn:
        assert [status for _, status, _ in rows(conn, OUTCOMES)] == ["delivered", "delivered"]


def test_a_body_of_a_million_lists_is_a_dead_letter_that_names_the_bound(
    database: Database,
) -> None:
    payload = payloads.encoded(payloads.pull_request("opened", number=5))
    lists = payload[:-1] + b',"more":[' + b"[]," * 1_000_000 + b"[]]}"
    form = urlencode({"payload": lists}).encode()
    deep = payload[:-1] + b',"text":"' + b"x" * 70_000 + b'","more":' + b"[" * 300 + b"]" * 300
    sent(
        database,
        (lists, "pull_request", "application/json"),
        (form, "pull_request", FORM),
        (deep + b"}", "pull_request", "application/json"),
        (payload, "pull_request", "application/json"),
    )
    with database.connect() as conn:
        outcomes = rows(conn, OUTCOMES)
        assert [status for _, status, _ in outcomes] == ["dlq", "dlq", "dlq", "delivered"]
        reasons = [reason for _, _, reason in outcomes[:3]]
        assert "more values than are read of one body, 1,000,000" in reasons[0]
        assert "more values than are read of one body, 1,000,000" in reasons[1]
        assert "nested too deeply, beyond 256 levels" in reasons[2]
