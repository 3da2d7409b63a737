"""What is asked of a memory: by the commands, by the stages and sensors that look for work, by analysts.

Each question costs by what it answers and not by how long the history is. `bench/queries.py` measures that
on a million observations, and tests look at the plans.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from bench.question import Place, Question
from bench.questions_analysts import ANALYSTS, DOCUMENTED
from lightfast_pipelines.capture.queue.taking import take
from lightfast_pipelines.cli.chain import read_chain
from lightfast_pipelines.cli.models import service_statuses
from lightfast_pipelines.clustering import summaries
from lightfast_pipelines.embedding.layers import layers_due
from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
from lightfast_pipelines.inbox.pending import days_with_work, oldest_days, waiting, workspaces_due
from lightfast_pipelines.inbox.requeue import requeue_outdated
from lightfast_pipelines.inbox.rule_versions import CLUSTER_RULES
from lightfast_pipelines.inbox.waiting import waiting_for_you
from lightfast_pipelines.people import profiles
from lightfast_pipelines.people.review_list import count_doubtful, read_review_list
from lightfast_pipelines.store import checks
from lightfast_pipelines.store.activity import list_activity
from lightfast_pipelines.store.chain import last_alert
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.hosted_vectors import hosted_progress
from lightfast_pipelines.store.linked_resources import list_integrations, list_workspaces
from lightfast_pipelines.store.pending_work import TO_CLUSTER, TO_EMBED, PendingObservations
from lightfast_pipelines.store.person_details import read_person
from lightfast_pipelines.store.stage_pages import PendingPages
from lightfast_pipelines.store.states import states_at
from lightfast_pipelines.store.status import read_status
from lightfast_pipelines.store.thing_details import read_details
from lightfast_pipelines.store.things import things_named
from lightfast_pipelines.store.timeline import (
    RECENT,
    Cursor,
    Wanted,
    entity_id,
    identities_of,
    read_timeline,
    types_like,
)
from lightfast_pipelines.store.unreported import read_unreported
from lightfast_pipelines.store.why import explain

MODEL = WordLlamaEmbedder().name
PAGE = 500
SHOWN = 20


def _chain(conn: Connection, place: Place) -> Any:
    return read_chain(conn, place.workspace.id, place.pull_request)


def _timeline(conn: Connection, place: Place, **wanted: Any) -> Any:
    return read_timeline(conn, Wanted(place.workspace.id, **wanted), SHOWN)


def _timeline_of(conn: Connection, place: Place, key: str) -> Any:
    return _timeline(conn, place, entity=entity_id(conn, place.workspace.id, key))


def _page(
    stage: PendingObservations, parameters: dict[str, Any]
) -> Callable[[Connection, Place], Any]:
    def ask(conn: Connection, _place: Place) -> Any:
        pages = PendingPages(stage=stage, parameters=parameters)
        return pages.next(conn, None, PAGE)

    return ask


def _now() -> datetime:
    return datetime.now(UTC)


_RULES: dict[str, Any] = {"model": MODEL, "cluster_rule_version": CLUSTER_RULES}

COMMANDS = (
    Question("status", "command", lambda conn, _: read_status(conn, _now())),
    Question("waiting", "command", lambda conn, _: waiting_for_you(conn, now=_now())),
    Question(
        "why, a pull request", "command", lambda conn, at: explain(conn, at.pull_request, None)
    ),
    Question(
        "why, a branch that everything names",
        "command",
        lambda conn, at: explain(conn, at.branch, at.workspace),
    ),
    Question(
        "why, an observation", "command", lambda conn, at: explain(conn, at.observation, None)
    ),
    Question(
        "why, something unknown",
        "command",
        lambda conn, at: explain(conn, "github:pr:1#999999", at.workspace),
    ),
    Question(
        "state", "command", lambda conn, at: states_at(conn, at.pull_request, _now(), None, None)
    ),
    Question("chain", "command", _chain),
    Question(
        "show, a pull request",
        "command",
        lambda conn, at: read_details(conn, at.workspace.id, at.pull_request, SHOWN),
    ),
    Question(
        "show, a branch that everything names",
        "command",
        lambda conn, at: read_details(conn, at.workspace.id, at.branch, SHOWN),
    ),
    Question(
        "show, a file",
        "command",
        lambda conn, at: read_details(conn, at.workspace.id, at.file, SHOWN),
    ),
    Question(
        "show, a person",
        "command",
        lambda conn, at: read_person(conn, at.workspace.id, at.person),
    ),
    Question(
        "the thing of a key",
        "command",
        lambda conn, at: things_named(conn, at.pull_request, [at.workspace]),
    ),
    Question(
        "the thing of a number",
        "command",
        lambda conn, at: things_named(conn, "#7", [at.workspace]),
    ),
    Question(
        "the thing of no name",
        "command",
        lambda conn, at: things_named(conn, "nothing of that name", [at.workspace]),
    ),
    Question("timeline", "command", lambda conn, at: _timeline(conn, at, since=at.latest - RECENT)),
    Question(
        "timeline, a later page",
        "command",
        lambda conn, at: _timeline(conn, at, before=Cursor(at.latest - timedelta(days=30), "x")),
    ),
    Question(
        "timeline, of the busiest person",
        "command",
        lambda conn, at: _timeline(conn, at, identities=identities_of(conn, [at.person])),
    ),
    Question(
        "timeline, of a pull request",
        "command",
        lambda conn, at: _timeline_of(conn, at, at.pull_request),
    ),
    Question(
        "timeline, of a branch", "command", lambda conn, at: _timeline_of(conn, at, at.branch)
    ),
    Question("timeline, of a file", "command", lambda conn, at: _timeline_of(conn, at, at.file)),
    Question(
        "timeline, of a type",
        "command",
        lambda conn, at: _timeline(
            conn, at, types=types_like(conn, at.workspace.id, "*.merged")[0]
        ),
    ),
    Question(
        "people review",
        "command",
        lambda conn, at: read_review_list(conn, at.workspace.org_id, limit=SHOWN),
    ),
    Question(
        "people review, their number",
        "command",
        lambda conn, at: count_doubtful(conn, at.workspace.org_id),
    ),
    Question("models", "command", lambda conn, _: service_statuses(conn)),
    Question("activity", "command", lambda conn, _: list_activity(conn, limit=SHOWN)),
    Question("workspace list", "command", lambda conn, _: list_workspaces(conn)),
    Question("integration list", "command", lambda conn, _: list_integrations(conn)),
    Question("the last alert", "command", lambda conn, at: last_alert(conn, at.workspace.id)),
    Question("process, what waits", "command", lambda conn, _: waiting(conn, **_RULES)),
)

STAGES = (
    Question("sensor, days with work", "stage", lambda conn, _: days_with_work(conn, **_RULES)),
    Question("sensor, oldest days", "stage", lambda conn, _: oldest_days(conn, _now().date())),
    Question("sensor, outdated deliveries", "stage", lambda conn, _: requeue_outdated(conn)),
    Question("sensor, work to report", "stage", lambda conn, _: read_unreported(conn, days=100)),
    Question("capture, a batch", "stage", lambda conn, _: take(conn, None, PAGE)),
    Question("embeddings, a page", "stage", _page(TO_EMBED, {"model": MODEL})),
    Question("clusters, a page", "stage", _page(TO_CLUSTER, {"cluster_rules": CLUSTER_RULES})),
    Question(
        "consolidation, workspaces due",
        "stage",
        lambda conn, _: workspaces_due(conn, cluster_rule_version=CLUSTER_RULES),
    ),
    Question("profiles, workspaces due", "stage", lambda conn, _: profiles.workspaces_due(conn)),
    Question("summaries, workspaces due", "stage", lambda conn, _: summaries.workspaces_due(conn)),
    Question(
        "summaries, members of a cluster",
        "stage",
        lambda conn, at: summaries.members_of(conn, [at.cluster]),
    ),
    Question("layers, changes due", "stage", lambda conn, _: layers_due(conn)),
    Question("hosted vectors, progress", "stage", lambda conn, _: hosted_progress(conn)),
    Question(
        "checks, deliveries of the last hour",
        "stage",
        lambda conn, _: checks.processed_since(conn, _now() - timedelta(hours=1)),
    ),
    Question(
        "checks, observations without a payload",
        "stage",
        lambda conn, _: checks.observations_without_payload(conn),
    ),
)

QUESTIONS = (*COMMANDS, *STAGES, *ANALYSTS, *DOCUMENTED)
