"""The same answer whatever the order: shuffled, repeated, in portions, again, rebuilt, or killed."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from random import Random

from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from lightfast_pipelines.inbox.requeue import rebuild, requeue_days
from lightfast_pipelines.store.database import Database
from lightfast_pipelines.store.deliveries import Delivery
from lightfast_pipelines.store.digest import digest_lines
from tests.capture.deliveries import NOW, capture_all, delivery, one, receive, workspace_with
from tests.depth import examples, size
from tests.programs import Programs
from tests.providers.github import payloads as github

OLDER = "2024-03-01T00:00:00Z"


def _story() -> list[Delivery]:
    """Deliveries that lean on each other: references before things, renames, facts stated twice."""
    first, second = "abcdef1" + "0" * 33, "abcdef1" + "1" * 33
    cart = github.commit("Add a cart (#6)", author="Ada", email="ada@acme.test", modified=("a.py",))
    fix = github.commit(
        "Keep the cart\n\nFixes #5, #15 and acme/store#9\n\nCo-authored-by: Grace <grace@acme.test>"
    )
    revert = github.commit("Undo\n\nThis reverts commit abcdef1.")
    sure = github.commit("Undo surely\n\nThis reverts commit abcdef10.")
    merge = github.commit("Merge pull request #7 from ada/keep\n\nKeep the cart")
    events = [
        ("issues", github.issue("opened", 5, body="seen in abcdef1, like #15 and #404")),
        ("issues", github.issue("closed", 5, at="2024-05-03T00:00:00Z")),
        ("issues", github.issue("reopened", 5, at="2024-05-04T00:00:00Z", title="Still empty")),
        ("issues", github.issue("reopened", 5, at="2024-05-06T00:00:00Z", title="Empty again")),
        ("issues", github.issue("closed", 5, at="2024-05-05T00:00:00Z")),
        ("issues", github.issue("opened", 15, repo="acme/store", title="Renamed since")),
        ("issues", github.issue("opened", 9, repo="acme/store", repo_id=2)),
        ("pull_request", github.pull_request("opened", 6, draft=True, body="closes #5")),
        ("pull_request", github.pull_request("ready_for_review", 6, body="closes #5")),
        (
            "pull_request",
            github.pull_request("closed", 6, merged=True, merge_sha=cart["id"], sender="grace"),
        ),
        ("pull_request", github.pull_request("opened", 7, body="After #6", author="grace")),
        ("pull_request", github.pull_request("closed", 7, at="2024-04-01T00:00:00Z")),
        ("push", github.push([cart])),
        ("push", github.push([cart, fix], sender="grace")),
        # The same commit, said to be older: which time it has depends on all who state it.
        (
            "push",
            github.push(
                [{**cart, "timestamp": OLDER, "author": {**cart["author"], "date": OLDER}}]
            ),
        ),
        ("push", github.push([fix, merge])),
        ("push", github.push([github.commit("one", commit_sha=first)])),
        ("push", github.push([github.commit("two", commit_sha=second)])),
        ("push", github.push([revert, sure], repo="acme/store")),
        ("push", github.push([], before=first, after=github.NOBODY, ref="refs/heads/old")),
        ("release", github.release()),
        ("release", github.release(tag="v1.1.0", published_at="2024-05-09T00:00:00Z")),
        ("discussion", github.discussion()),
        ("discussion", github.discussion("answered")),
        ("ping", github.ping()),
    ]
    story = [
        delivery(event, payload, f"d-{number}", received_at=NOW + timedelta(minutes=number))
        for number, (event, payload) in enumerate(events)
    ]
    # The same fact under another delivery id, and the same delivery once more.
    again = delivery(
        events[0][0], events[0][1], "redelivered", received_at=NOW + timedelta(hours=9)
    )
    return [*story, again, story[3]]


STORY = _story()


def _portions(items: Sequence[Delivery], cuts: Sequence[int]) -> list[Sequence[Delivery]]:
    edges = [0, *sorted(cut % (len(items) + 1) for cut in cuts), len(items)]
    return [items[a:b] for a, b in itertools.pairwise(edges)]


@given(
    order=st.permutations(range(len(STORY))),
    cuts=st.lists(st.integers(0, len(STORY)), max_size=4),
    batch_rows=st.integers(1, 9),
    linked_after=st.integers(0, 2),
)
@examples(6, suppress=[HealthCheck.function_scoped_fixture])
def test_any_order_portions_and_batches_end_in_the_same_rows(
    new_database: Callable[[], Database],
    order: list[int],
    cuts: list[int],
    batch_rows: int,
    linked_after: int,
) -> None:
    digests = []
    for deliveries, rows in ((STORY, 100), ([STORY[place] for place in order], batch_rows)):
        with new_database().connect() as conn:
            portions = _portions(deliveries, cuts if rows != 100 else ())
            for number, portion in enumerate(portions):
                if number == min(linked_after, len(portions) - 1):
                    workspace_with(conn, "shop", 1, 2)
                receive(conn, portion)
                capture_all(conn, batch_rows=rows)
            assert one(conn, "SELECT count(*) FROM lightfast.raw_queue") == 0
            digests.append(digest_lines(conn))
    assert digests[0] == digests[1]


def test_a_rebuild_and_a_day_again_give_the_same_on_both_clocks(
    new_database: Callable[[], Database],
) -> None:
    shuffled = list(STORY)
    Random(3).shuffle(shuffled)
    with new_database().connect() as conn:
        workspace_with(conn, "shop", 1, 2)
        for portion in _portions(shuffled, (5, 11)):
            receive(conn, portion)
            capture_all(conn, batch_rows=3)
        before = digest_lines(conn, knowledge=True)
        assert rebuild(conn) == len(STORY) - 1
        conn.commit()
        assert one(conn, "SELECT count(*) FROM lightfast.observations") == 0
        capture_all(conn, batch_rows=4)
        assert digest_lines(conn, knowledge=True) == before
        requeue_days(conn, [NOW.date()])
        conn.commit()
        capture_all(conn, batch_rows=7)
        assert digest_lines(conn, knowledge=True) == before


_CHILD = """
import sys
from datetime import datetime, UTC
import psycopg
from lightfast_pipelines.capture.queue.batches import capture
with psycopg.connect(sys.argv[1]) as conn:
    capture(conn, days=None, max_rows=10_000, batch_rows=1, now=datetime.now(UTC),
            progress=lambda n: print("batch", flush=True))
"""


def test_a_capture_killed_at_any_point_is_finished_by_the_next(
    new_database: Callable[[], Database], programs: Programs
) -> None:
    chance = Random(11)
    with new_database().connect() as conn:
        workspace_with(conn, "shop", 1, 2)
        receive(conn, STORY)
        capture_all(conn)
        expected = digest_lines(conn)
    database = new_database()
    with database.connect() as conn:
        workspace_with(conn, "shop", 1, 2)
        receive(conn, STORY)
        for _ in range(size(4, 10)):
            child = programs.start(
                [sys.executable, "-c", _CHILD, database.url()], stdout=subprocess.PIPE
            )
            assert child.stdout is not None
            for _ in range(chance.randint(0, 2)):
                child.stdout.readline()
            os.kill(child.pid, signal.SIGKILL)
            child.wait()
            child.stdout.close()
        capture_all(conn)
        assert digest_lines(conn) == expected
