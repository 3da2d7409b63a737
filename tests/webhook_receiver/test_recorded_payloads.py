"""GitHub's recorded webhooks pass the receiver and capture: each ends with an outcome."""

from __future__ import annotations

import json
from pathlib import Path

from lightfast_pipelines.store.database import Database
from tests.capture.deliveries import capture_all, one, rows, workspace_with
from tests.webhook_receiver.serving import ready_receiver, signed


def test_every_recorded_delivery_is_accepted_and_ends_delivered_filtered_or_parked(
    shared: Path, database: Database
) -> None:
    index = [
        json.loads(line) for line in (shared / "payloads" / "index.jsonl").read_text().splitlines()
    ]
    files = [
        one
        for one in index
        if (one["provider"], one["kind"], one["provenance"]) == ("github", "webhooks", "real+docs")
    ]
    assert len(files) == 183
    repositories = set()
    with ready_receiver(database.url("receiver")) as client:
        for number, file in enumerate(files):
            body = (shared / "payloads" / file["path"]).read_bytes()
            repository = json.loads(body).get("repository") or {}
            repositories.add(repository.get("id"))
            headers = signed(body, f"recorded-{number}") | {"x-github-event": file["event"]}
            answer = client.post("/webhooks/github", content=body, headers=headers)
            assert answer.status_code == 200, (file["path"], answer.text)
    with database.connect() as conn:
        workspace_with(conn, "shop", *sorted(filter(None, repositories)))
        outcomes = capture_all(conn).outcomes
        assert "dlq" not in outcomes
        assert sum(outcomes.values()) == len(files)
        assert outcomes["delivered"] >= 20
        unexplained = rows(
            conn,
            "SELECT status FROM lightfast.outcomes WHERE status <> 'delivered' AND reason IS NULL",
        )
        assert unexplained == []
        assert one(conn, "SELECT count(*) FROM lightfast.raw_queue") == 0
