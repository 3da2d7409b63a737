"""What is asked of a memory: by the commands, by the stages and sensors that look for work, by analysts.

Each question costs by what it answers and not by how long the history is. `bench/queries.py` measures that
on a million observations, and tests look at the plans.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from bench.questions_documented import named_in, parameters_of
from bench.questions_page import DocumentedQuestion, questions
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
from lightfast_pipelines.store.chain import key_of, last_alert
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.hosted_vectors import hosted_progress
from lightfast_pipelines.store.linked_resources import (
    Workspace,
    find_workspace,
    list_integrations,
    list_workspaces,
)
from lightfast_pipelines.store.pending_work import TO_CLUSTER, TO_EMBED, PendingObservations
from lightfast_pipelines.store.stage_pages import PendingPages
from lightfast_pipelines.store.states import states_at
from lightfast_pipelines.store.status import read_status
from lightfast_pipelines.store.unreported import read_unreported
from lightfast_pipelines.store.why import explain

MODEL = WordLlamaEmbedder().name
PAGE = 500
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Place:
    """What is asked about: a workspace with the busiest person and branch, and a recent piece of work.

    `latest` is the time of its latest event.
    """

    workspace: Workspace
    latest: datetime
    pull_request: str
    branch: str
    observation: str
    person: str
    cluster: str
    named: Mapping[str, str]
    """What the questions of docs/questions.md are about here, by the names of their parameters."""


@dataclass(frozen=True, slots=True)
class Question:
    name: str
    asked_by: Literal["command", "stage", "analyst"]
    ask: Callable[[Connection, Place], Any]


def place_in(conn: Connection, slug: str) -> Place:
    """The busiest of a workspace: what costs most to ask about."""
    workspace = find_workspace(conn, slug)

    def one(query: str) -> Any:
        row = conn.execute(query, {"workspace": workspace.id}).fetchone()
        assert row is not None, query
        return row[0]

    most_mentioned = """
      SELECT key FROM lightfast.entities WHERE workspace_id = %(workspace)s AND category = '{}'
      ORDER BY occurrence_count DESC, key LIMIT 1
    """
    return Place(
        workspace,
        one(
            "SELECT max(occurred_at) FROM lightfast.observations WHERE workspace_id = %(workspace)s"
        ),
        one(most_mentioned.format("pull_request")),
        one(most_mentioned.format("branch")),
        one(
            "SELECT external_id FROM lightfast.observations WHERE workspace_id = %(workspace)s"
            " ORDER BY occurred_at DESC LIMIT 1"
        ),
        one(
            "SELECT actor_id FROM lightfast.actor_profiles WHERE workspace_id = %(workspace)s"
            " ORDER BY observation_count DESC, actor_id LIMIT 1"
        ),
        one(
            "SELECT id FROM lightfast.clusters WHERE workspace_id = %(workspace)s"
            " ORDER BY summary IS NULL, last_observation_at DESC, id LIMIT 1"
        ),
        named_in(conn, slug),
    )


def _chain(conn: Connection, place: Place) -> Any:
    start = key_of(conn, place.workspace.id, place.pull_request)
    assert start is not None
    return read_chain(conn, place.workspace.id, start)


def _page(
    stage: PendingObservations, parameters: dict[str, Any]
) -> Callable[[Connection, Place], Any]:
    def ask(conn: Connection, _place: Place) -> Any:
        pages = PendingPages(stage=stage, parameters=parameters)
        return pages.next(conn, None, PAGE)

    return ask


def _sql(query: str) -> Callable[[Connection, Place], Any]:
    def ask(conn: Connection, place: Place) -> Any:
        return conn.execute(
            query,
            {
                "workspace": place.workspace.id,
                "week": place.latest - timedelta(days=7),
                "month": place.latest - timedelta(days=30),
                "person": place.person,
                "pull_request": place.pull_request,
                "cluster": place.cluster,
                "shown": SHOWN,
            },
        ).fetchall()

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

ANALYSTS = (
    Question(
        "the latest events of a workspace",
        "analyst",
        _sql(
            """
            SELECT occurred_at, source_type, title FROM lightfast.remembered
            WHERE workspace_id = %(workspace)s ORDER BY occurred_at DESC LIMIT %(shown)s
            """
        ),
    ),
    Question(
        "events of the last week by type",
        "analyst",
        _sql(
            """
            SELECT source_type, count(*) FROM lightfast.observations
            WHERE workspace_id = %(workspace)s AND occurred_at >= %(week)s GROUP BY 1 ORDER BY 2 DESC
            """
        ),
    ),
    Question(
        "who did most in the last month",
        "analyst",
        _sql(
            """
            SELECT p.author_name, count(*) FROM lightfast.observations o
            JOIN lightfast.observation_people p ON p.observation_id = o.id
            WHERE o.workspace_id = %(workspace)s AND o.occurred_at >= %(month)s
            GROUP BY 1 ORDER BY 2 DESC LIMIT %(shown)s
            """
        ),
    ),
    Question(
        "the most significant of the last month",
        "analyst",
        _sql(
            """
            SELECT title, significance_score FROM lightfast.remembered
            WHERE workspace_id = %(workspace)s AND occurred_at >= %(month)s
            ORDER BY significance_score DESC, occurred_at DESC LIMIT %(shown)s
            """
        ),
    ),
    Question(
        "a person's latest work",
        "analyst",
        _sql(
            """
            SELECT w.occurred_at, w.title FROM lightfast.actor_identities i
            CROSS JOIN LATERAL (
              SELECT o.occurred_at, o.title FROM lightfast.observations o
              WHERE o.author_identity_id = i.id AND o.workspace_id = %(workspace)s
              ORDER BY o.occurred_at DESC LIMIT %(shown)s
            ) w
            WHERE i.actor_id = %(person)s ORDER BY 1 DESC LIMIT %(shown)s
            """
        ),
    ),
    Question(
        "a person's profile",
        "analyst",
        _sql(
            """
            SELECT * FROM lightfast.actor_profiles
            WHERE workspace_id = %(workspace)s AND actor_id = %(person)s
            """
        ),
    ),
    Question(
        "the timeline of a pull request",
        "analyst",
        _sql(
            """
            SELECT occurred_at, source_type, title FROM lightfast.observations
            WHERE workspace_id = %(workspace)s AND subject_key = %(pull_request)s ORDER BY 1
            """
        ),
    ),
    Question(
        "the work that goes on",
        "analyst",
        _sql(
            """
            SELECT topic_label, observation_count, last_observation_at FROM lightfast.clusters
            WHERE workspace_id = %(workspace)s AND status = 'open'
            ORDER BY last_observation_at DESC LIMIT %(shown)s
            """
        ),
    ),
    Question(
        "a cluster's summary",
        "analyst",
        _sql(
            """
            SELECT sentence, observations, is_stale FROM lightfast.summary_sentences
            WHERE workspace_id = %(workspace)s AND cluster_id = %(cluster)s ORDER BY position
            """
        ),
    ),
    Question(
        "a cluster's events",
        "analyst",
        _sql(
            """
            SELECT o.occurred_at, o.title FROM lightfast.cluster_members m
            JOIN lightfast.observations o ON o.id = m.observation_id
            WHERE m.workspace_id = %(workspace)s AND m.cluster_id = %(cluster)s ORDER BY 1
            """
        ),
    ),
    Question(
        "what a pull request is related to",
        "analyst",
        _sql(
            """
            SELECT r.type, o.key, o.value FROM lightfast.entities s
            JOIN lightfast.relationships r ON r.subject_id = s.id
            JOIN lightfast.entities o ON o.id = r.object_id
            WHERE s.workspace_id = %(workspace)s AND s.key = %(pull_request)s
            """
        ),
    ),
)


def _documented(question: DocumentedQuestion) -> Question:
    def ask(conn: Connection, place: Place) -> Any:
        parameters = parameters_of(question, place.named, place.latest)
        statement = question.statement.encode()
        return conn.execute(statement, parameters).fetchall()

    return Question(f"docs: {question.title}", "analyst", ask)


DOCUMENTED = tuple(map(_documented, questions()))

QUESTIONS = (*COMMANDS, *STAGES, *ANALYSTS, *DOCUMENTED)
