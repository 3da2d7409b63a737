"""Rewrites the profiles of actors whose evidence changed.

A workspace is due when anything in its organisation changed, as actors span workspaces. One statement
hashes all evidence in it, and only evidence with a new hash is read. The rule is in
`domain/profiles.py`.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec

from lightfast_pipelines.domain.profiles import RULE_VERSION, Part, Profile, profile_of
from lightfast_pipelines.inbox.isolation import WorkspaceIsolation
from lightfast_pipelines.inbox.workspace_report import SHOWN_ROWS, WorkspacesReport
from lightfast_pipelines.people.collaborators import COLLABORATORS
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.stage_failures import workspace_given_up
from lightfast_pipelines.store.staging import stage


@dataclass(slots=True)
class ProfileReport(WorkspacesReport):
    """Counts over the workspaces that were due.

    `profiles` counts all of their profiles, `written` the rewritten ones, `observations` those read for
    these, `failures` failed attempts; `preview` holds ids and numbers.
    """

    profiles: int = 0


_DUE = f"""
SELECT w.id, w.org_id, org.changes
FROM lightfast.consolidation_marks k
JOIN lightfast.workspaces w ON w.id = k.workspace_id
JOIN (
  SELECT v.org_id, sum(m.changes)::bigint AS changes
  FROM lightfast.consolidation_marks m JOIN lightfast.workspaces v ON v.id = m.workspace_id
  GROUP BY 1
) org ON org.org_id = w.org_id
WHERE %(force)s OR (
  (k.profiled <> org.changes OR k.profile_rules <> %(rules)s)
  AND NOT {workspace_given_up("profiles", "w.id", "%(rules)s::text")})
-- The least work first: a workspace too large for one run would otherwise hold up all others.
ORDER BY org.changes - k.profiled, w.org_id, w.slug
"""

_PEOPLE = """
CREATE TEMPORARY TABLE profile_people ON COMMIT DROP AS
SELECT i.id AS identity_id, i.actor_id, a.kind
FROM lightfast.actor_identities i JOIN lightfast.actors a ON a.id = i.actor_id
WHERE i.org_id = %(org)s
"""

# One row for each observation and each participant. Only entities that recur say what somebody works on:
# not commits, branches, pull requests and issues, which are one piece of work each.
_PARTS = """
CREATE TEMPORARY TABLE profile_parts ON COMMIT DROP AS
WITH took AS (
  SELECT o.id, p.actor_id, true AS acted, false AS wrote, false AS shared
  FROM lightfast.observations o JOIN profile_people p ON p.identity_id = o.actor_identity_id
  WHERE o.workspace_id = %(workspace)s
  UNION ALL
  SELECT o.id, p.actor_id, false, true, false
  FROM lightfast.observations o JOIN profile_people p ON p.identity_id = o.author_identity_id
  WHERE o.workspace_id = %(workspace)s
  UNION ALL
  SELECT o.id, p.actor_id, false, false, true
  FROM lightfast.observations o
  JOIN lightfast.identity_mentions m ON m.observation_id = o.id AND m.role = 'co_author'
  JOIN profile_people p ON p.identity_id = m.identity_id
  WHERE o.workspace_id = %(workspace)s
),
things AS (
  SELECT x.observation_id,
         array_agg(DISTINCT substr(e.key, 6) ORDER BY substr(e.key, 6))
           FILTER (WHERE e.category = 'file' AND x.role = 'file') AS files,
         array_agg(DISTINCT e.key ORDER BY e.key) FILTER (WHERE e.category <> 'file') AS entities
  FROM lightfast.entities e JOIN lightfast.observation_entities x ON x.entity_id = e.id
  WHERE e.workspace_id = %(workspace)s
    AND e.category = ANY('{file,repository,project,team,label,service,endpoint,error,config}')
  GROUP BY 1
)
SELECT t.actor_id, o.source_id, extract(epoch FROM o.occurred_at)::float8 AS at, o.source_type,
       o.observation_type, o.category,
       t.acted OR t.shared OR (t.wrote AND o.actor_identity_id IS NULL) AS did,
       t.wrote OR t.shared OR o.author_identity_id IS NULL AS is_own,
       coalesce(h.files, '{}') AS files, coalesce(h.entities, '{}') AS entities,
       CASE WHEN t.wrote THEN (o.metadata->>'utcOffset')::integer END AS utc_offset
FROM (
  SELECT id, actor_id, bool_or(acted) AS acted, bool_or(wrote) AS wrote, bool_or(shared) AS shared
  FROM took GROUP BY 1, 2
) t
JOIN lightfast.observations o ON o.id = t.id
LEFT JOIN things h ON h.observation_id = o.id
"""

# A sum of hashes does not depend on the order of rows.
_EVIDENCE = f"""
CREATE TEMPORARY TABLE profile_evidence ON COMMIT DROP AS
SELECT p.actor_id, p.n, k.is_bot,
       p.hash || ':' || coalesce(md5(c.collaborators::text), '') || CASE WHEN k.is_bot THEN ':bot' ELSE '' END
         AS hash,
       coalesce(c.collaborators, '[]') AS collaborators
FROM (
  SELECT actor_id, count(*) AS n, sum(hashtextextended(p::text, 0))::text AS hash
  FROM profile_parts p GROUP BY 1
) p
JOIN (SELECT DISTINCT actor_id, kind = 'bot' AS is_bot FROM profile_people) k USING (actor_id)
LEFT JOIN ({COLLABORATORS}) c ON c.actor_id = p.actor_id
"""

_STALE = """
SELECT e.actor_id, e.hash, e.collaborators::text, e.is_bot
FROM profile_evidence e
LEFT JOIN lightfast.actor_profiles f
  ON f.workspace_id = %(workspace)s AND f.actor_id = e.actor_id
WHERE %(force)s OR f.evidence_hash IS DISTINCT FROM e.hash OR f.rule_version <> %(rules)s
"""

_READ = """
SELECT actor_id, at, source_type, observation_type, category, did, is_own, files, entities,
       utc_offset
FROM profile_parts WHERE actor_id = ANY(%(actors)s) ORDER BY actor_id
"""

_COLUMNS = (
    "workspace_id", "actor_id", "expertise_domains", "contribution_types", "active_hours",
    "frequent_collaborators", "time_zone_guess", "time_zone_confidence", "time_zone_evidence",
    "observation_count", "last_active_at", "profile_confidence", "evidence_hash", "rule_version", "updated_at",
)  # fmt: skip
_COUNT = _COLUMNS.index("observation_count")


def workspaces_due(conn: Connection) -> int:
    """Number of workspaces whose profiles may be out of date."""
    return len(conn.execute(_DUE, {"force": False, "rules": RULE_VERSION}).fetchall())


def update_profiles(
    conn: Connection,
    *,
    now: datetime,
    progress: Callable[[int], object] = lambda _count: None,
    force: bool = False,
) -> ProfileReport:
    """Writes the profiles of every due workspace (all with `force`), each in its own transaction.

    The caller holds the stage's lock. `now` only stamps the rows; no rule reads it. `progress` gets the
    number of profiles written in each workspace.
    """
    began = time.monotonic()
    report = ProfileReport()
    due = conn.execute(_DUE, {"force": force, "rules": RULE_VERSION}).fetchall()
    conn.commit()
    workspaces = WorkspaceIsolation[ProfileReport](conn, "profiles", str(RULE_VERSION))
    work = {
        workspace_id: partial(_update, conn, workspace_id, org_id, changes, now, force=force)
        for workspace_id, org_id, changes in due
    }
    for updated in workspaces.run(work, lambda updated: progress(updated.written)):
        report.add(updated)
        report.profiles += updated.profiles
    report.failures = workspaces.failures
    report.seconds = time.monotonic() - began
    return report


def _update(
    conn: Connection,
    workspace_id: int,
    org_id: str,
    changes: int,
    now: datetime,
    *,
    force: bool,
) -> ProfileReport:
    """`changes` were read before the evidence, so that later ones make the workspace due again."""
    report = ProfileReport(workspaces=1)
    parameters = {
        "workspace": workspace_id, "org": org_id, "force": force, "rules": RULE_VERSION,
    }  # fmt: skip
    for query in (_PEOPLE, "ANALYZE profile_people", _PARTS, _EVIDENCE):
        conn.execute(query, parameters)
    stale = {actor: more for actor, *more in conn.execute(_STALE, parameters)}
    rows = [
        (workspace_id, actor, *_values(profile, *stale[actor]), now)
        for actor, profile in _profiles(conn, list(stale), report)
    ]
    report.written += _write(conn, rows)
    deleted = conn.execute(
        """
        DELETE FROM lightfast.actor_profiles f WHERE f.workspace_id = %(workspace)s
          AND NOT EXISTS (SELECT FROM profile_evidence e WHERE e.actor_id = f.actor_id)
        """,
        parameters,
    )
    report.removed += deleted.rowcount
    counted = conn.execute("SELECT count(*) FROM profile_evidence").fetchone()
    report.profiles += counted[0] if counted else 0
    report.preview += [
        {"actor": row[1], "observations": row[_COUNT], "confidence": row[_COUNT + 2]}
        for row in sorted(rows, key=lambda row: (-row[_COUNT], row[1]))[:SHOWN_ROWS]
    ]
    conn.execute(
        """
        UPDATE lightfast.consolidation_marks SET profiled = %s, profile_rules = %s
        WHERE workspace_id = %s
        """,
        (changes, RULE_VERSION, workspace_id),
    )
    return report


def _profiles(
    conn: Connection, actors: list[str], report: ProfileReport
) -> Iterator[tuple[str, Profile]]:
    """(actor, profile) of each; only one actor's evidence is in memory at a time."""
    with conn.cursor("lightfast_profile_parts") as cursor:
        cursor.itersize = 5_000
        evidence = cursor.execute(_READ, {"actors": actors})
        for actor, rows in itertools.groupby(evidence, key=lambda row: row[0]):
            parts = [Part(*row[1:]) for row in rows]
            report.observations += len(parts)
            yield actor, profile_of(parts)


def _values(profile: Profile, evidence: str, collaborators: str, is_bot: bool) -> tuple[Any, ...]:
    """The profile's values for `_COLUMNS`, from the third to the second to last."""
    # A bot lives nowhere.
    zone = None if is_bot else profile.time_zone
    return (
        msgspec.json.encode(profile.expertise).decode(),
        msgspec.json.encode(profile.contributions).decode(),
        list(profile.hours),
        collaborators,
        str(zone) if zone else None,
        zone.confidence if zone else None,
        zone.evidence if zone else None,
        profile.observations,
        datetime.fromtimestamp(profile.last_active, UTC),
        profile.confidence,
        evidence,
        RULE_VERSION,
    )


def _write(conn: Connection, rows: list[tuple[Any, ...]]) -> int:
    staged = stage(conn, "actor_profiles", _COLUMNS, rows)
    names, values = ", ".join(_COLUMNS), _COLUMNS[2:]
    # Locked, as consolidation removes actors that no longer have an identity.
    return conn.execute(
        f"""
        WITH alive AS (
          SELECT a.id FROM lightfast.actors a JOIN {staged} n ON n.actor_id = a.id
          ORDER BY a.id FOR KEY SHARE OF a
        )
        INSERT INTO lightfast.actor_profiles ({names}, created_at)
        SELECT {names}, updated_at FROM {staged} JOIN alive ON alive.id = actor_id ORDER BY actor_id
        ON CONFLICT (workspace_id, actor_id) DO UPDATE
          SET ({", ".join(values)}) = ({", ".join(f"excluded.{name}" for name in values)})
        """
    ).rowcount
