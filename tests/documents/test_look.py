"""Pushes become documents over HTTP: what is added, changed, renamed and removed, in any order."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from tests.documents.looked_at import CONFIG, Library


def test_a_push_makes_the_named_files_searchable_rows_at_that_commit(shop: Library) -> None:
    first = shop.push(
        {
            "lightfast.yml": CONFIG,
            "README.md": "# Shop\n\nSells things.\n",
            "docs/pay.md": "# Payments\n\n## Refunds\n\nA refund takes two days.\n",
            "docs/old/then.md": "# Then\n\nIt was so.\n",
            "docs/logo.png": b"\x89PNG",
            "src/main.py": "print()\n",
        },
        author="grace",
    )
    metadata = shop.materialize()
    assert (metadata["fetched"], metadata["chunks"], metadata["errors"]) == (2, 2, 0)
    assert shop.stored() == [
        ("README.md", first.sha, first.at, "grace", "# Shop\n\nSells things."),
        (
            "docs/pay.md",
            first.sha,
            first.at,
            "grace",
            "## Refunds\n\nA refund takes two days.",
        ),
    ]
    assert shop.config() == ("ok", "2 files named by lightfast.yml", 2, first.sha)
    assert shop.waiting() == []
    [chunk] = shop.rows(
        """
        SELECT c.heading_path, c.first_line, c.last_line, d.title, d.url, c.model, vector_dims(c.vector)
        FROM lightfast.document_chunks c JOIN lightfast.documents d ON d.id = c.document_id
        WHERE d.path = 'docs/pay.md'
        """
    )
    page = f"https://github.com/acme/shop/blob/{first.sha}/docs/pay.md"
    assert chunk == (["Payments", "Refunds"], 3, 5, "Payments", page, "wordllama-256", 256)


def test_only_what_changed_is_fetched_and_what_is_gone_is_deleted(shop: Library) -> None:
    first = shop.push(
        {
            "lightfast.yml": CONFIG,
            "README.md": "# Shop\n\nSells things.\n",
            "docs/a.md": "# A\n\nOld.\n",
            "docs/b.md": "# B\n\nGoes.\n",
            "docs/c.md": "# C\n\nMoves.\n",
        }
    )
    shop.look()
    before = shop.served.count("/contents/")
    second = shop.push(
        {
            "docs/a.md": "# A\n\nNew.\n",
            "docs/b.md": None,
            "docs/c.md": None,
            "docs/moved.md": "# C\n\nMoves.\n",
            "docs/d.md": "# D\n\nComes.\n",
        },
        author="grace",
    )
    report = shop.look()
    assert (report.fetched, report.gone) == (3, 2)
    # The three, and lightfast.yml.
    assert shop.served.count("/contents/") - before == 4
    assert [(path, commit, who) for path, commit, _, who, _ in shop.stored()] == [
        ("README.md", first.sha, "ada"),
        ("docs/a.md", second.sha, "grace"),
        ("docs/d.md", second.sha, "grace"),
        ("docs/moved.md", second.sha, "grace"),
    ]
    assert shop.rows("SELECT count(*) FROM lightfast.document_chunks") == [(4,)]


def test_pushes_in_another_order_repeated_or_looked_at_together_end_in_the_same_rows(
    shop: Library,
) -> None:
    """Also where a file got its former content back: it has the date of the commit that gave it back."""
    commits = [
        shop.repository.commit(changes, author=author)
        for changes, author in (
            ({"lightfast.yml": CONFIG, "docs/a.md": "# A\n\nOne.\n"}, "ada"),
            ({"docs/a.md": "# A\n\nTwo.\n", "docs/b.md": "# B\n\nOne.\n"}, "grace"),
            ({"docs/a.md": "# A\n\nOne.\n"}, "joan"),
            ({"src/main.py": "print()\n"}, "ada"),
        )
    ]
    # Each look sees the branch as it was at that time.
    for commit in commits:
        shop.repository.branches["main"] = commit
        shop.hear(commit)
        shop.look()
    expected = shop.stored()
    assert [row[1] for row in expected] == [commits[2].sha, commits[1].sha]
    shop.hear(commits[1], commits[0], commits[0], commits[3], commits[2])
    shop.look()
    assert shop.stored() == expected
    # Only the first and the last state are seen.
    with shop.database.connect("pipeline") as conn:
        conn.execute("DELETE FROM lightfast.documents")
        conn.commit()
    for commit in (commits[0], commits[3]):
        shop.repository.branches["main"] = commit
        shop.hear(commit)
        shop.look()
    assert shop.stored() == expected


def test_a_forced_push_and_another_default_branch_count_as_they_are_now(shop: Library) -> None:
    first = shop.push({"lightfast.yml": CONFIG, "docs/a.md": "# A\n\nOne.\n"})
    shop.push({"docs/b.md": "# B\n\nTwo.\n"})
    shop.look()
    rewound = shop.push({"docs/c.md": "# C\n\nThree.\n"}, after=first)
    shop.look()
    assert [row[:2] for row in shop.stored()] == [
        ("docs/a.md", first.sha),
        ("docs/c.md", rewound.sha),
    ]
    other = shop.repository.commit(
        {"lightfast.yml": CONFIG, "docs/next.md": "# Next\n\nHere.\n"}, branch="feature/next"
    )
    shop.repository.default_branch = "feature/next"
    shop.hear(other)
    shop.look()
    assert [row[:2] for row in shop.stored()] == [("docs/next.md", other.sha)]


def test_without_a_file_or_setting_there_are_no_documents_and_its_removal_takes_them_away(
    shop: Library,
) -> None:
    shop.push({"README.md": "# Shop\n\nSells things.\n"})
    shop.look()
    assert shop.config()[0] == "absent"
    assert shop.paths() == []
    shop.push({"lightfast.yaml": CONFIG})
    shop.look()
    assert (shop.config()[0], shop.paths()) == ("ok", ["README.md"])
    shop.push({"lightfast.yaml": None})
    shop.look()
    assert (shop.config()[0], shop.config()[2], shop.paths()) == ("absent", 0, [])


def test_a_link_or_folder_of_that_name_names_no_documents_and_says_so(shop: Library) -> None:
    shop.repository.links.add("lightfast.yml")
    shop.push(
        {"lightfast.yml": "a.yml", "a.yml": CONFIG, "lightfast.yaml/x.md": "X", "README.md": "Y"}
    )
    assert shop.look().error is None
    status, message, *_ = shop.config()
    assert (status, shop.paths()) == ("absent", [])
    assert "a link or a folder does not count" in message


def test_a_file_that_is_no_longer_named_is_gone(shop: Library) -> None:
    shop.push({"lightfast.yml": CONFIG, "README.md": "# Shop\n\nHi.\n", "docs/a.md": "# A\n\nB.\n"})
    shop.look()
    shop.push({"lightfast.yml": "include: [docs]\n"})
    shop.look()
    assert shop.paths() == ["docs/a.md"]


def test_an_empty_repository_has_no_documents(shop: Library) -> None:
    shop.ask(shop.link())
    report = shop.look()
    assert (report.error, shop.waiting()) == (None, [])
    assert shop.config()[:2] == ("absent", "nothing was pushed to the default branch yet")


def test_a_tree_that_github_cuts_is_walked_folder_by_folder(shop: Library) -> None:
    shop.repository.cut_trees = 4
    shop.push(
        {
            "lightfast.yml": "include: ['**/*.md']\n",
            **{f"docs/{name}/{name}.md": f"# {name}\n\nText.\n" for name in "abc"},
        }
    )
    report = shop.look()
    assert (report.error, shop.paths()) == (None, [f"docs/{n}/{n}.md" for n in "abc"])


def test_what_is_no_readable_text_has_a_row_that_says_why(shop: Library) -> None:
    shop.repository.links.add("docs/link.md")
    shop.push(
        {
            "lightfast.yml": CONFIG,
            "docs/binary.md": b"\0\1\2",
            "docs/latin.md": "# Caf\xe9\n".encode("latin-1"),
            "docs/link.md": "a.md",
            "docs/huge.txt": b"word " * 200_001,
            "docs/empty.md": "",
            "docs/lfs.md": "version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 12\n",
        }
    )
    shop.look()
    skipped = shop.rows("SELECT path, skipped, chunk_count FROM lightfast.documents ORDER BY path")
    assert skipped == [
        ("docs/binary.md", "it holds zero bytes: not a text, or not UTF-8", 0),
        ("docs/empty.md", None, 0),
        ("docs/huge.txt", "it has 1,000,005 bytes, more than 1,000,000", 0),
        ("docs/latin.md", "line 1 is not UTF-8", 0),
        ("docs/lfs.md", "it is kept in Git LFS, and the repository holds its address", 0),
    ]
    assert shop.config()[2] == 1


def test_a_file_of_any_name_is_fetched_and_has_an_address(shop: Library) -> None:
    names = [
        "a b",
        "a#b",
        "a?ref=b",
        "a%2Fb",
        "100%",
        "é",
        "日本",
        "-x",
        "A",
        "a",
        "a\nb",
        "a\x1b[2J",
        "...",
    ]
    shop.push({"lightfast.yml": CONFIG, **{f"docs/{name}.md": f"Text of {name}" for name in names}})
    assert shop.look().error is None
    paths = sorted(f"docs/{name}.md" for name in names)
    assert sorted(shop.paths()) == paths
    addresses = shop.rows("SELECT path, url FROM lightfast.documents")
    assert [unquote(urlsplit(url).path).partition("/docs/")[2] for _, url in addresses] == [
        path.removeprefix("docs/") for path, _ in addresses
    ]


def test_secrets_are_masked_in_every_part(shop: Library) -> None:
    token = "ghp_" + "a1B2" * 9
    shop.push({"lightfast.yml": CONFIG, "docs/a.md": f"# Use {token}\n\nExport `{token}` first.\n"})
    shop.look()
    [(title, text, headings)] = shop.rows(
        """
        SELECT d.title, c.text, c.heading_path::text FROM lightfast.document_chunks c
        JOIN lightfast.documents d ON d.id = c.document_id
        """
    )
    for each in (title, text, headings):
        assert token not in each
        assert "secret masked" in each
