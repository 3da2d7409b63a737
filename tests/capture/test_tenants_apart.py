"""What fails for one tenant in the stages after capture is left, and all others' is done."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from lightfast_pipelines.clustering.consolidation import consolidate
from lightfast_pipelines.clustering.provisional import assign_provisional
from lightfast_pipelines.clustering.summaries import summarize_clusters
from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
from lightfast_pipelines.people.profiles import update_profiles
from lightfast_pipelines.store.database import Connection, Database
from tests.capture.deliveries import rows
from tests.capture.rows import Memory, hours

NOW = datetime(2024, 6, 1, tzinfo=UTC)
SLUGS = ("first", "second", "third")


@pytest.fixture
def memories(conn: Connection) -> dict[str, Memory]:
    """Three organisations, each with a person and a cluster that is large enough for a summary."""
    made = {slug: Memory(conn, slug, f"org-{slug}") for slug in SLUGS}
    for slug, memory in made.items():
        ann = memory.identity("github", f"ann-{slug}", source_username="ann", kind="person")
        for number in range(6):
            key = f"github:commit:{slug}{number:034}"
            memory.observation(
                key, f"Retry the payment, step {number}", at=hours(number), author=ann
            )
            memory.edge("github:pr:1#1", "contains", key)
    conn.commit()
    assign_provisional(conn, max_rows=100)
    conn.commit()
    return made


def describe(conn: Connection) -> None:
    model = WordLlamaEmbedder()
    consolidate(conn, model, now=NOW)
    update_profiles(conn, now=NOW)
    summarize_clusters(conn, now=NOW)


def refuse(database: Database, table: str, condition: str) -> None:
    with database.connect("migrator", autocommit=True) as owner:
        owner.execute(
            f"""
            CREATE FUNCTION lightfast.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
              IF {condition} THEN RAISE 'cannot be written' USING ERRCODE = '54000'; END IF;
              RETURN NEW;
            END $$
            """.encode()
        )
        owner.execute(
            f"""
            CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON lightfast.{table}
            FOR EACH ROW EXECUTE FUNCTION lightfast.refuse()
            """.encode()
        )


def described(conn: Connection, what: str) -> set[str]:
    """The workspaces that have what a stage writes."""
    statements = {
        "actors": "SELECT substr(org_id, 5) FROM lightfast.actors",
        "actor_profiles": """
            SELECT w.slug FROM lightfast.actor_profiles p
            JOIN lightfast.workspaces w ON w.id = p.workspace_id
        """,
        "clusters": """
            SELECT w.slug FROM lightfast.clusters c
            JOIN lightfast.workspaces w ON w.id = c.workspace_id WHERE c.summary IS NOT NULL
        """,
    }
    return {slug for (slug,) in rows(conn, statements[what])}


@pytest.mark.parametrize("slug", SLUGS)
@pytest.mark.parametrize("table", ["actors", "actor_profiles", "clusters"])
def test_a_stage_that_fails_for_one_tenant_is_done_for_all_others(
    database: Database, conn: Connection, memories: dict[str, Memory], table: str, slug: str
) -> None:
    failing = memories[slug]
    refuse(
        database,
        table,
        f"NEW.org_id = '{failing.org_id}'"
        if table == "actors"
        else f"NEW.workspace_id = {failing.workspace_id}"
        + (" AND NEW.summary IS NOT NULL" if table == "clusters" else ""),
    )
    describe(conn)
    assert described(conn, table) == {*SLUGS} - {slug}
    with database.connect("migrator", autocommit=True) as owner:
        owner.execute(f"DROP TRIGGER refuse ON lightfast.{table}".encode())
    # Nothing arrived meanwhile: what was left is still due.
    describe(conn)
    assert described(conn, table) == {*SLUGS}


def test_a_tenant_with_little_new_is_consolidated_before_one_with_much(
    conn: Connection, memories: dict[str, Memory]
) -> None:
    describe(conn)
    for slug, changes in (("first", 5_000), ("second", 1), ("third", 40)):
        memory = memories[slug]
        memory.observation(f"github:commit:{slug}{'f' * 34}", "A further step", at=hours(9))
        conn.execute(
            "UPDATE lightfast.consolidation_marks SET changes = changes + %s WHERE workspace_id = %s",
            (changes, memory.workspace_id),
        )
    conn.commit()
    consolidate(conn, WordLlamaEmbedder(), now=NOW)
    order = rows(
        conn,
        """
        SELECT w.slug FROM lightfast.consolidation_marks k
        JOIN lightfast.workspaces w ON w.id = k.workspace_id ORDER BY k.xmin::text::bigint
        """,
    )
    assert [slug for (slug,) in order] == ["second", "third", "first"]
