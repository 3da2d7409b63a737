"""The language model's answers, and the observations whose question is still open.

Answers are inputs: capture applies them wherever the same content comes again, so nothing is asked twice.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, LiteralString

import msgspec

from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.locks import hold_capture
from lightfast_pipelines.store.significance import THRESHOLD

ContentKey = tuple[int, str]
"""Workspace and content hash: tenants share no answers."""

# A content that brings no valid answer is asked about this often, an hour and four hours apart.
MOST_ATTEMPTS = 3
_FIRST_RETRY = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """An answer of one prompt version. If it is `settled`, the question is not asked again."""

    prompt_version: int
    answer: Mapping[str, Any] | None
    is_settled: bool


def is_settled(answers: Sequence[StoredAnswer], prompt_version: int) -> bool:
    """Whether a question is not asked again: an older version of the prompt does not settle it."""
    return any(answer.prompt_version >= prompt_version and answer.is_settled for answer in answers)


@dataclass(frozen=True, slots=True)
class NewAnswer:
    """What came of a question: a valid answer, or the problem and whether asking again may help."""

    key: ContentKey
    answer: Mapping[str, Any] | None
    problem: str | None = None
    is_final: bool = False
    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """An observation that a model could be asked about. `is_settled`: its answer is there already."""

    observation_id: int
    workspace_id: int
    content_hash: str
    source_type: str
    observation_type: str
    title: str
    content: str
    files: Sequence[str]
    is_settled: bool

    @property
    def key(self) -> ContentKey:
        return self.workspace_id, self.content_hash


def load_answers(
    conn: Connection, purpose: str, keys: Collection[ContentKey]
) -> dict[ContentKey, list[StoredAnswer]]:
    """The stored answers about these contents, the newest prompt version first."""
    if not keys or not _has_answers(conn):
        return {}
    ordered = sorted(keys)
    rows = conn.execute(
        """
        SELECT a.workspace_id, a.content_hash, a.prompt_version, a.answer,
               a.answer IS NOT NULL OR a.retry_at IS NULL
        FROM unnest(%s::bigint[], %s::text[]) AS k (workspace_id, content_hash)
        JOIN lightfast.model_answers a USING (workspace_id, content_hash)
        WHERE a.purpose = %s
        ORDER BY a.workspace_id, a.content_hash, a.prompt_version DESC
        """,
        ([key[0] for key in ordered], [key[1] for key in ordered], purpose),
    )
    answers: dict[ContentKey, list[StoredAnswer]] = {}
    for workspace, content_hash, *answer in rows:
        answers.setdefault((workspace, content_hash), []).append(StoredAnswer(*answer))
    return answers


def _has_answers(conn: Connection) -> bool:
    """Whether there are any of any purpose: to look for one purpose, the whole table may have to be read."""
    row = conn.execute("SELECT EXISTS (SELECT FROM lightfast.model_answers)").fetchone()
    return bool(row and row[0])


def store_answers(
    conn: Connection,
    purpose: str,
    prompt_version: int,
    model: str,
    answers: Sequence[NewAnswer],
    now: datetime,
) -> None:
    """Stores what came of these questions; a valid answer is never replaced by none. The caller commits.

    A workspace that was removed meanwhile gets none.
    """
    conn.execute(
        f"""
        INSERT INTO lightfast.model_answers AS a
          (workspace_id, purpose, content_hash, prompt_version, model, answer, problem, retry_at,
           input_tokens, output_tokens, created_at)
        SELECT w.id, %(purpose)s, n.content_hash, %(version)s, %(model)s, n.answer, n.problem,
               CASE WHEN n.answer IS NULL AND NOT n.is_final THEN %(now)s + %(first_retry)s END,
               n.input_tokens, n.output_tokens, %(now)s
        FROM unnest(%(workspaces)s::bigint[], %(hashes)s::text[], %(answers)s::jsonb[],
                    %(problems)s::text[], %(final)s::boolean[], %(input)s::int[], %(output)s::int[])
          AS n (workspace_id, content_hash, answer, problem, is_final, input_tokens, output_tokens)
        JOIN lightfast.workspaces w ON w.id = n.workspace_id
        ORDER BY w.id, n.content_hash
        ON CONFLICT (workspace_id, purpose, content_hash, prompt_version) DO UPDATE SET
          model = excluded.model, answer = excluded.answer, problem = excluded.problem,
          attempts = a.attempts + 1,
          retry_at = CASE WHEN a.attempts + 1 < {MOST_ATTEMPTS}
            THEN excluded.retry_at + (4 ^ a.attempts - 1) * %(first_retry)s END,
          input_tokens = a.input_tokens + excluded.input_tokens,
          output_tokens = a.output_tokens + excluded.output_tokens,
          created_at = excluded.created_at
        WHERE a.answer IS NULL
        """,
        {
            "purpose": purpose,
            "version": prompt_version,
            "model": model,
            "now": now,
            "first_retry": _FIRST_RETRY,
            "workspaces": [answer.key[0] for answer in answers],
            "hashes": [answer.key[1] for answer in answers],
            "answers": [
                None if answer.answer is None else msgspec.json.encode(answer.answer).decode()
                for answer in answers
            ],
            "problems": [answer.problem for answer in answers],
            "final": [answer.is_final for answer in answers],
            "input": [answer.input_tokens for answer in answers],
            "output": [answer.output_tokens for answer in answers],
        },
    )


def waits_for_no_attempt(row: LiteralString) -> LiteralString:
    """SQL: whether the open question of a row may be asked now, by the parameters `purpose`, `version` and
    `now`."""
    return f"""
      NOT EXISTS (
        SELECT FROM lightfast.model_answers a
        WHERE a.workspace_id = {row}.workspace_id AND a.purpose = %(purpose)s
          AND a.content_hash = {row}.question_hash AND a.prompt_version = %(version)s
          AND a.answer IS NULL AND a.retry_at > %(now)s)
    """


# Whether an open question `o` of workspace `w` is due.
_DUE = f"""
  o.workspace_id = w.id AND o.question_hash IS NOT NULL AND NOT o.is_deleted
  AND o.significance_score >= {THRESHOLD}
  AND {waits_for_no_attempt("o")}
  AND NOT EXISTS (
    SELECT FROM lightfast.model_batch_questions b
    WHERE b.workspace_id = o.workspace_id AND b.content_hash = o.question_hash)
"""

_COLUMNS = """
SELECT o.id, o.workspace_id, o.question_hash, o.source_type, o.observation_type, o.title, o.content,
       ARRAY(SELECT substr(m.stated_key, 6) FROM lightfast.observation_entities m
             WHERE m.observation_id = o.id AND m.role = 'file' ORDER BY m.stated_key),
       EXISTS (
         SELECT FROM lightfast.model_answers a
         WHERE a.workspace_id = o.workspace_id AND a.purpose = %(purpose)s
           AND a.content_hash = o.question_hash AND a.prompt_version = %(version)s
           AND (a.answer IS NOT NULL OR a.retry_at IS NULL))
"""

_OPEN = f"""
{_COLUMNS}
FROM lightfast.workspaces w CROSS JOIN LATERAL (
  SELECT o.* FROM lightfast.observations o WHERE {_DUE}
  ORDER BY o.significance_score DESC, o.id DESC LIMIT %(share)s
) o
ORDER BY o.significance_score DESC, o.id DESC
"""


def open_questions(
    conn: Connection, purpose: str, prompt_version: int, now: datetime, *, share: int
) -> list[OpenQuestion]:
    """The most significant observations with an open question, at most `share` of each workspace."""
    rows = conn.execute(
        _OPEN, {"purpose": purpose, "version": prompt_version, "now": now, "share": share}
    )
    return [OpenQuestion(*row) for row in rows]


def questions_about(
    conn: Connection, purpose: str, prompt_version: int, observations: Sequence[int]
) -> list[OpenQuestion]:
    """The open questions about these observations."""
    rows = conn.execute(
        f"""
        {_COLUMNS}
        FROM lightfast.observations o
        WHERE o.id = ANY(%(ids)s) AND o.question_hash IS NOT NULL AND NOT o.is_deleted
        ORDER BY o.significance_score DESC, o.id DESC
        """,
        {"purpose": purpose, "version": prompt_version, "ids": list(observations)},
    )
    return [OpenQuestion(*row) for row in rows]


def count_open(
    conn: Connection, purpose: str, prompt_version: int, now: datetime, *, most: int
) -> int:
    """How many observations have an open question that is due, counted up to `most`."""
    row = conn.execute(
        f"""
        SELECT count(*) FROM (
          SELECT FROM lightfast.workspaces w JOIN lightfast.observations o ON {_DUE} LIMIT %(most)s
        ) due
        """,
        {"purpose": purpose, "version": prompt_version, "now": now, "most": most},
    ).fetchone()
    return int(row[0]) if row else 0


def close_questions(
    conn: Connection, questions: Sequence[OpenQuestion], *, is_answered: bool
) -> int:
    """Closes these questions; if they are answered, has the observations captured again with the answers.

    Returns how many were still open. The caller commits. No batch is captured meanwhile: one that had
    looked for answers before would take its deliveries out of the queue without them.
    """
    if not questions:
        return 0
    hold_capture(conn)
    closed = conn.execute(
        """
        UPDATE lightfast.observation_facts o SET question_hash = NULL
        FROM unnest(%s::bigint[], %s::text[]) AS q (id, content_hash)
        WHERE o.id = q.id AND o.question_hash = q.content_hash
        RETURNING o.id
        """,
        (
            [question.observation_id for question in questions],
            [question.content_hash for question in questions],
        ),
    ).fetchall()
    if is_answered:
        conn.execute(
            """
            INSERT INTO lightfast.raw_queue (raw_payload_id, partition_date)
            SELECT DISTINCT p.id, p.partition_date
            FROM unnest(%s::bigint[]) AS k (id)
            CROSS JOIN LATERAL (
              SELECT r.id, r.partition_date
              FROM lightfast.observation_sources s
              JOIN lightfast.raw_payloads r ON r.id = s.raw_payload_id
              JOIN lightfast.raw_bodies b
                ON b.raw_payload_id = r.id AND b.received_at = r.received_at
              WHERE s.observation_id = k.id ORDER BY r.id LIMIT 1
            ) p
            ON CONFLICT DO NOTHING
            """,
            ([row[0] for row in closed],),
        )
    return len(closed)
