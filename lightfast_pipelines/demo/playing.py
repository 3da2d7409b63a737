"""Sends the story through a running system, and compares the outcomes with what the story expects."""

from __future__ import annotations

import contextlib
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from lightfast_pipelines.cli.console import Meter, meter, say
from lightfast_pipelines.cli.root import Failure

if TYPE_CHECKING:
    from lightfast_pipelines.cli.stack.children import StopRequest
    from lightfast_pipelines.cli.stack.processes import Stack
    from lightfast_pipelines.demo.stage import Scene, Stage
    from lightfast_pipelines.settings import Settings
    from lightfast_pipelines.store.database import Connection
    from lightfast_pipelines.store.linked_resources import Workspace

# The sensor looks every ten seconds; a run takes a few on a slow machine.
PATIENCE_SECONDS = 240.0
DELIVERIES = "deliveries"


@dataclass(slots=True)
class Played:
    """What was sent, and its outcomes. `surprises` are the differences from what the story expects."""

    stage: Stage
    workspace: Workspace
    answers: list[tuple[Scene, int, bool]] = field(default_factory=list)
    """(scene, the receiver's status, whether the receiver had that delivery already)"""
    fates: dict[str, str] = field(default_factory=dict)
    """The status of each stored delivery, by delivery id."""
    surprises: list[str] = field(default_factory=list)


def play(
    stack: Stack,
    settings: Settings,
    stage: Stage,
    webhook_secrets: Mapping[str, bytes],
    stop: StopRequest,
) -> Played | None:
    """None if the user stopped it before the end."""
    with stack.database.connect(application_name="lightfast demo") as conn:
        played = Played(stage, _ingest(conn, stage, settings.earliest_day))
        _post(played, f"{stack.receiver_url}/webhooks", webhook_secrets)
        if not _wait(conn, played, stack, stop):
            return None
        _consolidate(conn, stack)
        played.fates = _fates(conn, stage.scenes)
    played.surprises += surprises(played)
    return played


def _ingest(conn: Connection, stage: Stage, start: date) -> Workspace:
    """Stores the older part, as `lightfast ingest` does from a file of each provider."""
    from lightfast_pipelines.demo.story import ORG, PROVIDERS, as_lines
    from lightfast_pipelines.inbox.files import ingest
    from lightfast_pipelines.inbox.jsonlines import read_lines
    from lightfast_pipelines.providers import discover
    from lightfast_pipelines.store.linked_resources import add_workspace

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
        again = f", {report.repeated} were stored before" if report.repeated else ""
        say(f"ingested {report.stored} deliveries of {name} from the days before{again}")
    return workspace


def _post(played: Played, url: str, webhook_secrets: Mapping[str, bytes]) -> None:
    """Posts today's part, each delivery signed as its provider signs it, to the provider's route."""
    import httpx

    from lightfast_pipelines.demo.sending import request_of

    with httpx.Client(timeout=10.0, trust_env=False) as client:
        for scene in played.stage.scenes:
            if scene.door != "webhook":
                continue
            body, headers = request_of(scene, webhook_secrets, datetime.now(UTC))
            answer = client.post(f"{url}/{scene.provider}", content=body, headers=headers)
            repeated = answer.is_success and bool(answer.json().get("duplicate"))
            played.answers.append((scene, answer.status_code, repeated))
    counts = Counter(status for _, status, _ in played.answers)
    answers = ", ".join(f"{count} x {status}" for status, count in sorted(counts.items()))
    say(f"posted {len(played.answers)} signed deliveries, today's part, to {url}/...: {answers}")


def _wait(conn: Connection, played: Played, stack: Stack, stop: StopRequest) -> bool:
    """Waits until Dagster has finished; a failure names what is still waiting. False if stopped."""
    from lightfast_pipelines.cli.stack.dagster_api import is_idle

    say("waiting for Dagster's sensor to notice them and for a run to process them ...")
    waits = _still_waiting(conn, played)
    with meter("deliveries", total=waits[DELIVERIES], unit="done") as bar:
        progress = DeliveryProgress(bar, waits)

        def is_done() -> bool:
            nonlocal waits
            waits = _still_waiting(conn, played)
            progress.now(waits)
            return not any(waits.values())

        wait_until = stack.children.wait_until
        try:
            wait_until("the memory", is_done, stop=stop, timeout=PATIENCE_SECONDS, mending=True)
        except Failure as error:
            left = ", ".join(f"{count} {what}" for what, count in waits.items() if count)
            if stack.children.dead() is not None or not left:
                raise
            raise Failure(
                f"after {PATIENCE_SECONDS:.0f} s this is still waiting: {left}; "
                f"look at the runs in {stack.dagster_url}/runs or run `lightfast process`"
            ) from error
    # A run that is ended in the middle of its checks would be shown as failed.
    with contextlib.suppress(Failure):
        wait_until(
            "the last run",
            lambda: is_idle(stack.dagster_url),
            stop=stop,
            timeout=30.0,
            mending=True,
        )
    return not stop.is_asked()


class DeliveryProgress:
    """Shows progress: first the deliveries, and once they are captured, their vectors and clusters."""

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


def _still_waiting(conn: Connection, played: Played) -> dict[str, int]:
    row = conn.execute(
        """
        SELECT
          (SELECT count(*) FROM lightfast.raw_queue q
           JOIN lightfast.raw_payloads p ON p.id = q.raw_payload_id WHERE p.delivery_id = ANY(%s)),
          count(*) FILTER (WHERE o.embedding_title_id IS NULL),
          count(*) FILTER (WHERE o.cluster_id IS NULL)
        FROM lightfast.observations o WHERE o.workspace_id = %s
        """,
        (_ids(played.stage.scenes), played.workspace.id),
    ).fetchone()
    conn.rollback()
    assert row is not None
    names = (DELIVERIES, "observations without vectors", "observations without a cluster")
    return dict(zip(names, row, strict=True))


def _consolidate(conn: Connection, stack: Stack) -> None:
    """Does now what a schedule does every few minutes."""
    from lightfast_pipelines.cli.opening import default_embedder
    from lightfast_pipelines.clustering.consolidation import consolidate
    from lightfast_pipelines.store.locks import job_lock
    from lightfast_pipelines.store.unreported import record_consolidation

    with job_lock(conn, "consolidation", wait=True, waits=say):
        consolidate(conn, default_embedder(), now=datetime.now(UTC))
        record_consolidation(conn)
        conn.commit()
    say(f"actors and clusters are decided; Dagster shows the runs at {stack.dagster_url}/runs")


def _fates(conn: Connection, scenes: Sequence[Scene]) -> dict[str, str]:
    rows = conn.execute(
        "SELECT delivery_id, status FROM lightfast.deliveries WHERE delivery_id = ANY(%s)",
        (_ids(scenes),),
    ).fetchall()
    conn.rollback()
    return {str(delivery_id): str(status) for delivery_id, status in rows}


def _ids(scenes: Sequence[Scene]) -> list[str]:
    return sorted({scene.delivery_id for scene in scenes})


def surprises(played: Played) -> list[str]:
    """Each answer or fate that the story does not expect; empty if all are accounted for."""
    lines: list[str] = []
    for scene, status, repeated in played.answers:
        if status != scene.status:
            lines.append(f"{scene.name}: answered {status}, not {scene.status}")
        elif scene.trick == "repeated" and not repeated:
            lines.append(f"{scene.name}: was not recognised as a repetition")
    posted = sum(1 for scene in played.stage.scenes if scene.door == "webhook")
    if len(played.answers) != posted:
        lines.append(f"{len(played.answers)} of {posted} deliveries were posted")
    for scene in played.stage.scenes:
        fate = played.fates.get(scene.delivery_id)
        expected = None if scene.fate == "refused" else scene.fate
        if fate != expected:
            lines.append(f"{scene.name}: {fate or 'not stored'}, not {expected or 'refused'}")
    return lines
