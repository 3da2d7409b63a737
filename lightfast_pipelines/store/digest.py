"""A hash of each table over current belief, by natural keys: equal facts have equal hashes anywhere.

Left out are serial ids, when and how things arrived, logs, vectors, the inputs themselves, and
`commit_parents`: a push and the API say different things about what comes before the same commit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from lightfast_pipelines.store.database import Connection

_WORKSPACE = "w.org_id, w.slug"
_IDENTITY = "CASE WHEN {0}.id IS NULL THEN NULL ELSE {0}.source || ':' || {0}.source_id END"
# Sorted, as their order has no meaning: it depends on which payload of a fact came first.
_REFERENCES = """(SELECT coalesce(jsonb_agg(r ORDER BY r::text COLLATE "C"), '[]')
  FROM jsonb_array_elements(o."references") AS r)"""

# table -> (columns, FROM, columns that --knowledge adds). A row becomes one line of JSON.
_TABLES: dict[str, tuple[str, str, str]] = {
    "observations": (
        f"""{_WORKSPACE}, o.source_id, o.external_id, o.source, o.source_type, o.observation_type,
        o.subject_key, o.occurred_at, {_IDENTITY.format("doer")}, {_IDENTITY.format("author")}, o.title,
        o.content, o.category, o.topics, o.significance_score, o.significance_factors,
        {_REFERENCES},
        o.metadata, o.part_key, o.is_deleted""",
        """lightfast.observations o JOIN lightfast.workspaces w ON w.id = o.workspace_id
        LEFT JOIN lightfast.actor_identities doer ON doer.id = o.actor_identity_id
        LEFT JOIN lightfast.actor_identities author ON author.id = o.author_identity_id""",
        "o.recorded_at",
    ),
    "entities": (
        f"""{_WORKSPACE}, e.key, e.category, e.value, e.aliases, e.confidence, e.first_seen_at,
        e.last_seen_at, e.occurrence_count, e.url, e.is_stub""",
        "lightfast.entities e JOIN lightfast.workspaces w ON w.id = e.workspace_id",
        "",
    ),
    "observation_entities": (
        """DISTINCT o.external_id, e.key, m.role, m.evidence, m.confidence, m.extractor""",
        """lightfast.observation_entities m JOIN lightfast.observations o ON o.id = m.observation_id
        JOIN lightfast.entities e ON e.id = m.entity_id""",
        "",
    ),
    "relationships": (
        f"""{_WORKSPACE}, s.key, r.type, t.key, r.confidence, r.method, r.evidence, r.first_seen_at,
        r.last_seen_at, r.observation_count""",
        """lightfast.relationships r JOIN lightfast.workspaces w ON w.id = r.workspace_id
        JOIN lightfast.entities s ON s.id = r.subject_id JOIN lightfast.entities t ON t.id = r.object_id""",
        "",
    ),
    "actor_identities": (
        """i.org_id, i.source, i.source_id, i.source_username, i.source_email, i.source_name,
        i.avatar_url, i.kind, i.email_verified, i.actor_id, i.mapping_method, i.confidence, i.joined_to,
        i.mapping_evidence""",
        "lightfast.actor_identities i",
        "",
    ),
    "identity_mentions": (
        "o.external_id, i.source, i.source_id, m.role",
        """lightfast.identity_mentions m JOIN lightfast.observations o ON o.id = m.observation_id
        JOIN lightfast.actor_identities i ON i.id = m.identity_id""",
        "",
    ),
    "actors": (
        "a.org_id, a.id, a.display_name, a.kind, a.identity_count",
        "lightfast.actors a",
        "",
    ),
    "temporal_states": (
        f"""{_WORKSPACE}, t.entity_id, t.entity_type, t.entity_name, t.state_type, t.state_value,
        t.state_metadata, t.valid_from, t.valid_to, t.is_current, {_IDENTITY.format("doer")},
        t.change_reason, o.external_id""",
        """lightfast.temporal_states t JOIN lightfast.workspaces w ON w.id = t.workspace_id
        LEFT JOIN lightfast.actor_identities doer ON doer.id = t.changed_by_identity_id
        LEFT JOIN lightfast.observations o ON o.id = t.related_observation_id""",
        "t.recorded_at, t.superseded_at",
    ),
    "clusters": (
        f"""{_WORKSPACE}, c.topic_label, c.keywords, c.primary_entities, c.primary_actors, c.status,
        c.observation_count, c.first_observation_at, c.last_observation_at,
        ARRAY(SELECT o.external_id COLLATE "C" FROM lightfast.cluster_members m
              JOIN lightfast.observations o ON o.id = m.observation_id
              WHERE m.cluster_id = c.id ORDER BY 1)""",
        "lightfast.clusters c JOIN lightfast.workspaces w ON w.id = c.workspace_id",
        "",
    ),
}


TABLES = tuple(_TABLES)


def digest_lines(conn: Connection, *, knowledge: bool = False) -> list[tuple[str, str]]:
    """(table, SHA-256) for each table, in a fixed order.

    With `knowledge`, both clocks and superseded belief count too: then the hashes are equal after a
    rebuild, but not for another order of arrival. The caller makes sure that no work is pending.
    """
    lines = []
    for table in TABLES:
        total = hashlib.sha256()
        for line in hashed_rows(conn, table, knowledge=knowledge):
            total.update(line.encode("utf-8", "surrogatepass"))
            total.update(b"\n")
        lines.append((table, total.hexdigest()))
    conn.rollback()
    return lines


def hashed_rows(conn: Connection, table: str, *, knowledge: bool = False) -> Iterator[str]:
    """The rows of a table as they are hashed, in order, each as a line of JSON."""
    columns, source, clocks = _TABLES[table]
    wanted = columns.removeprefix("DISTINCT ")
    if knowledge and clocks:
        wanted = f"{wanted}, {clocks}"
    where = ""
    if table == "temporal_states" and not knowledge:
        where = "WHERE t.superseded_at IS NULL"
    distinct = "DISTINCT" if columns.startswith("DISTINCT") else ""
    query = f"""
        SELECT line FROM (
          SELECT {distinct} jsonb_build_array({wanted})::text COLLATE "C" AS line FROM {source} {where}
        ) lines ORDER BY line
    """
    conn.execute("SET LOCAL TimeZone TO 'UTC'")
    with conn.cursor(name=f"digest_{table}") as cursor:
        cursor.itersize = 5_000
        for (line,) in cursor.execute(query):
            yield line
