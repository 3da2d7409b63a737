"""A workspace that a stage cannot decide stops no other workspace, and is given up like an observation."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lightfast_pipelines.clustering.consolidation import consolidate
from lightfast_pipelines.clustering.summaries import summarize_clusters
from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
from lightfast_pipelines.inbox.pending import waiting
from lightfast_pipelines.inbox.rule_versions import CLUSTER_RULES
from lightfast_pipelines.inbox.waiting import waiting_for_you
from lightfast_pipelines.people.profiles import update_profiles
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.stage_failures import MOST_ATTEMPTS, try_again
from tests import poison
from tests.capture.deliveries import NOW, one
from tests.capture.rows import Memory
from tests.inbox.stages import FAILURES, cluster, two_tenants


def test_an_observation_without_a_cluster_does_not_block_the_decision_about_its_workspace(
    database: Database, conn: Connection
) -> None:
    _, [bad] = two_tenants(conn, "A poison constraint.")
    poison.refuse_in(database, "cluster_members", "constraint")
    cluster(conn)
    report = consolidate(conn, WordLlamaEmbedder(), now=NOW)
    assert (report.workspaces, report.observations, report.failures) == (2, 20, 0)
    # Once it has a cluster, it is decided about with the others.
    poison.allow_again(database, "cluster_members")
    assert cluster(conn) == 1
    assert consolidate(conn, WordLlamaEmbedder(), now=NOW).observations == 11
    assert one(
        conn,
        "SELECT NOT is_provisional FROM lightfast.cluster_members WHERE observation_id = %s",
        bad,
    )


def _people(conn: Connection) -> int:
    return consolidate(conn, WordLlamaEmbedder(), now=NOW).workspaces


def _consolidation(conn: Connection) -> int:
    return consolidate(conn, WordLlamaEmbedder(), now=NOW).workspaces


def _profiles(conn: Connection) -> int:
    consolidate(conn, WordLlamaEmbedder(), now=NOW)
    return update_profiles(conn, now=NOW).workspaces


def _summaries(conn: Connection) -> int:
    consolidate(conn, WordLlamaEmbedder(), now=NOW)
    return summarize_clusters(conn, now=NOW).workspaces


# Stage -> the table whose rows of the attacker are refused, and how the stage is run.
WHOLE: dict[str, tuple[str, Callable[[Connection], int]]] = {
    "people": ("actors", _people),
    "consolidation": ("cluster_log", _consolidation),
    "profiles": ("actor_profiles", _profiles),
    "summaries": ("consolidation_marks", _summaries),
}
_OF_ATTACKER = {
    "people": "NEW.org_id = 'org-1'",
    "consolidation": "NEW.workspace_id = (SELECT id FROM lightfast.workspaces WHERE org_id = 'org-1')",
    "profiles": "NEW.workspace_id = (SELECT id FROM lightfast.workspaces WHERE org_id = 'org-1')",
    "summaries": "NEW.workspace_id = (SELECT id FROM lightfast.workspaces WHERE org_id = 'org-1')"
    " AND NEW.summarized <> OLD.summarized",
}


@pytest.mark.parametrize("code", ["23514", "53100"])
@pytest.mark.parametrize("stage", WHOLE)
def test_a_workspace_that_cannot_be_decided_does_not_stop_others_and_is_given_up(
    database: Database, conn: Connection, stage: str, code: str
) -> None:
    for org in ("org-1", "org-2"):
        memory = Memory(conn, f"shop-{org}", org)
        author = memory.identity("github", "1", source_username="ada")
        for n in range(5):
            memory.observation(f"github:commit:{n:040}", "Checkout keeps the cart", author=author)
    conn.commit()
    table, run = WHOLE[stage]
    with database.connect("migrator", autocommit=True) as owner:
        owner.execute(
            f"""
            CREATE FUNCTION lightfast.refuse_one() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN
              IF {_OF_ATTACKER[stage]} THEN RAISE 'refused' USING ERRCODE = '{code}'; END IF;
              RETURN NEW;
            END $$
            """.encode()
        )
        owner.execute(
            f"CREATE TRIGGER refuse_one BEFORE INSERT OR UPDATE ON lightfast.{table}"
            " FOR EACH ROW EXECUTE FUNCTION lightfast.refuse_one()".encode()
        )
    runs = 0
    while not waiting_for_you(conn, now=NOW).stuck:
        # Others have work in each run; of nothing that goes through nothing is known.
        conn.execute(
            "UPDATE lightfast.consolidation_marks m SET changes = changes + 1"
            " FROM lightfast.workspaces w WHERE w.id = m.workspace_id AND w.org_id = 'org-2'"
        )
        conn.commit()
        assert run(conn) == 1
        runs += 1
    assert runs == MOST_ATTEMPTS
    [listed] = waiting_for_you(conn, now=NOW).stuck
    assert (listed.workspace, listed.stage, listed.observations) == ("org-1/shop-org-1", stage, 0)
    attempts = "SELECT attempts FROM lightfast.stage_failures"
    run(conn)
    assert one(conn, attempts) == MOST_ATTEMPTS
    with database.connect("migrator", autocommit=True) as owner:
        owner.execute(f"DROP TRIGGER refuse_one ON lightfast.{table}".encode())
    try_again(conn, [listed.stage])  # type: ignore[list-item]
    conn.commit()
    run(conn)
    assert one(conn, FAILURES) == 0
    left = waiting(conn, model="none", cluster_rule_version=CLUSTER_RULES).workspaces
    assert left == 0
