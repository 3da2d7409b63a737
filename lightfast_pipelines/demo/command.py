"""`lightfast demo`: the sample story through the running system, and the memory it became."""

from __future__ import annotations

import contextlib
import io
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from lightfast_pipelines.cli.console import Meter, meter, say
from lightfast_pipelines.cli.root import Failure

if TYPE_CHECKING:
    from lightfast_pipelines.cli.stack.children import StopRequest
    from lightfast_pipelines.cli.stack.processes import Stack
    from lightfast_pipelines.demo.stage import Scene, Stage
    from lightfast_pipelines.settings import Settings
    from lightfast_pipelines.store.database import Connection
    from lightfast_pipelines.store.links import Workspace

# The sensor looks every ten seconds; a run takes a few on a slow machine.
PATIENCE_SECONDS = 240.0
DELIVERIES = "deliveries"


@dataclass(slots=True)
class Played:
    """What was told and what came of it. `surprises` are lines that should not be there."""

    stage: Stage
    workspace: Workspace
    answers: list[tuple[Scene, int, bool]] = field(default_factory=list)
    """(scene, the receiver's status, whether it knew the delivery already)"""
    fates: dict[str, str] = field(default_factory=dict)
    """Delivery id -> status, of every delivery that is stored."""
    surprises: list[str] = field(default_factory=list)


def demo(
    once: Annotated[
        bool,
        typer.Option("--once", help="Exit when told: 0 only if every delivery was accounted for."),
    ] = False,
) -> None:
    """Tell a sample story to the running system, and show the memory."""
    from lightfast_pipelines.cli.stack.children import stop_on_signals
    from lightfast_pipelines.cli.stack.processes import running
    from lightfast_pipelines.demo.story import tell
    from lightfast_pipelines.demo.telling import print_account
    from lightfast_pipelines.settings import settings

    found = settings()
    stage = tell(datetime.now(UTC).date())
    keys, extra = _secrets(found)
    with stop_on_signals() as stop, running(found, stop, extra=extra) as stack:
        played = None if stop.is_asked() else play(stack, found, stage, keys, stop)
        if played is None:
            raise Failure("ended before the story was told")
        with stack.database.connect(application_name="lightfast demo") as conn:
            print_account(conn, played, stack)
        if not once:
            say("Ctrl-C ends everything")
            stack.watch(stop)
    if played.surprises:
        raise Failure(f"not every delivery was accounted for: {'; '.join(played.surprises)}")
    say(f"every one of {len(stage.scenes)} deliveries is accounted for")


def _secrets(settings: Settings) -> tuple[dict[str, bytes], dict[str, str]]:
    """(secret by provider, variables to set): the one that is set, else one made for this run."""
    from lightfast_pipelines.demo.story import PROVIDERS
    from lightfast_pipelines.providers import discover

    known: dict[str, bytes] = {}
    made: dict[str, str] = {}
    for name in PROVIDERS:
        variables = tuple(discover()[name].secret_settings)
        found = settings.webhook_secrets(variables)
        if not found:
            made[variables[0]] = secrets.token_hex(32)
        known[name] = found[0][1] if found else made[variables[0]].encode()
    return known, made


def play(
    stack: Stack, settings: Settings, stage: Stage, keys: Mapping[str, bytes], stop: StopRequest
) -> Played | None:
    """Tells the story; None where the user ended it before its end."""
    with stack.database.connect(application_name="lightfast demo") as conn:
        played = Played(stage, _ingest(conn, stage, settings.earliest_day))
        _post(played, f"{stack.receiver_url}/webhooks", keys)
        if not _wait(conn, played, stack, stop):
            return None
        _consolidate(conn, stack)
        played.fates = _fates(conn, stage.scenes)
    played.surprises += surprises(played)
    return played


def _ingest(conn: Connection, stage: Stage, start: date) -> Workspace:
    """The older part, as `lightfast ingest` would read it from a file of each provider."""
    from lightfast_pipelines.demo.story import ORG, PROVIDERS, as_lines
    from lightfast_pipelines.inbox.files import ingest
    from lightfast_pipelines.inbox.jsonlines import read_lines
    from lightfast_pipelines.providers import discover
    from lightfast_pipelines.store.links import add_workspace

    workspace = add_workspace(conn, stage.workspace, ORG, f"Harbor shop, {stage.today:%d %B %Y}")
    conn.commit()
    for name in PROVIDERS:
        report = ingest(
            conn,
            workspace,
            discover()[name],
            read_lines(io.BytesIO(as_lines(stage.scenes, name)), name, max_bytes=1 << 20),
            start=start,
            now=datetime.now(UTC),
            on_problem=lambda line, reason: say(f"line {line.number}: {reason}"),
        )
        if report.problems or report.refused:
            raise Failure(f"the story's file of {name} could not be stored: see the lines above")
        again = f", {report.repeated} were there from before" if report.repeated else ""
        say(f"ingested {report.stored} deliveries of {name} of the days before{again}")
    return workspace


def _post(played: Played, url: str, keys: Mapping[str, bytes]) -> None:
    """Today's part, each delivery signed as its provider signs it, to the provider's own route."""
    import httpx

    from lightfast_pipelines.demo.sending import request_of

    with httpx.Client(timeout=10.0, trust_env=False) as client:
        for scene in played.stage.scenes:
            if scene.door != "webhook":
                continue
            body, headers = request_of(scene, keys, datetime.now(UTC))
            answer = client.post(f"{url}/{scene.provider}", content=body, headers=headers)
            repeated = answer.is_success and bool(answer.json().get("duplicate"))
            played.answers.append((scene, answer.status_code, repeated))
    counts = Counter(status for _, status, _ in played.answers)
    answers = ", ".join(f"{count} x {status}" for status, count in sorted(counts.items()))
    say(
        f"posted {len(played.answers)} signed deliveries, the newest of the story, to {url}/...: {answers}"
    )


def _wait(conn: Connection, played: Played, stack: Stack, stop: StopRequest) -> bool:
    """Until Dagster has done all of it; fails, naming what still waits, when it takes too long."""
    say("waiting for Dagster's sensor to find them and a run to take them ...")
    found = _still_waiting(conn, played)
    with meter("deliveries", total=found[DELIVERIES], unit="done") as bar:
        counted = DeliveryProgress(bar, found)

        def done() -> bool:
            nonlocal found
            found = _still_waiting(conn, played)
            counted.now(found)
            return not any(found.values())

        try:
            stack.children.wait_until(
                "the memory", done, stop=stop, timeout=PATIENCE_SECONDS, mending=True
            )
        except Failure as error:
            waits = ", ".join(f"{count} {what}" for what, count in found.items() if count)
            if stack.children.dead() is not None or not waits:
                raise
            raise Failure(
                f"after {PATIENCE_SECONDS:.0f} s this still waits: {waits}; "
                f"look at the runs in {stack.dagster_url}/runs or run `lightfast process`"
            ) from error
    _let_runs_end(stack, stop)
    return not stop.is_asked()


class DeliveryProgress:
    """Shows how far it is: deliveries first, then what became of them, which only then is all there."""

    def __init__(self, bar: Meter, waits: Mapping[str, int]) -> None:
        self._bar, self._waits = bar, dict(waits)

    def now(self, waits: Mapping[str, int]) -> None:
        if waits[DELIVERIES]:
            self._bar.advance(max(0, self._waits[DELIVERIES] - waits[DELIVERIES]))
        else:
            left = sum(waits.values())
            if self._waits[DELIVERIES]:
                self._bar.stage("vectors and clusters", left)
            else:
                self._bar.advance(max(0, sum(self._waits.values()) - left))
        self._waits = dict(waits)


def _let_runs_end(stack: Stack, stop: StopRequest) -> None:
    """A run that is ended half way through its checks would be shown as failed; so wait a little."""
    from lightfast_pipelines.cli.stack.processes import is_idle

    with contextlib.suppress(Failure):
        stack.children.wait_until(
            "the last run",
            lambda: is_idle(stack.dagster_url),
            stop=stop,
            timeout=30.0,
            mending=True,
        )


def _still_waiting(conn: Connection, played: Played) -> dict[str, int]:
    ids = sorted({scene.delivery_id for scene in played.stage.scenes})
    row = conn.execute(
        """
        SELECT
          (SELECT count(*) FROM lightfast.raw_queue q
           JOIN lightfast.raw_payloads p ON p.id = q.raw_payload_id WHERE p.delivery_id = ANY(%s)),
          count(*) FILTER (WHERE o.embedding_title_id IS NULL),
          count(*) FILTER (WHERE o.cluster_id IS NULL)
        FROM lightfast.observations o WHERE o.workspace_id = %s
        """,
        (ids, played.workspace.id),
    ).fetchone()
    conn.rollback()
    assert row is not None
    names = (DELIVERIES, "observations without vectors", "observations without a cluster")
    return dict(zip(names, row, strict=True))


def _consolidate(conn: Connection, stack: Stack) -> None:
    """What the schedule does every few minutes, now."""
    from lightfast_pipelines.cli.opening import the_embedder
    from lightfast_pipelines.clustering.consolidation import consolidate
    from lightfast_pipelines.store.locks import job_lock
    from lightfast_pipelines.store.unreported import record_consolidation

    with job_lock(conn, "consolidation", wait=True, waits=say):
        consolidate(conn, the_embedder(), now=datetime.now(UTC))
        record_consolidation(conn)
        conn.commit()
    say(f"actors and clusters are decided; Dagster shows the runs at {stack.dagster_url}/runs")


def _fates(conn: Connection, scenes: Sequence[Scene]) -> dict[str, str]:
    rows = conn.execute(
        "SELECT delivery_id, status FROM lightfast.deliveries WHERE delivery_id = ANY(%s)",
        (sorted({scene.delivery_id for scene in scenes}),),
    ).fetchall()
    conn.rollback()
    return {str(delivery): str(status) for delivery, status in rows}


def surprises(played: Played) -> list[str]:
    """Where an answer or a fate is another than the story expects; empty when all is accounted for."""
    found: list[str] = []
    for scene, status, repeated in played.answers:
        if status != scene.status:
            found.append(f"{scene.name}: answered {status}, not {scene.status}")
        elif scene.trick == "repeated" and not repeated:
            found.append(f"{scene.name}: was not recognised as a repetition")
    posted = sum(1 for scene in played.stage.scenes if scene.door == "webhook")
    if len(played.answers) != posted:
        found.append(f"{len(played.answers)} of {posted} deliveries were posted")
    for scene in played.stage.scenes:
        fate = played.fates.get(scene.delivery_id)
        expected = None if scene.fate == "refused" else scene.fate
        if fate != expected:
            found.append(f"{scene.name}: {fate or 'not stored'}, not {expected or 'refused'}")
    return found
