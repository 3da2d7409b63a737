"""A workspace with a repository of files behind GitHub's API, and the asset that looks at it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg

from lightfast_pipelines.assets.documents import documents
from lightfast_pipelines.documents.look import LookReport
from lightfast_pipelines.documents.looks import DocumentRun, look_at_all
from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
from lightfast_pipelines.providers.api_contract import discover_apis
from lightfast_pipelines.store.database import Database
from lightfast_pipelines.store.document_queue import LinkedRepository, queue_repositories
from lightfast_pipelines.store.linked_resources import Workspace, add_workspace, link_resource
from tests.backfill.conftest import PlainApis
from tests.capture.deliveries import capture_all, delivery, receive, rows
from tests.providers.github import payloads as github
from tests.servers.github import TOKEN
from tests.servers.github_files import Commit, FileRepository, FilesServer
from tests.servers.serving import Served, serve

CONFIG = "include: ['docs/**', '*.md']\nexclude: [docs/old]\n"


class Library:
    """Workspaces that link one repository, whose pushes are captured and looked at."""

    def __init__(self, database: Database, served: Served, repository: FileRepository) -> None:
        self.database, self.served, self.repository = database, served, repository
        self._pushes = 0

    def link(self, slug: str = "shop", org_id: str = "default") -> Workspace:
        with self.database.connect("pipeline") as conn:
            workspace = add_workspace(conn, slug, org_id)
            link_resource(
                conn,
                workspace,
                "github",
                str(self.repository.id),
                name=self.repository.full_name,
            )
            conn.execute(
                "INSERT INTO lightfast.tokens (installation_id, kind, key_id) "
                "SELECT id, 'token', 'none' FROM lightfast.installations ON CONFLICT DO NOTHING"
            )
            conn.commit()
        return workspace

    def hear(self, *commits: Commit) -> None:
        """Captures a push for each commit."""
        deliveries = []
        for commit in commits:
            self._pushes += 1
            pushed = github.push([github.commit(message=commit.sha)], after=commit.sha)
            deliveries.append(delivery("push", pushed, f"push-{self._pushes}"))
        with self.database.connect("pipeline") as conn:
            receive(conn, deliveries)
            capture_all(conn)

    def push(self, changes: dict[str, str | bytes | None], **options: Any) -> Commit:
        commit = self.repository.commit(changes, **options)
        self.hear(commit)
        return commit

    def look(self) -> LookReport:
        """What the asset does, once; what was put off is due again. The sum of all looks."""
        with self.database.connect("pipeline") as conn:
            conn.execute("UPDATE lightfast.document_queue SET not_before = now()")
            conn.commit()
        run = DocumentRun(self.database, self.apis(), WordLlamaEmbedder(), "test")
        reports = look_at_all(run)
        return LookReport(
            source=" ".join(report.source for report in reports),
            workspace=" ".join(report.workspace for report in reports),
            reason="",
            fetched=sum(report.fetched for report in reports),
            gone=sum(report.gone for report in reports),
            error=" ".join(report.error for report in reports if report.error) or None,
        )

    def apis(self) -> PlainApis:
        return PlainApis(
            self.database, self.served.url, discover_apis()["github"], token=TOKEN, reserve=0
        )

    def materialize(self) -> dict[str, Any]:
        """A run of the asset; returns its metadata."""
        result = dg.materialize(
            [documents],
            resources={
                "database": dg.ResourceDefinition.hardcoded_resource(self.database),
                "apis": dg.ResourceDefinition.hardcoded_resource(self.apis()),
                "embedder": dg.ResourceDefinition.hardcoded_resource(WordLlamaEmbedder()),
            },
        )
        [event] = result.get_asset_materialization_events()
        return {name: value.value for name, value in event.materialization.metadata.items()}

    def rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        with self.database.connect("pipeline") as conn:
            return rows(conn, query, *parameters)

    def stored(self, slug: str = "shop") -> list[tuple[Any, ...]]:
        """(path, commit, when, who, text of its parts) of each document."""
        return self.rows(
            """
            SELECT d.path, d.commit_sha, d.changed_at, d.changed_by,
                   (SELECT string_agg(c.text, E'\n' ORDER BY c.position)
                    FROM lightfast.document_chunks c WHERE c.document_id = d.id)
            FROM lightfast.documents d JOIN lightfast.workspaces w ON w.id = d.workspace_id
            WHERE w.slug = %s ORDER BY d.path
            """,
            slug,
        )

    def paths(self, slug: str = "shop") -> list[str]:
        return [row[0] for row in self.stored(slug)]

    def config(self) -> tuple[Any, ...]:
        """(status, message, number of documents, commit) of the only integration."""
        [row] = self.rows(
            "SELECT config_status, config_message, document_count, documents_commit "
            "FROM lightfast.integrations"
        )
        return row

    def waiting(self) -> list[tuple[Any, ...]]:
        return self.rows("SELECT reason, attempts, error FROM lightfast.document_queue")

    def ask(self, workspace: Workspace) -> None:
        with self.database.connect("pipeline") as conn:
            queue_repositories(
                conn, [LinkedRepository(workspace.id, "github", str(self.repository.id))], "a test"
            )
            conn.commit()


@contextmanager
def library(database: Database, **options: Any) -> Iterator[Library]:
    repository = FileRepository(**options)
    with serve(FilesServer(repository)) as served:
        yield Library(database, served, repository)
