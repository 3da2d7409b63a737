"""`lightfast`: lists every command; each has a module of its own in this folder.

Only typer is imported at first: each command imports what it needs inside its function, so that
`lightfast --help` answers at once.
"""

from lightfast_pipelines.cli import (
    activity,
    backfill,
    chain,
    database,
    demo,
    documents,
    export,
    ingest,
    installations,
    integrations,
    keys,
    models,
    outages,
    people,
    process,
    questions,
    search,
    show,
    timeline,
    up,
    upkeep,
    worker,
    workspaces,
)
from lightfast_pipelines.cli.root import app

app.command("demo")(demo.demo)
app.command("up")(up.up)
app.add_typer(workspaces.workspace_app, name="workspace")
app.add_typer(integrations.integration_app, name="integration")
app.add_typer(installations.installation_app, name="installation")
app.add_typer(keys.keys_app, name="keys")
app.command("activity")(activity.activity)
app.command("ingest")(ingest.ingest)
app.add_typer(backfill.backfill_app, name="backfill")
app.add_typer(documents.documents_app, name="documents")
app.command("outages")(outages.outages)
app.command("process")(process.process)
app.command("worker")(worker.worker)
app.command("models")(models.models)
app.command("status")(questions.status)
app.command("waiting")(questions.waiting)
app.add_typer(people.people_app, name="people")
app.command("search")(search.search)
app.command("why")(questions.why)
app.command("state")(questions.state)
app.command("show")(show.show_thing)
app.command("timeline")(timeline.timeline)
app.command("chain")(chain.chain)
app.command("digest")(questions.digest)
app.command("export")(export.export)
app.command("replay")(upkeep.replay)
app.command("rebuild")(upkeep.rebuild)
app.command("docs")(upkeep.docs)
app.add_typer(database.db_app, name="db")

__all__ = ["app"]
