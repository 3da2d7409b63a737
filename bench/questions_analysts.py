"""What analysts ask: of the tables, and the questions of docs/questions.md."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from bench.question import Place, Question
from bench.questions_documented import parameters_of
from bench.questions_page import DocumentedQuestion, questions
from lightfast_pipelines.store.database import Connection

_SHOWN = 20


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
                "shown": _SHOWN,
            },
        ).fetchall()

    return ask


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
