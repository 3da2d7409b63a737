"""`lightfast documents`: fetches the documents of repositories, lists them and finds parts of them."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from lightfast_pipelines.cli.console import print_json, print_table, show
from lightfast_pipelines.cli.opening import (
    command_connection,
    command_database,
    operator_name,
    workspace_named,
)
from lightfast_pipelines.cli.options import AsJson, InWorkspace, ListLimit
from lightfast_pipelines.cli.root import Failure

if TYPE_CHECKING:
    from lightfast_pipelines.store.database import Database

documents_app = typer.Typer(
    help="Documents: Markdown and text files of linked repositories.", no_args_is_help=True
)
_SHOWN_CHARACTERS = 160


@documents_app.command("sync")
def sync(
    workspace: InWorkspace,
    resource: Annotated[
        list[str] | None,
        typer.Option(
            "--resource", "-r", help="Only this repository (id or name); may be repeated."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare the documents of a workspace with its repositories, and fetch what differs.

    Documents that are right already are not fetched again.
    """
    from lightfast_pipelines.documents.looks import DocumentRun, look_at_all
    from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
    from lightfast_pipelines.provider_api.access import StoredAccess
    from lightfast_pipelines.settings import settings

    with command_database() as database:
        chosen = _asked_for(database, workspace, resource or [])
        run = DocumentRun(
            database,
            StoredAccess(database, settings(), operator_name()),
            WordLlamaEmbedder(),
            operator_name(),
        )
        reports = [
            report for integration_id in chosen for report in look_at_all(run, integration_id)
        ]
    rows = [report.shown() for report in reports]
    if as_json:
        print_json(rows)
    elif rows:
        print_table([name.upper() for name in rows[0]], [list(row.values()) for row in rows])
    problems = [f"{report.source}: {report.error}" for report in reports if report.error]
    if len(reports) < len(chosen):
        problems.append("some were not looked at: another process looks at them now")
    if problems:
        raise Failure("; ".join(problems))


def _asked_for(database: Database, workspace: str, resources: list[str]) -> list[int]:
    """The integrations of the repositories, each put into the queue. Raises Failure if one cannot be read."""
    from lightfast_pipelines.providers.files_contract import discover_files
    from lightfast_pipelines.store.document_queue import queue_integration
    from lightfast_pipelines.store.sources import find_sources

    with database.connect() as conn:
        target = workspace_named(conn, workspace)
        sources = find_sources(conn, workspace_id=target.id, resources=resources)
        readable = [source for source in sources if source.provider in discover_files()]
        if not readable:
            what = f"no repository {', '.join(resources)}" if resources else "no repository"
            raise Failure(
                f"{what} with files is linked to {workspace} and active: link one with "
                "`lightfast integration add`, or resume it"
            )
        for source in readable:
            if not source.has_credential:
                raise Failure(
                    f"{source.name} has no credential: give one with `lightfast installation credential "
                    f"--provider {source.provider} --id {source.installation} --ask-credential`"
                )
            if source.refused is not None:
                raise Failure(f"{source.name}: {source.refused}")
            queue_integration(conn, source.integration_id, "a request")
        conn.commit()
        return [source.integration_id for source in readable]


@documents_app.command("list")
def list_all(workspace: InWorkspace, limit: ListLimit = 100, as_json: AsJson = False) -> None:
    """List the documents of a workspace, those that changed last first."""
    from lightfast_pipelines.store.documents import list_documents

    with command_connection() as conn:
        found = list_documents(conn, workspace_named(conn, workspace).id, limit)
    if as_json:
        print_json([asdict(document) for document in found])
        return
    print_table(
        ("REPOSITORY", "PATH", "TITLE", "CHANGED AT", "BY", "COMMIT", "PARTS", "SKIPPED"),
        [
            (
                *(each.repository, each.path, each.title, each.changed_at, each.changed_by),
                *(each.commit_sha[:12], each.chunk_count, each.skipped),
            )
            for each in found
        ],
    )


@documents_app.command("search")
def search(
    question: Annotated[str, typer.Argument(help="A question, or words that are looked for.")],
    workspace: InWorkspace,
    words: Annotated[
        bool, typer.Option("--words", help="Find these words, instead of what is meant.")
    ] = False,
    limit: ListLimit = 10,
    as_json: AsJson = False,
) -> None:
    """Find the parts of documents that are about a question, or that hold some words."""
    from lightfast_pipelines.documents.search import documents_near, documents_with
    from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder

    with command_connection() as conn:
        target = workspace_named(conn, workspace)
        found = (
            documents_with(conn, target, question, limit)
            if words
            else documents_near(conn, WordLlamaEmbedder(), target, question, limit)
        )
    if as_json:
        print_json([asdict(part) for part in found])
        return
    if not found:
        show("nothing found")
        return
    print_table(
        ("SCORE", "REPOSITORY", "PATH", "LINES", "HEADINGS", "TEXT", "CHANGED AT"),
        [
            (
                f"{part.score:.3f}",
                *(part.repository, part.path, f"{part.first_line}-{part.last_line}"),
                " > ".join(part.heading_path),
                " ".join(part.text.split())[:_SHOWN_CHARACTERS],
                part.changed_at,
            )
            for part in found
        ],
    )
