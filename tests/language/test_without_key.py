"""With no key set nothing calls out, and everything is there all the same."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from lightfast_pipelines.embedding.pgvector import PgVectorIndex
from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
from lightfast_pipelines.language.claude import language_of
from lightfast_pipelines.processing import process
from lightfast_pipelines.settings import Settings
from lightfast_pipelines.store.database import Connection, Database
from tests.capture.deliveries import delivery, one, receive, rows, workspace_with
from tests.language.asked import NOW, categories, language
from tests.providers.github.payloads import issue
from tests.servers.anthropic import AnthropicServer, labelled
from tests.servers.serving import Fault


class _Silent:
    def stage(self, title: str, total: int | None = None) -> None: ...

    def advance(self, count: int) -> None: ...

    def waits(self, reason: str) -> None: ...


def _process(database: Database, **more: Any) -> Any:
    return process(
        database,
        Settings(),
        WordLlamaEmbedder(),
        PgVectorIndex,
        _Silent(),
        clock=lambda: NOW,
        **more,
    )


def _arrive(conn: Connection) -> None:
    workspace_with(conn)
    receive(
        conn,
        [delivery("issues", issue(number=n, title=f"Goods vanish {n}")) for n in range(1, 4)],
    )


def _is_whole(conn: Connection) -> bool:
    """Whether every event is stored, observed, clustered and searchable by a local vector."""
    return bool(
        one(conn, "SELECT count(*) = 0 FROM lightfast.raw_queue")
        and one(
            conn,
            """
            SELECT count(*) = 3 AND bool_and(embedding_title_id IS NOT NULL AND cluster_id IS NOT NULL)
            FROM lightfast.observations
            """,
        )
    )


def test_no_connection_leaves_the_machine_without_a_key(
    database: Database, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    called: list[Any] = []
    connect = socket.socket.connect

    def noting(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX:
            called.append(address)
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", noting)
    _arrive(conn)
    report = _process(database, language=language_of(Settings()))
    assert (report.waits.total, report.asked) == (0, 0)
    assert _is_whole(conn)
    assert called == []


def test_with_a_key_the_same_process_asks_applies_and_ends(
    database: Database, conn: Connection, server: AnthropicServer
) -> None:
    server.answer = labelled("incident")
    _arrive(conn)
    report = _process(database, language=language(server))
    assert (report.waits.total, report.asked, report.answered) == (0, 3, 3)
    assert _is_whole(conn)
    assert set(categories(conn).values()) == {"incident"}
    assert server.served.count() == 1


@pytest.mark.parametrize(
    "fault",
    [
        Fault(times=99, status=429, headers={"retry-after": "600"}),
        Fault(times=99, status=500),
        Fault(times=99, status=200, truncated=True),
        Fault(times=99, status=200, cut=True),
        Fault(times=1, hangs=True),
    ],
    ids=["429", "500", "truncated", "cut", "hangs"],
)
def test_with_the_model_at_fault_everything_local_is_there(
    database: Database, conn: Connection, server: AnthropicServer, fault: Fault
) -> None:
    _arrive(conn)
    server.served.faults.append(fault)
    report = _process(database, language=language(server))
    assert report.waits.total == 0
    assert report.unasked is not None
    assert _is_whole(conn)
    assert rows(conn, "SELECT count(*) FROM lightfast.model_answers") == [(0,)]
