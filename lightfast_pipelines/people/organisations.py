"""Decides who is who in every organisation that changed; one that fails does not stop the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import LiteralString

from lightfast_pipelines.domain.clusters import RULE_VERSION
from lightfast_pipelines.inbox.isolation import WorkspaceIsolation
from lightfast_pipelines.people.actors import ActorReport, decide_actors
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.stage_failures import workspace_given_up

# A failure is counted against the organisation's first workspace.
_DUE: LiteralString = f"""
SELECT w.org_id, min(w.id)
FROM lightfast.workspaces w
LEFT JOIN lightfast.consolidation_marks k ON k.workspace_id = w.id
GROUP BY w.org_id
HAVING %(force)s OR (
  bool_or(k.changes <> k.consolidated OR k.rule_version < %(version)s)
  AND NOT bool_or({workspace_given_up("people", "w.id", "%(version)s::text")})
)
ORDER BY w.org_id
"""


@dataclass(slots=True)
class PeopleReport:
    """The decisions; `undecided` are organisations that failed, `failures` counts failed attempts."""

    decided: list[ActorReport] = field(default_factory=list)
    undecided: Sequence[str] = ()
    failures: int = 0


def decide_people(conn: Connection, *, now: datetime, force: bool = False) -> PeopleReport:
    """Decides the actors of every due organisation (all with `force`), each in its own transaction.

    The caller holds the lock of consolidation.
    """
    due = conn.execute(_DUE, {"force": force, "version": RULE_VERSION}).fetchall()
    conn.commit()
    workspaces = WorkspaceIsolation[ActorReport](conn, "people", str(RULE_VERSION))
    return PeopleReport(
        decided=workspaces.run(
            {
                workspace_id: partial(decide_actors, conn, org_id, now=now)
                for org_id, workspace_id in due
            }
        ),
        undecided=[
            org_id for org_id, workspace_id in due if workspace_id not in workspaces.results
        ],
        failures=workspaces.failures,
    )
