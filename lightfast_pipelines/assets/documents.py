"""Documents of linked repositories: fetched where a push, new settings or an operator asks for it."""

from typing import TYPE_CHECKING, Any

import dagster as dg

from lightfast_pipelines.assets._metadata import listing, table_spec
from lightfast_pipelines.embedding.embedder import Embedder
from lightfast_pipelines.provider_api.ports import Apis
from lightfast_pipelines.store.database import Database

if TYPE_CHECKING:
    from lightfast_pipelines.documents.look import LookReport

ASSET = "documents"


@dg.multi_asset(
    name=ASSET,
    specs=[
        table_spec(
            ASSET,
            deps=["observations"],
            description=(
                "One row: a Markdown or text file of a linked repository, as the head of its default "
                "branch has it, and the latest commit that changed it. Its parts are in `document_chunks`."
            ),
        )
    ],
)
def documents(
    context: dg.AssetExecutionContext,
    database: dg.ResourceParam[Database],
    apis: dg.ResourceParam[Apis],
    embedder: dg.ResourceParam[Embedder],
) -> dg.MaterializeResult[None]:
    """Looks at every repository that waits for it."""
    reports = _look(database, apis, embedder, f"dagster:{context.run.run_id}")
    for report in reports:
        if report.error:
            context.log.warning("%s: %s", report.source, report.error)
    metadata: dict[str, Any] = {
        "repositories": len(reports),
        "fetched": sum(report.fetched for report in reports),
        "gone": sum(report.gone for report in reports),
        "skipped": sum(report.skipped for report in reports),
        "chunks": sum(report.chunks for report in reports),
        "requests": sum(report.requests for report in reports),
        "errors": sum(report.error is not None for report in reports),
        **listing("looks", [report.shown() for report in reports]),
    }
    return dg.MaterializeResult(asset_key=ASSET, metadata=metadata)


def _look(database: Database, apis: Apis, embedder: Embedder, actor: str) -> "list[LookReport]":
    # Only a run that asks a provider loads HTTP and encryption.
    from lightfast_pipelines.documents.looks import DocumentRun, look_at_all

    return look_at_all(DocumentRun(database, apis, embedder, actor))
