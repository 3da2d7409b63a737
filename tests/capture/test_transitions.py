"""Every transition is told: what happens twice is two observations, and states follow in any order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import permutations
from random import Random
from typing import Any

from lightfast_pipelines.providers.sentry import keys as sentry_keys
from lightfast_pipelines.providers.vercel import keys as vercel_keys
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.deliveries import Delivery
from lightfast_pipelines.store.states import states_at
from tests.capture.deliveries import NOW, capture_all, one, receive, rows
from tests.capture.provider_deliveries import linked, provider_delivery
from tests.providers.linear import payloads as linear
from tests.providers.sentry import payloads as sentry
from tests.providers.vercel import payloads as vercel
from tests.providers.vercel.payloads import AT, MINUTE


def _in_rounds(conn: Connection, stories: Sequence[Sequence[Delivery]]) -> None:
    """Each story in its own order; the first step of every story, then the second of every story."""
    for step in range(len(stories[0])):
        receive(conn, [story[step] for story in stories])
        capture_all(conn)


def _intervals(conn: Connection, key: str, state_type: str) -> list[tuple[Any, ...]]:
    return rows(
        conn,
        """
        SELECT state_value, valid_from, valid_to FROM lightfast.temporal_states
        WHERE entity_id = %s AND state_type = %s AND superseded_at IS NULL ORDER BY valid_from
        """,
        key,
        state_type,
    )


def _values(conn: Connection, key: str, at: datetime) -> dict[str, str]:
    return {row["state"]: row["value"] for row in states_at(conn, key, at, None, None)}


def test_created_failed_redeployed_and_succeeded_are_four_observations_of_two_deployments(
    conn: Connection,
) -> None:
    stories = []
    orders = list(permutations(range(4)))
    linked(conn, "shop", *(("vercel", f"prj_{n}") for n in range(len(orders))))
    for n, order in enumerate(orders):
        project, failed, again = f"prj_{n}", f"dpl_{n}a", f"dpl_{n}b"
        redeployed = vercel.meta(action="redeploy", originalDeploymentId=failed)
        steps = [
            vercel.deployment("created", failed, project=project),
            vercel.deployment("error", failed, project=project, at=AT + MINUTE),
            vercel.deployment(
                "created", again, project=project, at=AT + 2 * MINUTE, git=redeployed
            ),
            vercel.deployment(
                "succeeded", again, project=project, at=AT + 3 * MINUTE, git=redeployed
            ),
        ]
        stories.append(
            [provider_delivery("vercel", steps[step]["type"], steps[step]) for step in order]
        )
    _in_rounds(conn, stories)

    begun = datetime.fromtimestamp(AT / 1000, UTC)
    minutes = [begun + timedelta(minutes=n) for n in range(4)]
    for n in range(len(orders)):
        first, second = (vercel_keys.deployment(f"dpl_{n}{which}") for which in "ab")
        assert rows(
            conn,
            """
            SELECT source_type, subject_key FROM lightfast.observations
            WHERE subject_key IN (%s, %s) ORDER BY occurred_at
            """,
            first,
            second,
        ) == [
            ("deployment.created", first),
            ("deployment.error", first),
            ("deployment.created", second),
            ("deployment.succeeded", second),
        ]
        assert _intervals(conn, first, "status") == [
            ("building", minutes[0], minutes[1]),
            ("failed", minutes[1], None),
        ]
        assert _intervals(conn, second, "status") == [
            ("building", minutes[2], minutes[3]),
            ("succeeded", minutes[3], None),
        ]
        live = _intervals(conn, vercel_keys.project(f"prj_{n}"), "live_deployment:production")
        assert live == [(second, minutes[3], None)]
    middle = begun + timedelta(seconds=90)
    assert _values(conn, "vercel:deployment:dpl_0a", middle)["status"] == "failed"
    assert _values(conn, "vercel:deployment:dpl_0b", middle) == {}
    assert _values(conn, "vercel:project:prj_0", middle) == {}
    deployments = "SELECT count(*) FROM lightfast.entities WHERE category = 'deployment'"
    assert one(conn, deployments) == 2 * len(orders)


def _ten_updates() -> list[dict[str, Any]]:
    """One field each; two fields change twice, one of them back to what it was."""
    changes: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"stateId": "state-unstarted"}, {"state": "started"}),
        ({"priority": 2}, {"priority": 1}),
        ({"assigneeId": None}, {"assignee": "Ada"}),
        ({"title": "Add a cart"}, {"title": "Add the cart"}),
        ({"estimate": None}, {"estimate": 3}),
        ({"priority": 1}, {"priority": 2}),
        ({"dueDate": None}, {"dueDate": "2024-06-01"}),
        ({"stateId": "state-started"}, {"state": "completed"}),
        ({"assigneeId": "user-ada"}, {"assignee": "Grace"}),
        ({"cycleId": None}, {"cycleId": "cycle-1"}),
    ]
    known: dict[str, Any] = {}
    payloads = []
    for minute, (before, now) in enumerate(changes):
        known |= now
        at = f"2024-05-02T12:{minute:02}:00.500Z"
        payloads.append(linear.issue_update(before, at=at, **known))
    return payloads


def test_ten_single_field_updates_of_one_issue_are_ten_observations(conn: Connection) -> None:
    linked(conn, "shop", ("linear", "team-1"))
    deliveries = [provider_delivery("linear", "Issue", payload) for payload in _ten_updates()]
    again = [
        provider_delivery("linear", "Issue", payload, delivery_id=f"again-{n}")
        for n, payload in enumerate(_ten_updates())
    ]
    both = [*deliveries, *again]
    Random(4).shuffle(both)
    receive(conn, both)
    capture_all(conn, batch_rows=3)
    fates = rows(conn, "SELECT status, count(*) FROM lightfast.outcomes GROUP BY 1 ORDER BY 1")
    assert fates == [("delivered", 10), ("filtered", 10)]  # a body counts at its first receipt
    found = rows(
        conn, "SELECT source_type, subject_key FROM lightfast.observations ORDER BY occurred_at"
    )
    assert [source_type for source_type, _ in found] == [
        "issue.state-changed",
        "issue.priority-changed",
        "issue.assigned",
        "issue.title-changed",
        "issue.estimate-changed",
        "issue.priority-changed",
        "issue.due-date-changed",
        "issue.state-changed",
        "issue.assigned",
        "issue.cycle-changed",
    ]
    assert {subject for _, subject in found} == {"linear:issue:issue-12"}
    assert one(conn, "SELECT count(*) FROM lightfast.observation_sources") == 10
    states = {
        kind: [value for value, _, _ in _intervals(conn, "linear:issue:issue-12", kind)]
        for kind in ("status", "priority", "assignee")
    }
    assert states == {
        "status": ["started", "completed"],
        "priority": ["urgent", "high"],
        "assignee": ["user:linear:user-ada", "user:linear:user-grace"],
    }


def test_resolved_regressed_and_resolved_again_has_three_intervals_in_any_order(
    conn: Connection,
) -> None:
    """From the first resolving on there are three. Where the creation is stored too, it begins one
    more before them: until then the issue was unresolved."""
    linked(conn, "shop", ("sentry", "42"))
    seen = "2024-06-02T08:00:00Z"
    days = [NOW + timedelta(days=day) for day in range(4)]
    steps: list[tuple[str, dict[str, Any]]] = [
        ("created", {}),
        ("resolved", {}),
        ("unresolved", {"substatus": "regressed", "last_seen": seen}),
        ("resolved", {"last_seen": seen}),
    ]
    stories: dict[str, list[Delivery]] = {}
    for stored in ((1, 2, 3), (0, 1, 2, 3)):
        for order in permutations(stored):
            issue = str(5000 + len(stories))
            stories[issue] = [
                provider_delivery(
                    "sentry",
                    "issue",
                    sentry.issue(
                        steps[step][0], issue_id=issue, shortId=f"S-{issue}", **steps[step][1]
                    ),
                    at=days[step],
                )
                for step in order
            ]
    for length in (3, 4):
        _in_rounds(conn, [story for story in stories.values() if len(story) == length])
    three = [
        ("resolved", days[1], days[2]),
        ("unresolved", days[2], days[3]),
        ("resolved", days[3], None),
    ]
    for issue, story in stories.items():
        found = _intervals(conn, sentry_keys.issue(42, issue), "status")
        assert found[-3:] == three
        assert [value for value, _, _ in found[:-3]] == ["unresolved"] * (len(story) - 3)
    kinds = rows(
        conn,
        "SELECT source_type, count(*) FROM lightfast.observations WHERE subject_key = %s GROUP BY 1 ORDER BY 1",
        sentry_keys.issue(42, "5029"),
    )
    assert kinds == [("issue.created", 1), ("issue.resolved", 2), ("issue.unresolved", 1)]
