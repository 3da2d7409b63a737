"""Finds the thing that a person names: by key, alias, number, identifier, sha, tag, address or name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lightfast_pipelines.domain.events import TextScope
from lightfast_pipelines.domain.keys import host_of
from lightfast_pipelines.domain.written_names import (
    Fit,
    Name,
    is_address,
    is_sha,
    names_anywhere,
    names_in,
)
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.linked_resources import Workspace

MOST_CANDIDATES = 20
"""How many things with the same name are told apart."""
_MOST_REPOSITORIES = 2_000
_REPOSITORY = "github:repository:"
# Things that have a name of their own and of which a workspace has few.
_NAMED = ["alert", "cycle", "initiative", "milestone", "project", "repository", "team"]


@dataclass(frozen=True, slots=True)
class NamedThing:
    """An entity that fits a name, in its workspace."""

    workspace: Workspace
    key: str
    category: str
    name: str | None
    url: str | None
    is_stub: bool


def things_named(conn: Connection, text: str, workspaces: Sequence[Workspace]) -> list[NamedThing]:
    """The things of these workspaces that fit the text best, by key; at most MOST_CANDIDATES.

    A thing that has arrived goes before one that was only mentioned. The id of an observation stands
    for what it is about.
    """
    text = text.strip()
    by_id = {workspace.id: workspace for workspace in workspaces}
    wanted = [(each.id, name) for each in workspaces for name in names_anywhere(text)]
    fitting = _look_up(conn, wanted)
    if not _has(fitting, Fit.KEY):
        fitting += _subjects(conn, text, list(by_id))
    if not _has(fitting, Fit.REFERENCE):
        fitting += _look_up(conn, _names_in_repositories(conn, text, list(by_id)))
    if is_sha(text) and not _has(fitting, Fit.COMMIT):
        fitting += _commits(conn, text.lower(), list(by_id))
    if not _has(fitting, Fit.PART):
        fitting += _by_name(conn, text, list(by_id))
    return _best(fitting, by_id)


def linked_repository(conn: Connection, text: str, workspaces: Sequence[Workspace]) -> str | None:
    """The name of the linked repository that the text names."""
    name = text.strip().rstrip("/").removesuffix(".git").lower()
    row = conn.execute(
        """
        SELECT r.resource_name
        FROM lightfast.integrations i JOIN lightfast.resources r ON r.id = i.resource_id
        WHERE i.workspace_id = ANY(%(workspaces)s) AND r.provider = 'github'
          AND (lower(r.resource_name) = %(name)s OR lower(r.resource_meta->>'html_url') = %(name)s)
        ORDER BY 1 LIMIT 1
        """,
        {"workspaces": [each.id for each in workspaces], "name": name},
    ).fetchone()
    return None if row is None else row[0]


# (fit, workspace, key, category, name, url, whether it is a stub)
_Row = tuple[int, int, str, str, str | None, str | None, bool]


def _has(rows: Iterable[_Row], least: Fit) -> bool:
    """Whether something arrived that fits so well."""
    return any(row[0] <= least and not row[-1] for row in rows)


def _best(rows: Sequence[_Row], workspaces: dict[int, Workspace]) -> list[NamedThing]:
    arrived = [row for row in rows if not row[-1]] or rows
    fit = min((row[0] for row in arrived), default=None)
    best = sorted(
        {row for row in arrived if row[0] == fit},
        key=lambda row: (row[2], workspaces[row[1]].slug, row[1]),
    )
    return [
        NamedThing(workspaces[workspace], key, category, name, url, is_stub)
        for _, workspace, key, category, name, url, is_stub in best[:MOST_CANDIDATES]
    ]


def _look_up(conn: Connection, wanted: Sequence[tuple[int, Name]]) -> list[_Row]:
    """What has one of these keys or claims one of these aliases."""
    return conn.execute(
        """
        WITH wanted AS (
          SELECT * FROM unnest(%s::bigint[], %s::text[], %s::int[]) AS w (workspace_id, name, fit)
        )
        SELECT w.fit, e.workspace_id, e.key, e.category, e.value, e.url, e.is_stub
        FROM wanted w
        JOIN lightfast.entities e ON e.workspace_id = w.workspace_id AND e.key = w.name
        UNION
        SELECT greatest(w.fit, 1), e.workspace_id, e.key, e.category, e.value, e.url, e.is_stub
        FROM wanted w
        JOIN lightfast.entity_aliases a ON a.workspace_id = w.workspace_id AND a.alias = w.name
        JOIN lightfast.entities e ON e.id = a.entity_id
        WHERE w.fit <= %s -- keys of releases, tags, branches and files are no aliases
        ORDER BY 1, 2, 3
        """,
        (
            [workspace for workspace, _ in wanted],
            [name.key for _, name in wanted],
            [int(name.fit) for _, name in wanted],
            int(Fit.COMMIT),
        ),
    ).fetchall()


def _names_in_repositories(
    conn: Connection, text: str, workspaces: Sequence[int]
) -> list[tuple[int, Name]]:
    """The names that the text has in each repository that is linked, or was reported itself."""
    rows = conn.execute(
        """
        SELECT i.workspace_id, r.provider_resource_id, coalesce(r.resource_name, '')
        FROM lightfast.integrations i JOIN lightfast.resources r ON r.id = i.resource_id
        WHERE i.workspace_id = ANY(%(workspaces)s) AND r.provider = 'github'
        UNION
        SELECT workspace_id, substr(key, length(%(prefix)s) + 1), coalesce(value, '')
        FROM lightfast.entities
        WHERE workspace_id = ANY(%(workspaces)s) AND category = 'repository'
          AND starts_with(key, %(prefix)s)
        ORDER BY 1, 2 LIMIT %(most)s
        """,
        {"workspaces": list(workspaces), "prefix": _REPOSITORY, "most": _MOST_REPOSITORIES},
    )
    names = []
    for workspace, number, full_name in rows:
        scope = TextScope(number, full_name, host_of(number))
        names += [(workspace, name) for name in names_in(text, scope, f"{_REPOSITORY}{number}")]
    return names


def _subjects(conn: Connection, text: str, workspaces: Sequence[int]) -> list[_Row]:
    """What an observation is about, by its external_id or source_id."""
    return conn.execute(
        """
        SELECT 0, e.workspace_id, e.key, e.category, e.value, e.url, e.is_stub
        FROM (
          SELECT workspace_id, subject_key FROM lightfast.observation_facts
          WHERE external_id = %(text)s AND workspace_id = ANY(%(workspaces)s)
          UNION
          SELECT workspace_id, subject_key FROM lightfast.observation_facts
          WHERE source_id = %(text)s AND workspace_id = ANY(%(workspaces)s)
        ) o
        JOIN lightfast.entities e ON e.workspace_id = o.workspace_id AND e.key = o.subject_key
        """,
        {"text": text, "workspaces": list(workspaces)},
    ).fetchall()


def _commits(conn: Connection, beginning: str, workspaces: Sequence[int]) -> list[_Row]:
    first = f"github:commit:{beginning}"
    return conn.execute(
        """
        SELECT %s, e.workspace_id, e.key, e.category, e.value, e.url, e.is_stub
        FROM unnest(%s::bigint[]) AS w (id)
        CROSS JOIN LATERAL (
          SELECT * FROM lightfast.entities e
          WHERE e.workspace_id = w.id AND e.key >= %s AND e.key < %s
          ORDER BY e.key LIMIT %s
        ) e
        """,
        (int(Fit.COMMIT), list(workspaces), first, f"{first}g", MOST_CANDIDATES),
    ).fetchall()


def _by_name(conn: Connection, text: str, workspaces: Sequence[int]) -> list[_Row]:
    """Teams, projects and the like by their name, or by their address, if the text is one."""
    column = "url" if is_address(text) else "value"
    return conn.execute(
        f"""
        SELECT %s, workspace_id, key, category, value, url, is_stub FROM lightfast.entities
        WHERE workspace_id = ANY(%s) AND category = ANY(%s) AND lower({column}) = lower(%s)
        ORDER BY key LIMIT %s
        """,
        (
            int(Fit.NAME),
            list(workspaces),
            _NAMED,
            text,
            MOST_CANDIDATES,
        ),
    ).fetchall()
