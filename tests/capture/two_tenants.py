"""Workspaces of two organisations, some of which share resources, after every stage has run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from lightfast_pipelines.clustering.consolidation import consolidate
from lightfast_pipelines.clustering.provisional import assign_provisional
from lightfast_pipelines.clustering.summaries import summarize_clusters
from lightfast_pipelines.embedding.layers import make_layers
from lightfast_pipelines.embedding.pgvector import PgVectorIndex
from lightfast_pipelines.embedding.stage import embed_pending
from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
from lightfast_pipelines.people.actors import decide_actors
from lightfast_pipelines.people.profiles import update_profiles
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.deliveries import Delivery
from lightfast_pipelines.store.hosted_vectors import set_model
from lightfast_pipelines.store.linked_resources import (
    Workspace,
)
from lightfast_pipelines.store.model_batches import BatchedContent, add_batch
from lightfast_pipelines.store.stage_failures import StageError, count_observation
from tests.capture.deliveries import NOW, capture_all, delivery, receive, rows
from tests.capture.provider_deliveries import linked, provider_delivery
from tests.providers.github import payloads as github
from tests.providers.sentry import payloads as sentry
from tests.providers.vercel import payloads as vercel

OTHER = {"acme/shop": "rival/shop", "rival/shop": "acme/shop"}
SHARED_SHA = github.sha("a commit that both have")


def _story(repo: str, repo_id: int) -> Iterator[Delivery]:
    """The same words, numbers and commit in each repository, and a reference into the other."""
    commits = [github.commit("Add a cart (#6)\n\nFixes #5", commit_sha=SHARED_SHA, repo=repo)]
    commits += [github.commit(f"Keep the cart, step {n} (#6)", repo=repo) for n in range(6)]
    commits += [
        github.commit("Only here", commit_sha=github.sha(repo), repo=repo),
        github.commit(f"Undo\n\nThis reverts commit {github.sha(OTHER[repo])[:9]}.", repo=repo),
    ]
    deliveries = [
        ("issues", github.issue("opened", 5, repo=repo, repo_id=repo_id)),
        ("issues", github.issue("closed", 5, repo=repo, repo_id=repo_id)),
        (
            "pull_request",
            github.pull_request(
                "closed",
                6,
                repo=repo,
                repo_id=repo_id,
                merged=True,
                merge_sha=SHARED_SHA,
                # The last is a name only if some tracker has announced it.
                body="Fixes #5, acme/shop#5 and rival/shop#5. Closes 4U-3",
                sender="grace",
                reviewers=("lin",),
            ),
        ),
        ("push", github.push(commits, repo=repo, repo_id=repo_id)),
    ]
    for number, (event, payload) in enumerate(deliveries):
        yield delivery(event, payload, f"{repo}-{number}")


def two_tenants(conn: Connection) -> dict[str, Workspace]:
    """Two workspaces of one organisation that share a repository, and one of another organisation;
    every stage has run."""
    workspaces = {
        "first": linked(conn, "first", ("github", "1"), ("sentry", "42"), org_id="acme"),
        "second": linked(conn, "second", ("github", "1"), ("sentry", "42"), org_id="acme"),
        "spy": linked(conn, "spy", ("github", "2"), ("vercel", "prj_1"), org_id="rival"),
    }
    deployed = vercel.deployment("succeeded", git=vercel.meta(SHARED_SHA))
    receive(
        conn,
        [
            *_story("acme/shop", 1),
            *_story("rival/shop", 2),
            provider_delivery("sentry", "issue", sentry.issue("created")),
            provider_delivery("sentry", "error", sentry.error("e1")),
            provider_delivery("sentry", "error", sentry.error("e2")),
            provider_delivery("vercel", deployed["type"], deployed),
            delivery("issues", github.issue(number=9, repo="nobody/shop", repo_id=3), "unlinked"),
        ],
    )
    capture_all(conn, batch_rows=4)
    set_model(conn, "hosted-256")
    embed_pending(conn, WordLlamaEmbedder(), PgVectorIndex(conn), max_rows=1_000)
    assign_provisional(conn, max_rows=1_000)
    later = NOW + timedelta(days=1)
    for org in ("acme", "rival"):
        decide_actors(conn, org, now=later)
    conn.commit()
    consolidate(conn, WordLlamaEmbedder(), now=later)
    update_profiles(conn, now=later)
    summarize_clusters(conn, now=later)
    make_layers(conn, WordLlamaEmbedder())
    for workspace, observation in rows(
        conn, "SELECT workspace_id, min(id) FROM lightfast.observations GROUP BY workspace_id"
    ):
        count_observation(conn, "embeddings", "another", observation, StageError("Error", "failed"))
        add_batch(
            conn,
            provider="anthropic",
            model="claude",
            purpose="observations",
            prompt_version=1,
            day=NOW.date(),
            reserved_tokens=1,
            requests={"one": [BatchedContent((workspace, "hash"), observation)]},
            now=NOW,
        )
    for table in ("backfill_coverage", "id_sweeps"):
        conn.execute(
            f"INSERT INTO lightfast.{table} (integration_id, entity_type) "
            "SELECT id, 'issue' FROM lightfast.integrations"
        )
    conn.execute(
        """
        WITH added AS (
          INSERT INTO lightfast.documents
            (workspace_id, integration_id, repository, path, title, commit_sha, blob_sha, changed_at,
             size, model, rule_version)
          SELECT workspace_id, id, 'acme/shop', 'README.md', 'Shop', 'c', 'b', now(), 6, 'plain', 1
          FROM lightfast.integrations
          RETURNING id, workspace_id
        )
        INSERT INTO lightfast.document_chunks
          (document_id, position, workspace_id, heading_path, text, first_line, last_line, tokens, model,
           vector)
        SELECT id, 0, workspace_id, '{Shop}', '# Shop', 1, 1, 2, 'plain', '[1,0]' FROM added
        """
    )
    conn.commit()
    return workspaces
