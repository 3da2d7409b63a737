"""Counts the failures of the stages after capture, which give up after several attempts.

A failure belongs to one observation, or to a workspace if the stage decides about all of it at once. It
also belongs to the rules or the model of that time: with others, counting starts again.
`inbox/isolation.py` decides whether an error is counted at all.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, LiteralString, get_args

from lightfast_pipelines.store.consolidation_marks import mark_changed
from lightfast_pipelines.store.database import Connection

StageName = Literal[
    "embeddings",
    "hosted_embeddings",
    "clusters",
    "people",
    "consolidation",
    "profiles",
    "summaries",
    "layers",
]
STAGES: tuple[StageName, ...] = get_args(StageName)

# Each counted attempt failed twice while other work succeeded (see `inbox/isolation.py`).
MOST_ATTEMPTS = 4


def observation_given_up(stage: StageName, rules: LiteralString) -> LiteralString:
    """SQL: whether the stage has given up the observation `o` under these rules."""
    return f"""EXISTS (
      SELECT FROM lightfast.stage_failures f
      WHERE f.observation_id = o.id AND f.stage = '{stage}' AND f.rules = {rules}
        AND f.attempts >= {MOST_ATTEMPTS})"""


def workspace_given_up(
    stage: StageName, workspace: LiteralString, rules: LiteralString
) -> LiteralString:
    """SQL: whether the stage has given up the workspace with this id under these rules."""
    return f"""EXISTS (
      SELECT FROM lightfast.stage_failures f
      WHERE f.observation_id IS NULL AND f.stage = '{stage}' AND f.workspace_id = {workspace}
        AND f.rules = {rules} AND f.attempts >= {MOST_ATTEMPTS})"""


@dataclass(frozen=True, slots=True)
class StageError:
    """The error in a form that may be stored: of bounded length and without secrets."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Stuck:
    """Work of a workspace that a stage gave up for one cause; `command` has it tried again.

    `observations` is 0 if the stage failed for the workspace as a whole.
    """

    workspace: str
    stage: str
    cause: str
    observations: int
    attempts: int
    oldest_at: datetime
    command: str


# An observation that was deleted since then needs no vector any more.
_FAILURES: LiteralString = """
  lightfast.stage_failures f
  LEFT JOIN lightfast.observations o ON o.id = f.observation_id
    AND f.stage IN ('embeddings', 'hosted_embeddings')
"""
_STILL_WANTED: LiteralString = "o.is_deleted IS NOT TRUE"

_COUNT_ONE_MORE = """
ON CONFLICT (observation_id, stage, workspace_id) DO UPDATE SET
  attempts = CASE WHEN f.rules = excluded.rules THEN f.attempts + 1 ELSE 1 END,
  first_failed_at = CASE WHEN f.rules = excluded.rules THEN f.first_failed_at
                         ELSE excluded.first_failed_at END,
  rules = excluded.rules, error_class = excluded.error_class, error = excluded.error,
  last_failed_at = excluded.last_failed_at
RETURNING f.attempts
"""


def count_observation(
    conn: Connection, stage: StageName, rules: str, observation: int, error: StageError
) -> int:
    """Counts a failed attempt; returns the count so far, 0 if the observation is gone."""
    row = conn.execute(
        f"""
        INSERT INTO lightfast.stage_failures AS f
          (workspace_id, observation_id, stage, rules, attempts, error_class, error)
        SELECT o.workspace_id, o.id, %s, %s, 1, %s, %s
        FROM lightfast.observation_facts o WHERE o.id = %s FOR KEY SHARE
        {_COUNT_ONE_MORE}
        """,
        (stage, rules, error.kind, error.text, observation),
    ).fetchone()
    return int(row[0]) if row else 0


def count_workspace(
    conn: Connection, stage: StageName, rules: str, workspace: int, error: StageError
) -> int:
    """Like `count_observation`, for a stage that decides about a workspace as a whole."""
    row = conn.execute(
        f"""
        INSERT INTO lightfast.stage_failures AS f
          (workspace_id, stage, rules, attempts, error_class, error)
        SELECT w.id, %s, %s, 1, %s, %s FROM lightfast.workspaces w WHERE w.id = %s FOR KEY SHARE
        {_COUNT_ONE_MORE}
        """,
        (stage, rules, error.kind, error.text, workspace),
    ).fetchone()
    return int(row[0]) if row else 0


def failed_before(conn: Connection, stage: StageName, observations: Sequence[int]) -> set[int]:
    """The observations among these that have failed in the stage since they last succeeded."""
    rows = conn.execute(
        "SELECT observation_id FROM lightfast.stage_failures WHERE stage = %s AND observation_id = ANY(%s)",
        (stage, list(observations)),
    )
    return {identifier for (identifier,) in rows}


def forget_observations(
    conn: Connection, stage: StageName, observations: Sequence[int]
) -> list[int]:
    """Forgets the failures of these observations, which succeeded; returns their workspaces."""
    rows = conn.execute(
        """
        DELETE FROM lightfast.stage_failures WHERE stage = %s AND observation_id = ANY(%s)
        RETURNING workspace_id
        """,
        (stage, list(observations)),
    )
    return sorted({workspace for (workspace,) in rows})


def forget_workspace(conn: Connection, stage: StageName, workspace: int) -> None:
    """Forgets the failures of this workspace, which succeeded."""
    conn.execute(
        """
        DELETE FROM lightfast.stage_failures
        WHERE observation_id IS NULL AND stage = %s AND workspace_id = %s
        """,
        (stage, workspace),
    )


def try_again(
    conn: Connection, stages: Sequence[StageName], workspace_id: int | None = None
) -> dict[str, int]:
    """Forgets failures, so that they are tried again; returns stage -> number. The caller commits."""
    rows = conn.execute(
        """
        DELETE FROM lightfast.stage_failures
        WHERE stage = ANY(%(stages)s)
          AND (%(workspace)s::bigint IS NULL OR workspace_id = %(workspace)s)
        RETURNING stage, workspace_id
        """,
        {"stages": list(stages), "workspace": workspace_id},
    ).fetchall()
    # Actors are decided only if a workspace of the organisation has changed.
    mark_changed(conn, [workspace for stage, workspace in rows if stage == "people"])
    return {stage: sum(name == stage for name, _ in rows) for stage in stages}


def counts(conn: Connection) -> dict[str, int]:
    """How much each stage has given up, and how much it still tries again."""
    rows = conn.execute(
        f"""
        SELECT f.stage, count(*) FILTER (WHERE f.attempts >= {MOST_ATTEMPTS})::int,
               count(*) FILTER (WHERE f.attempts < {MOST_ATTEMPTS})::int
        FROM {_FAILURES} WHERE {_STILL_WANTED} GROUP BY f.stage
        """
    ).fetchall()
    given_up = {stage: number for stage, number, _ in rows}
    return {
        **{stage: given_up.get(stage, 0) for stage in STAGES},
        "tried_again": sum(number for _, _, number in rows),
    }


def stuck(conn: Connection, shown: int) -> list[Stuck]:
    """Work that was given up, the most observations first."""
    rows = conn.execute(
        f"""
        SELECT w.org_id, w.slug, f.stage, f.error, count(f.observation_id)::int,
               max(f.attempts), min(f.first_failed_at)
        FROM {_FAILURES} JOIN lightfast.workspaces w ON w.id = f.workspace_id
        WHERE f.attempts >= {MOST_ATTEMPTS} AND {_STILL_WANTED}
        GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC, 1, 2, 3, 4 LIMIT %s
        """,
        (shown,),
    )
    return [
        Stuck(
            f"{org}/{slug}",
            stage,
            cause,
            observations,
            attempts,
            oldest_at,
            shlex.join(["lightfast", "replay", "--stage", stage, "--workspace", f"{org}/{slug}"]),
        )
        for org, slug, stage, cause, observations, attempts, oldest_at in rows
    ]


def oldest_given_up(conn: Connection) -> datetime | None:
    """The earliest first failure of anything that was given up."""
    row = conn.execute(
        f"""
        SELECT min(f.first_failed_at) FROM {_FAILURES}
        WHERE f.attempts >= {MOST_ATTEMPTS} AND {_STILL_WANTED}
        """
    ).fetchone()
    return row[0] if row else None
