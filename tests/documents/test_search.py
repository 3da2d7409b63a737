"""Parts of documents are found by words and by meaning, in one workspace, by the analysts' role too."""

from __future__ import annotations

import pytest

from lightfast_pipelines.documents.search import documents_near, documents_with
from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
from lightfast_pipelines.store.linked_resources import (
    find_integration,
    find_workspace,
    set_sync_config,
)
from tests.documents.looked_at import Library

FILES = {
    "lightfast.yml": "include: [docs]\n",
    "docs/pay.md": "# Payments\n\n## Refunds\n\nA refund reaches the card after two days.\n",
    "docs/run.md": "# Running\n\n## Deploying\n\nPush a tag, and the release is deployed.\n",
}


@pytest.fixture
def filled(shop: Library) -> Library:
    shop.push(dict(FILES))
    other = shop.link("other")
    with shop.database.connect("pipeline") as conn:
        integration = find_integration(conn, other, "github", "1")
        set_sync_config(conn, integration, {"documents": {"include": ["docs/run.md"]}})
        conn.commit()
    shop.look()
    return shop


def test_a_question_finds_the_part_that_is_about_it(filled: Library) -> None:
    with filled.database.connect("analyst") as conn:
        workspace = find_workspace(conn, "shop")
        found = documents_near(
            conn, WordLlamaEmbedder(), workspace, "when do I get my money back on my card", 5
        )
    assert (found[0].path, found[0].heading_path) == ("docs/pay.md", ["Payments", "Refunds"])
    assert found[0].url is not None
    assert found[0].url.endswith("/docs/pay.md?plain=1#L3-L5")
    assert found[0].score > found[1].score


def test_words_find_the_parts_that_hold_them_in_any_form(filled: Library) -> None:
    with filled.database.connect("analyst") as conn:
        workspace = find_workspace(conn, "shop")
        assert [part.path for part in documents_with(conn, workspace, "deploys releases", 5)] == [
            "docs/run.md"
        ]
        assert documents_with(conn, workspace, '"release the card"', 5) == []
        [by_hand] = conn.execute(
            "SELECT path, changed_by, commit_sha FROM documents_with('shop', 'refund -tag')"
        ).fetchall()
    assert by_hand == ("docs/pay.md", "ada", filled.repository.head.sha)


def test_a_workspace_finds_nothing_of_another(filled: Library) -> None:
    with filled.database.connect("analyst") as conn:
        other = find_workspace(conn, "other")
        assert documents_with(conn, other, "refund", 5) == []
        near = documents_near(conn, WordLlamaEmbedder(), other, "a refund on the card", 5)
    assert {part.path for part in near} == {"docs/run.md"}


def test_a_part_is_compared_with_others_by_its_own_vector(filled: Library) -> None:
    [(path, similarity)] = filled.rows(
        """
        SELECT n.path, n.similarity FROM lightfast.documents d
        JOIN lightfast.document_chunks c ON c.document_id = d.id
        CROSS JOIN lightfast.documents_near('shop', c.model, c.vector, 1) n
        WHERE d.path = 'docs/pay.md'
        """
    )
    assert (path, round(similarity, 3)) == ("docs/pay.md", 1.0)
