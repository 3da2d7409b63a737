"""The review list: written by set, only where it differs, and without what is no longer doubtful."""

from __future__ import annotations

from datetime import UTC, datetime

from lightfast_pipelines.domain.people.identities import DoubtfulPair, Evidence, Identity
from lightfast_pipelines.inbox.waiting import DoubtfulPairs, waiting_for_you
from lightfast_pipelines.people.review_list import (
    count_doubtful,
    read_review_list,
    write_review_list,
)
from lightfast_pipelines.store.database import Connection
from tests.capture.rows import Memory

LIKELY = Evidence("same_name", "claimed", 0.7, "both are called Ann Lee")
UNLIKELY = Evidence("same_name", "claimed", 0.5, "both are called Ann")


def _identity(memory: Memory, number: str) -> tuple[Identity, int]:
    return Identity("linear", number, name="Ann Lee"), memory.identity(
        "linear", number, source_name="Ann Lee"
    )


def _versions(conn: Connection) -> dict[str, str]:
    """The transaction that wrote each row."""
    rows = conn.execute("SELECT id, xmin::text FROM lightfast.doubtful_identities").fetchall()
    return dict(rows)


def test_pairs_come_and_go_and_only_those_that_differ_are_written(conn: Connection) -> None:
    memory = Memory(conn)
    identities = [_identity(memory, number) for number in "123"]
    numbers = {identity.key: number for identity, number in identities}
    one, two, three = (identity for identity, _ in identities)
    write_review_list(
        conn,
        "default",
        [DoubtfulPair(one, two, 0.7, (LIKELY,)), DoubtfulPair(two, three, 0.5, (UNLIKELY,))],
        numbers,
    )
    first, second = read_review_list(conn, "default")
    assert (first.left.key, first.right.key) == ("linear:1", "linear:2")
    assert round(first.confidence, 6) == 0.7
    assert first.evidence == [
        {
            "rule": "same_name",
            "kind": "claimed",
            "confidence": 0.7,
            "detail": "both are called Ann Lee",
        }
    ]
    versions = _versions(conn)
    conn.commit()
    write_review_list(
        conn,
        "default",
        [DoubtfulPair(one, two, 0.7, (LIKELY,)), DoubtfulPair(two, three, 0.7, (LIKELY,))],
        numbers,
    )
    conn.commit()
    now = _versions(conn)
    assert now[first.id] == versions[first.id]
    assert now[second.id] != versions[second.id]
    write_review_list(conn, "default", [DoubtfulPair(two, three, 0.7, (LIKELY,))], numbers)
    assert [pair.id for pair in read_review_list(conn, "default")] == [second.id]


def test_an_organisation_keeps_its_list_when_another_is_written(conn: Connection) -> None:
    for org in ("default", "rival"):
        memory = Memory(conn, slug=org, org_id=org)
        identities = [_identity(memory, number) for number in "12"]
        (one, _), (two, _) = identities
        pair = DoubtfulPair(one, two, 0.7, (LIKELY,))
        write_review_list(conn, org, [pair], {i.key: number for i, number in identities})
    write_review_list(conn, "rival", [], {})
    assert [count_doubtful(conn, org) for org in ("default", "rival", None)] == [1, 0, 1]


def test_what_waits_for_a_person_names_the_command_that_lists_the_pairs(conn: Connection) -> None:
    memory = Memory(conn)
    (one, first), (two, second) = (_identity(memory, number) for number in "12")
    numbers = {one.key: first, two.key: second}
    write_review_list(conn, "default", [DoubtfulPair(one, two, 0.7, (LIKELY,))], numbers)
    assert waiting_for_you(conn, now=datetime(2026, 5, 1, tzinfo=UTC)).doubtful == [
        DoubtfulPairs("default", 1, "lightfast people review --org default")
    ]
