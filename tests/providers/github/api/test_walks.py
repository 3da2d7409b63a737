"""Walks GitHub's whole history over HTTP: nothing is lost, and the facts equal those of the webhooks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightfast_pipelines.domain.events import Statement, Understood
from lightfast_pipelines.domain.folding import StatementSource, fold
from lightfast_pipelines.providers.api_contract import Credential, LinkedResource, Window
from lightfast_pipelines.providers.github import PROVIDER
from lightfast_pipelines.providers.github.api import API
from lightfast_pipelines.providers.github.api.shared_facts import (
    ONLY_BY_API,
    ONLY_BY_WEBHOOK,
    SHARED,
    SHARED_AS_OF_TODAY,
    SHARED_IN_PART,
)
from tests.depth import examples
from tests.providers.agreement import event_of, stripped
from tests.servers.github import TOKEN, GitHubServer
from tests.servers.github_records import Change, Issue, WorkflowRun, sha
from tests.servers.github_webhooks import webhooks
from tests.servers.github_world import World
from tests.servers.serving import Receive, Scope, Send, serve
from tests.servers.walking import Asking

WALKERS = {walker.entity_type: walker for walker in API.walkers}
WINDOW = Window(datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))
Told = dict[str, Statement]


@dataclass(slots=True)
class Served:
    """One address for all worlds: each example serves its own there."""

    asking: Asking
    server: GitHubServer = field(default_factory=GitHubServer)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.server(scope, receive, send)

    def show(self, world: World) -> LinkedResource:
        self.server = GitHubServer(world)
        self.server.limits = {"core": 10**9, "graphql": 10**9}
        return place_of(world)


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with httpx.Client(timeout=30) as http:
        found = Served(Asking(API, "", Credential("personal", TOKEN), http))
        with serve(found) as running:
            found.asking.base_url = running.url
            yield found


def place_of(world: World) -> LinkedResource:
    return LinkedResource(
        "github",
        str(world.id),
        world.full_name,
        {
            "default_branch": world.default_branch,
            "html_url": f"https://github.com/{world.full_name}",
        },
    )


worlds = st.builds(
    World.synthetic,
    st.integers(0, 10_000),
    pulls=st.integers(0, 12),
    commits=st.integers(1, 12),
    issues=st.integers(0, 8),
)


def folded(deliveries: Iterable[tuple[str, Mapping[str, Any]]]) -> Told:
    """Source id -> the fact that the statements make together."""
    found: dict[str, list[tuple[StatementSource, Statement]]] = {}
    for event, payload in deliveries:
        body = json.dumps(payload).encode()
        reading = PROVIDER.read(event, PROVIDER.decode(body, {}))
        if isinstance(reading, Understood):
            source = StatementSource("webhook", WINDOW.until, body)
            for statement in reading.statements:
                found.setdefault(statement.source_id, []).append((source, statement))
    return {key: fold(stated) for key, stated in found.items()}


def by_webhook(world: World) -> Told:
    """Without the facts that only webhooks carry."""
    return folded(
        (event, stripped(payload, ONLY_BY_WEBHOOK.get(event_of(event, payload), ())))
        for event, payload, _, _ in webhooks(world)
        if "" not in ONLY_BY_WEBHOOK.get(event_of(event, payload), ())
    )


def by_api(world: World, served: Served) -> Told:
    place = served.show(world)
    deliveries = []
    for walker in API.walkers:
        walk = served.asking.walk(walker, place, WINDOW)
        assert not walk.troubles
        deliveries += [(record.event_type, record.payload) for record in walk.records]
    return folded(deliveries)


def fact(statement: Statement) -> tuple[Any, ...]:
    who = [
        (one.source, one.source_id) if one else None for one in (statement.actor, statement.author)
    ]
    states = frozenset((s.thing.key, s.state_type, s.value, s.at) for s in statement.states)
    return (statement.source_id, statement.source_type, statement.occurred_at, *who, states)


def of_kinds(told: Told, kinds: Iterable[str]) -> set[tuple[Any, ...]]:
    return {fact(one) for one in told.values() if one.source_type in kinds}


@examples(15)
@given(world=worlds)
def test_webhooks_and_the_walks_state_the_same(served: Served, world: World) -> None:
    api, webhook = by_api(world, served), by_webhook(world)
    assert of_kinds(api, SHARED) == of_kinds(webhook, SHARED)
    assert of_kinds(api, SHARED_IN_PART) <= of_kinds(webhook, SHARED_IN_PART)
    assert {one.source_type for one in api.values()} <= SHARED | SHARED_IN_PART.keys()


@examples(8)
@given(world=worlds)
def test_facts_that_both_carry_do_not_differ_at_all(served: Served, world: World) -> None:
    for pull in world.pulls:  # the API has today's titles
        pull.changes = [change for change in pull.changes if change.event != "renamed"]
    api, webhook = by_api(world, served), by_webhook(world)
    for key, found in api.items():
        undone = found.source_type == "pull-request.closed" and not found.metadata["headRef"]
        assert undone or _said(found) == _said(webhook[key])


def _said(statement: Statement) -> dict[str, Any]:
    """What both may carry of the statement, in any order of its mentions and edges."""
    lists = ("accounts", "references", "mentions", "edges", "states")
    names = [name for name in statement.__struct_fields__ if name not in ONLY_BY_API]
    told = {name: getattr(statement, name) for name in names}
    return told | {name: sorted(map(repr, told[name])) for name in lists}


@examples(6)
@given(world=worlds, size=st.sampled_from([1, 2, 4]))
@pytest.mark.parametrize("kind", sorted(WALKERS))
def test_pages_of_any_length_and_a_walk_resumed_anywhere_lose_nothing(
    served: Served, kind: str, world: World, size: int
) -> None:
    place, walker, asking = served.show(world), WALKERS[kind], served.asking
    whole = asking.walk(walker, place, WINDOW).rows
    halved = asking.walk(walker, place, WINDOW, sizes=lambda n: max(1, size >> (n // 2)))
    assert halved.rows == whole
    for cursor, had in list(zip(halved.cursors, halved.had, strict=True))[::5]:
        rest = asking.walk(walker, place, WINDOW, start=cursor, sizes=lambda _: 3)
        before = {record.delivery_id for record in halved.records[:had]}
        assert before | rest.rows.keys() == whole.keys()


def _again(thing: Issue) -> None:
    thing.changes.append(Change("labeled", WINDOW.until, "ada", "bug"))


@pytest.mark.parametrize("kind", ["pull_request", "review", "issue", "issue_event"])
def test_changes_during_the_walk_are_not_lost(served: Served, kind: str) -> None:
    world = World.synthetic(4, pulls=30, commits=1, issues=30)
    place, walker = served.show(world), WALKERS[kind]
    before = served.asking.walk(walker, place, WINDOW).rows.keys()

    def change(pages: int) -> None:
        """The items that were changed longest ago move to the top, one by one, before the walk reaches them."""
        if pages <= 10:
            _again(world.pulls[pages])
            _again(world.issues[pages])
            world.number_events()
            world.touch()

    walk = served.asking.walk(walker, place, WINDOW, sizes=lambda _: 2, between=change)
    assert {one.delivery_id for one in walk.records} >= before


@pytest.mark.parametrize("kind", sorted(WALKERS))
@pytest.mark.parametrize("count", [1, 130, 420])
def test_the_estimate_is_within_a_tenth_of_the_walks_requests(
    served: Served, kind: str, count: int
) -> None:
    world = World.synthetic(6, pulls=count, commits=min(count, 250), issues=count)
    place, walker = served.show(world), WALKERS[kind]
    for since in (WINDOW.since, datetime(2025, 9, 1, tzinfo=UTC)):
        window = Window(since, WINDOW.until)
        found, probes = served.asking.estimate(walker, place, window)
        walk = served.asking.walk(walker, place, window)
        assert probes <= 12
        assert abs(found.requests - walk.requests) <= max(1, walk.requests * 0.1)


def test_more_failed_runs_than_github_lists_are_all_read(served: Served) -> None:
    world = World.synthetic(1, pulls=0, commits=1, issues=0)
    step = (WINDOW.until - WINDOW.since) / 2_600
    for number in range(2_500):
        at = WINDOW.since + step * number
        run = WorkflowRun(50_000 + number, number, sha(number), "ada", at, at)
        run.conclusion = "failure"
        world.runs.append(run)
    place, walker = served.show(world), WALKERS["workflow_run"]
    found, _ = served.asking.estimate(walker, place, WINDOW)
    walk = served.asking.walk(walker, place, WINDOW)
    assert sum(number >= "50000" for number in _ids(walk.rows)) == 2_500
    assert abs(found.requests - walk.requests) <= walk.requests * 0.1


def _ids(rows: Iterable[str]) -> list[str]:
    return [row.split(":")[2] for row in rows]


def test_every_delivered_event_is_shared_or_has_a_reason_why_not() -> None:
    for rule in PROVIDER.events:
        if rule.outcome != "delivered":
            continue
        event = f"{rule.event}.{rule.action}" if rule.action else rule.event
        for kind in rule.source_types:
            told = kind in SHARED or kind in SHARED_IN_PART
            alone = "" in ONLY_BY_WEBHOOK.get(event, ())
            assert told != alone or _of_the_other_kind(event, kind), (event, kind)
    assert not SHARED & SHARED_IN_PART.keys()


def _of_the_other_kind(event: str, kind: str) -> bool:
    """Whether it is a change of a pull request that came as one of an issue, or a push with a statement of its own."""
    as_issue = event.startswith("issues.") and kind.startswith("pull-request.")
    return as_issue or (event == "push" and kind != "commit.pushed")


def test_every_reason_is_about_a_delivered_event() -> None:
    delivered = {
        f"{rule.event}.{rule.action}" if rule.action else rule.event
        for rule in PROVIDER.events
        if rule.outcome == "delivered"
    }
    assert set(ONLY_BY_WEBHOOK) <= delivered
    assert all(reason for paths in ONLY_BY_WEBHOOK.values() for reason in paths.values())
    assert not {path for path in SHARED_AS_OF_TODAY if not path.partition(".")[2]}
