"""What is deleted ends, and leaves search; what comes back is found again; in any order of arrival."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightfast_pipelines.domain import existence
from lightfast_pipelines.domain.states import StateFact, history
from lightfast_pipelines.embedding.pgvector import PgVectorIndex
from lightfast_pipelines.embedding.stage import embed_pending
from lightfast_pipelines.inbox.pending import days_with_work, waiting
from lightfast_pipelines.inbox.requeue import rebuild
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.deliveries import Delivery
from lightfast_pipelines.store.digest import digest_lines
from tests.capture.deliveries import (
    NOW,
    capture_all,
    delivery,
    one,
    receive,
    rows,
    workspace_with,
)
from tests.providers.github import more_payloads as more
from tests.providers.github import payloads as github

GONE_AT = "2024-05-20T00:00:00Z"
ISSUE = "github:issue:1#5"


class Plain:
    """Vectors of ones: what is embedded is the point, not how."""

    name, dimensions = "plain", 256

    def embed(self, texts: Sequence[str]) -> Any:
        return np.ones((len(texts), 256), np.float32)


def deleted_comment(identity: int, at: str = GONE_AT) -> dict[str, Any]:
    return more.issue_comment("gone", action="deleted", comment_id=identity, updated_at=at)


def current(conn: Connection, key: str) -> dict[str, str]:
    fetched = rows(
        conn,
        "SELECT state_type, state_value FROM lightfast.temporal_states WHERE entity_id = %s AND is_current",
        key,
    )
    return dict(fetched)


def remembered(conn: Connection) -> set[str]:
    return {row[0] for row in rows(conn, "SELECT source_id FROM lightfast.remembered")}


def embedded(conn: Connection) -> set[str]:
    embed_pending(conn, Plain(), PgVectorIndex(conn), max_rows=10_000)
    fetched = rows(
        conn,
        """
        SELECT DISTINCT o.source_id FROM lightfast.observation_vectors v
        JOIN lightfast.observations o ON o.id = v.observation_id
        """,
    )
    return {row[0] for row in fetched}


def test_a_deleted_issue_is_closed_for_that_reason_and_leaves_search(conn: Connection) -> None:
    workspace_with(conn)
    receive(
        conn,
        [
            delivery("issues", github.issue("opened", 5)),
            delivery("issues", github.issue("opened", 6)),
        ],
    )
    receive(conn, [delivery("issue_comment", more.issue_comment("On #5"))])
    capture_all(conn)
    assert len(embedded(conn)) == 3
    receive(conn, [delivery("issues", github.issue("deleted", 5, at=GONE_AT))])
    capture_all(conn)
    assert current(conn, ISSUE) == {"status": "closed", "existence": "deleted"}
    [(valid_to,)] = rows(
        conn,
        "SELECT valid_to FROM lightfast.temporal_states WHERE entity_id = %s AND state_value = 'open' "
        "AND superseded_at IS NULL",
        ISSUE,
    )
    assert valid_to == datetime.fromisoformat(GONE_AT)
    opened_six = "github:issue:1#6|opened|" + one(
        conn,
        "SELECT split_part(source_id, '|', 3) FROM lightfast.observations WHERE source_id LIKE %s",
        "github:issue:1#6%",
    )
    assert remembered(conn) == embedded(conn) == {opened_six}
    assert one(conn, "SELECT count(*) FROM lightfast.observations") == 4


def test_deleted_observations_wait_for_no_vectors(conn: Connection) -> None:
    workspace_with(conn)
    receive(
        conn,
        [
            delivery("issues", github.issue("opened", 5)),
            delivery("issues", github.issue("deleted", 5, at=GONE_AT)),
        ],
    )
    capture_all(conn)
    assert embedded(conn) == set()
    assert waiting(conn, model="plain", cluster_rule_version=1).unembedded == 0
    for exactly in (False, True):
        work = days_with_work(conn, model="plain", cluster_rule_version=1, exactly=exactly)
        assert [day.unembedded for day in work.days if day.unembedded] == []


def test_a_deleted_comment_leaves_search_alone_and_its_issue_stays(conn: Connection) -> None:
    workspace_with(conn)
    receive(
        conn,
        [
            delivery("issues", github.issue("opened", 5)),
            delivery("issue_comment", more.issue_comment("One", comment_id=550)),
            delivery("issue_comment", more.issue_comment("Two", comment_id=551)),
            delivery("issue_comment", more.issue_comment("1!", action="edited", comment_id=550)),
            delivery("issue_comment", deleted_comment(550)),
            # Comments on lines count apart: the same number is another comment.
            delivery("pull_request_review_comment", more.review_comment(comment_id=550)),
        ],
    )
    capture_all(conn)
    assert current(conn, "github:comment:comment:550") == {"existence": "deleted"}
    assert current(conn, ISSUE) == {"status": "open"}
    remembered_keys = {source_id.split("|", 1)[1].split("@")[0] for source_id in remembered(conn)}
    assert {"comment.created|551", "review-comment.created|550"} <= remembered_keys
    assert (
        not {"comment.created|550", "comment.edited|550", "comment.deleted|550"} & remembered_keys
    )
    assert embedded(conn) == remembered(conn)


def test_an_issue_with_later_events_exists_again(conn: Connection) -> None:
    workspace_with(conn)
    receive(
        conn,
        [
            delivery("issues", github.issue("opened", 5)),
            delivery("issues", github.issue("deleted", 5, at=GONE_AT)),
        ],
    )
    capture_all(conn)
    assert remembered(conn) == set()
    receive(conn, [delivery("issues", github.issue("reopened", 5, at="2024-05-21T00:00:00Z"))])
    capture_all(conn)
    assert current(conn, ISSUE) == {"status": "open"}
    assert len(remembered(conn)) == len(embedded(conn)) == 3


def test_a_release_published_anew_under_a_deleted_tag_is_there_again(conn: Connection) -> None:
    workspace_with(conn)
    receive(
        conn,
        [delivery("release", github.release()), delivery("release", {**github.release("deleted")})],
    )
    capture_all(conn)
    assert remembered(conn) == set()
    receive(conn, [delivery("release", github.release(published_at="2030-01-01T00:00:00Z"))])
    capture_all(conn)
    assert len(remembered(conn)) == 3


def test_a_deployment_that_is_gone_has_no_state_any_more(conn: Connection) -> None:
    workspace_with(conn)
    gone = more.deployment()
    gone |= {"action": "deleted", "deployment": {**gone["deployment"], "updated_at": GONE_AT}}
    receive(
        conn,
        [
            delivery("deployment", more.deployment()),
            delivery("deployment_status", more.deployment_status()),
            delivery("deployment", gone, source="api", org_id="default"),
        ],
    )
    capture_all(conn)
    assert current(conn, "github:deployment:1:40") == {"existence": "deleted"}
    assert remembered(conn) == set()


def test_a_deletion_stated_by_webhook_and_sweep_is_one_fact(conn: Connection) -> None:
    workspace_with(conn)
    later = github.issue("deleted", 5, at="2024-05-25T00:00:00Z")
    receive(
        conn,
        [
            delivery("issues", github.issue("opened", 5)),
            delivery("issues", later, "sweep", source="api", org_id="default"),
            delivery("issues", github.issue("deleted", 5, at=GONE_AT)),
        ],
    )
    capture_all(conn)
    [(at,)] = rows(
        conn, "SELECT occurred_at FROM lightfast.observations WHERE source_type = 'issue.deleted'"
    )
    assert at == datetime.fromisoformat(GONE_AT)


def _story() -> list[Delivery]:
    payloads_sent = [
        ("issues", github.issue("opened", 5)),
        ("issues", github.issue("deleted", 5, at="2024-05-10T00:00:00Z")),
        ("issues", github.issue("reopened", 5, at="2024-05-12T00:00:00Z")),
        ("issues", github.issue("opened", 6)),
        ("issues", github.issue("deleted", 6, at=GONE_AT)),
        ("issue_comment", more.issue_comment("One", comment_id=550)),
        ("issue_comment", deleted_comment(550)),
        ("issue_comment", more.issue_comment("Two", comment_id=551)),
        ("release", github.release()),
        ("release", github.release("deleted")),
    ]
    return [
        delivery(event, payload, f"d-{number}", received_at=NOW + timedelta(minutes=number))
        for number, (event, payload) in enumerate(payloads_sent)
    ]


def digest_of(database: Database, deliveries: Sequence[Delivery], batch_rows: int) -> Any:
    with database.connect("pipeline") as conn:
        workspace_with(conn)
        receive(conn, deliveries)
        capture_all(conn, batch_rows=batch_rows)
        embedded(conn)
        return digest_lines(conn)


def test_the_digest_is_equal_in_any_order(new_database: Callable[[], Database]) -> None:
    story = _story()
    expected = digest_of(new_database(), story, 100)
    for seed in range(4):
        shuffled = list(story)
        Random(seed).shuffle(shuffled)
        assert digest_of(new_database(), shuffled, 1 + seed) == expected


def test_a_rebuild_knows_the_same(database: Database) -> None:
    digest_of(database, _story(), 1)
    with database.connect("pipeline") as conn:
        before = digest_lines(conn, knowledge=True)
        rebuild(conn)
        conn.commit()
        capture_all(conn)
        assert digest_lines(conn, knowledge=True) == before


MOMENTS = [datetime(2024, 1, day, tzinfo=UTC) for day in range(1, 8)]
facts = st.builds(
    StateFact,
    value=st.sampled_from(["open", "closed", "merged"]),
    at=st.sampled_from(MOMENTS),
    rank=st.integers(0, 4),
    source_id=st.sampled_from("abcdef"),
    recorded_at=st.sampled_from(MOMENTS),
)
deletions = st.builds(
    StateFact,
    value=st.sampled_from(["deleted", "exists"]),
    at=st.sampled_from(MOMENTS),
    rank=st.just(99),
    source_id=st.sampled_from("xyz"),
    recorded_at=st.sampled_from(MOMENTS),
)


@given(st.lists(facts, max_size=8), st.lists(deletions, min_size=1, max_size=4))
def test_no_state_is_believed_of_an_entity_that_is_believed_deleted(
    stated: list[StateFact], ends: list[StateFact]
) -> None:
    gone = existence.deletions(ends, ())
    before = history(stated)
    after = existence.ended(before, gone, ())
    halves = [moment + timedelta(hours=12) for moment in MOMENTS]

    def holds(intervals: Sequence[Any], at: datetime, known: datetime) -> list[str]:
        return [
            each.value
            for each in intervals
            if each.valid_from <= at
            and (each.valid_to is None or at < each.valid_to)
            and each.recorded_at <= known
            and (each.superseded_at is None or known < each.superseded_at)
        ]

    for at, known in itertools.product(halves, halves):
        expected = [] if holds(gone, at, known) else holds(before, at, known)
        assert holds(after, at, known) == expected


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_time_of_a_deletion_depends_on_the_set_of_facts_alone(order: tuple[int, ...]) -> None:
    statements = [
        StateFact("deleted", MOMENTS[2], 99, "x", MOMENTS[5]),
        StateFact("deleted", MOMENTS[4], 99, "y", MOMENTS[4]),
        StateFact("exists", MOMENTS[3], 99, "z", MOMENTS[6]),
    ]
    deletions = existence.deletions([statements[place] for place in order], ())
    now = [(each.valid_from, each.valid_to) for each in deletions if each.superseded_at is None]
    assert sorted(now, key=lambda pair: pair[0]) == [(MOMENTS[2], MOMENTS[3]), (MOMENTS[4], None)]
