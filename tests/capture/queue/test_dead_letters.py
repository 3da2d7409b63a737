"""Dead letters of a workspace: whichever way a payload failed, its workspace can have it tried again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from lightfast_pipelines.capture.queue.attempts import MOST_ATTEMPTS
from lightfast_pipelines.inbox.requeue import replay
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.deliveries import insert_deliveries
from lightfast_pipelines.store.linked_resources import find_workspace
from tests import poison
from tests.capture.deliveries import capture_all, delivery, one, receive, rows
from tests.providers.github import payloads as github

DEAD = """
SELECT w.slug, o.resource_key FROM lightfast.outcomes o
LEFT JOIN lightfast.workspaces w ON w.id = o.workspace_id WHERE o.status = 'dlq' ORDER BY 1
"""


def _replay(conn: Connection, slug: str) -> int:
    count = replay(conn, ["dlq"], find_workspace(conn, slug))
    conn.commit()
    return count


@pytest.mark.parametrize("way", ["constraint", "disk", "bug"])
def test_a_write_that_fails_is_the_dead_letter_of_the_workspace_that_it_was_for(
    database: Database, conn: Connection, way: str
) -> None:
    poison.tenants(conn)
    poison.refuse(database, way)
    receive(conn, [poison.opened(2, 1, f"A poison {way}."), poison.opened(3, 1, "Honest")])
    while capture_all(conn).deliveries:
        pass
    assert rows(conn, DEAD) == [("tenant-2", "github:repository:2")]
    assert [_replay(conn, slug) for slug in ("tenant-1", "tenant-3", "tenant-2")] == [0, 0, 1]


def test_an_unreadable_payload_is_a_dead_letter_of_its_workspace(
    conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lightfast_pipelines.providers import discover

    poison.tenants(conn)
    provider = discover()["github"]
    read = provider.read

    def fail(event: str, payload: object) -> object:
        if b"A strange one" in github.encoded(payload):  # type: ignore[arg-type]
            raise KeyError("a field that always came")
        return read(event, payload)  # type: ignore[arg-type]

    monkeypatch.setattr(type(provider), "read", staticmethod(fail))
    receive(conn, [poison.opened(2, 1, "A strange one"), poison.opened(3, 1, "Honest")])
    capture_all(conn)
    assert rows(conn, DEAD) == [("tenant-2", "github:repository:2")]
    assert [_replay(conn, slug) for slug in ("tenant-1", "tenant-3", "tenant-2")] == [0, 0, 1]


def test_a_payload_that_ended_the_process_is_a_dead_letter_of_its_lanes_workspace(
    conn: Connection,
) -> None:
    poison.tenants(conn)
    receive(conn, [poison.opened(3, 1, "Honest")])
    capture_all(conn)
    receive(conn, [poison.opened(2, 2, "It ends the process")])
    conn.execute(
        """
        UPDATE lightfast.raw_queue SET attempts = %s,
          lane = (SELECT id FROM lightfast.workspaces WHERE slug = 'tenant-2')
        """,
        (MOST_ATTEMPTS,),
    )
    conn.commit()
    assert capture_all(conn).outcomes == {"dlq": 1}
    assert [row[0] for row in rows(conn, DEAD)] == ["tenant-2"]
    assert [_replay(conn, slug) for slug in ("tenant-1", "tenant-2")] == [0, 1]


def _manual(conn: Connection) -> None:
    broken = replace(
        poison.opened(2, 1, ""),
        body=b"[not json",
        org_id="org-2",
        ingestion_source="manual",
        verified_by="manual",
    )
    insert_deliveries(conn, [broken])


def _signed(conn: Connection) -> None:
    [(installation,)] = conn.execute(
        """
        INSERT INTO lightfast.installations (provider, external_id, org_id)
        VALUES ('github', '7', 'org-2') RETURNING id
        """
    ).fetchall()
    broken = replace(
        poison.opened(2, 1, ""), body=b"[not json", verified_by=f"installation:{installation}"
    )
    insert_deliveries(conn, [broken])


@pytest.mark.parametrize("arrives", [_manual, _signed])
def test_a_payload_without_a_resource_belongs_to_the_organisation_that_sent_it(
    conn: Connection, arrives: Callable[[Connection], None]
) -> None:
    poison.tenants(conn)
    arrives(conn)
    conn.commit()
    assert capture_all(conn).outcomes == {"dlq": 1}
    assert [_replay(conn, slug) for slug in ("tenant-1", "tenant-3", "tenant-2")] == [0, 0, 1]


def test_a_dead_letter_of_no_known_workspace_is_replayed_without_one(
    conn: Connection,
) -> None:
    poison.tenants(conn)
    receive(conn, [delivery("issues", b"[not json")])
    capture_all(conn)
    assert rows(conn, DEAD) == [(None, None)]
    assert [_replay(conn, f"tenant-{n}") for n in (1, 2, 3)] == [0, 0, 0]
    assert replay(conn, ["dlq"]) == 1


def test_a_payload_that_names_anothers_repository_is_no_dead_letter_of_theirs(
    conn: Connection, database: Database
) -> None:
    poison.tenants(conn)
    poison.refuse(database, "constraint")
    forged = replace(poison.opened(2, 1, "A poison constraint."), verified_by="installation:999")
    insert_deliveries(conn, [forged])
    broken = replace(forged, body=forged.body[:-1], delivery_id="broken")
    insert_deliveries(conn, [broken])
    conn.commit()
    capture_all(conn)
    assert _replay(conn, "tenant-2") == 0
    assert one(conn, "SELECT count(*) FROM lightfast.outcomes WHERE workspace_id IS NOT NULL") == 0


def test_a_payload_that_is_tried_again_keeps_one_outcome(
    database: Database, conn: Connection
) -> None:
    poison.tenants(conn)
    poison.refuse(database, "constraint")
    receive(conn, [poison.opened(2, 1, "A poison constraint.")])
    for _ in range(2):
        capture_all(conn)
        assert rows(conn, DEAD) == [("tenant-2", "github:repository:2")]
        assert _replay(conn, "tenant-2") == 1
    poison.allow_again(database, "observation_facts")
    assert capture_all(conn).outcomes == {"delivered": 1}
    assert rows(conn, "SELECT status FROM lightfast.outcomes") == [("delivered",)]
