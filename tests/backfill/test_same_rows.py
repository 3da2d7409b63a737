"""Webhooks and the API's history give the same rows: together, alone, in either order, repeated."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest

from lightfast_pipelines.backfill.request import BackfillListener, BackfillRequest, BackfillResult
from lightfast_pipelines.backfill.run import run_backfill
from lightfast_pipelines.embedding.pgvector import PgVectorIndex
from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
from lightfast_pipelines.processing import process
from lightfast_pipelines.providers import discover
from lightfast_pipelines.providers.github.api import API
from lightfast_pipelines.providers.github.api.shared_facts import ONLY_BY_WEBHOOK, SHARED
from lightfast_pipelines.settings import Settings
from lightfast_pipelines.store.database import Database
from lightfast_pipelines.store.deliveries import Delivery, insert_deliveries
from lightfast_pipelines.store.digest import digest_lines
from lightfast_pipelines.store.linked_resources import add_workspace, link_resource
from lightfast_pipelines.store.sources import find_sources
from tests.backfill.conftest import PlainApis
from tests.depth import size
from tests.providers.agreement import event_of, stripped
from tests.servers.github import TOKEN, GitHubServer
from tests.servers.github_webhooks import webhooks
from tests.servers.github_world import World
from tests.servers.serving import serve

Told = tuple[str, Mapping[str, Any], str, datetime]
SINCE, UNTIL = datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def world() -> World:
    pulls, commits, issues = size(16, 40), size(36, 90), size(10, 25)
    return World.synthetic(
        seed=11, pulls=pulls, commits=commits, issues=issues, since=SINCE, until=UNTIL
    )


class Memory:
    """A database of its own that receives a world by webhook, by API, or both."""

    def __init__(self, database: Database, world: World, url: str) -> None:
        self.database, self._world, self._url = database, world, url
        with database.connect() as conn:
            workspace = add_workspace(conn, "shop")
            meta = {"default_branch": world.default_branch}
            link_resource(conn, workspace, "github", str(world.id), name=world.full_name, meta=meta)
            conn.execute(
                "INSERT INTO lightfast.tokens (installation_id, kind, key_id) "
                "SELECT id, 'personal', 'none' FROM lightfast.installations"
            )
            conn.commit()

    def store(self, told: Iterable[Told], source: str = "webhook") -> None:
        deliveries = [
            Delivery(
                provider="github",
                delivery_id=delivery,
                event_type=event,
                body=msgspec.json.encode(payload),
                headers={},
                received_at=at,
                partition_date=at.date(),
                ingestion_source=source,
                verified_by="env:GITHUB_WEBHOOK_SECRET",
            )
            for event, payload, delivery, at in told
        ]
        with self.database.connect() as conn:
            insert_deliveries(conn, deliveries)
            conn.commit()

    def by_api(self, since: datetime = SINCE, until: datetime = UNTIL) -> BackfillResult:
        with self.database.connect() as conn:
            sources = find_sources(conn)
        return run_backfill(
            self.database,
            PlainApis(self.database, self._url, API, token=TOKEN, timeout=20),
            BackfillRequest(sources, since, until),
            first_day=date(2008, 1, 1),
            listener=BackfillListener(),
        )

    def records(self) -> list[Told]:
        """The rows that a backfill put into the inbox."""
        with self.database.connect() as conn:
            rows = conn.execute(
                "SELECT p.event_type, b.body, p.delivery_id, p.received_at "
                "FROM lightfast.raw_payloads p JOIN lightfast.raw_bodies b ON b.raw_payload_id = p.id"
            ).fetchall()
        return [
            (event, msgspec.json.decode(body), delivery, at) for event, body, delivery, at in rows
        ]

    def process(self) -> None:
        process(self.database, Settings(), WordLlamaEmbedder(), PgVectorIndex, _Silent())

    def digest(self) -> dict[str, str]:
        self.process()
        with self.database.connect() as conn:
            return dict(digest_lines(conn))


class _Silent:
    def advance(self, count: int) -> None: ...

    def waits(self, reason: str) -> None: ...

    def stage(self, title: str, total: int | None = None) -> None: ...


NewMemory = Callable[[], Memory]


@pytest.fixture
def memory(world: World, new_database: Callable[[], Database]) -> Iterator[NewMemory]:
    with serve(GitHubServer(world)) as server:
        yield lambda: Memory(new_database(), world, server.url)


@pytest.fixture(scope="module")
def told(world: World) -> list[Told]:
    return list(webhooks(world))


def test_webhooks_give_the_same_rows_alone_and_with_the_backfill_in_either_order(
    memory: NewMemory, told: list[Told]
) -> None:
    alone, before, after = memory(), memory(), memory()
    alone.store(told)
    before.store(told)
    before.process()
    assert before.by_api().status == "completed"
    assert after.by_api().status == "completed"
    after.process()
    after.store(told)
    expected = alone.digest()
    assert before.digest() == expected
    assert after.digest() == expected


def test_the_backfill_alone_gives_the_facts_that_both_report(
    world: World, new_database: Callable[[], Database]
) -> None:
    """In a world without edits, as the API has only the latest wording of a text that was changed."""
    unedited = copy.deepcopy(world)
    for thing in unedited.things():
        thing.changes = [change for change in thing.changes if change.event != "renamed"]
    unedited.touch()
    with serve(GitHubServer(unedited)) as server:
        _compare(lambda: Memory(new_database(), unedited, server.url), list(webhooks(unedited)))


def _compare(memory: NewMemory, told: list[Told]) -> None:
    by_webhooks, by_api, read = memory(), memory(), memory()
    assert read.by_api().status == "completed"
    by_webhooks.store(shared_part(told), "webhook")
    by_api.store(shared_part(read.records()), "backfill")
    assert by_api.digest() == by_webhooks.digest()


def test_a_history_gives_the_same_rows_read_whole_in_parts_and_again(
    memory: NewMemory, told: list[Told]
) -> None:
    once, parts = memory(), memory()
    once.by_api()
    middle, late = datetime(2025, 5, 1, tzinfo=UTC), datetime(2025, 9, 1, tzinfo=UTC)
    parts.by_api(middle, late)
    parts.process()
    parts.by_api(SINCE, middle)
    parts.by_api(SINCE, UNTIL)
    assert parts.by_api(SINCE, UNTIL).requests == 0
    assert parts.digest() == once.digest()


def shared_part(told: Iterable[Told]) -> Iterator[Told]:
    """The facts that both report, as docs/history.md lists them."""
    for event, payload, delivery, at in told:
        paths = ONLY_BY_WEBHOOK.get(event_of(event, payload), {})
        if "" in paths or not _is_shared(event, payload):
            continue
        yield event, stripped(payload, [*paths, *_of_last_closing(payload)]), delivery, at


def _of_last_closing(payload: Mapping[str, Any]) -> Sequence[str]:
    """An event of the API names no branch: of closings without a merge only the last one does."""
    pull = payload.get("pull_request")
    undone = pull and payload.get("action") == "closed" and not pull.get("merged_at")
    return ("pull_request.head", "pull_request.base") if undone else ()


def _is_shared(event: str, payload: Mapping[str, Any]) -> bool:
    reading = discover()["github"].read(event, payload)
    statements = getattr(reading, "statements", ())
    return bool(statements) and all(statement.source_type in SHARED for statement in statements)
