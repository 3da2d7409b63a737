"""What a look that fails leaves behind: the last good state, a reason, and a row that is tried again."""

from __future__ import annotations

import pytest

from lightfast_pipelines.documents.looks import DocumentRun, look_at_all
from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
from lightfast_pipelines.inbox.requeue import rebuild
from lightfast_pipelines.inbox.workspace_removal import remove_workspace
from lightfast_pipelines.store import documents as stored_documents
from lightfast_pipelines.store.document_queue import queue_outdated
from lightfast_pipelines.store.linked_resources import find_integration, set_active, set_sync_config
from lightfast_pipelines.store.locks import job_lock
from tests.capture.deliveries import capture_all
from tests.documents.looked_at import CONFIG, Library
from tests.servers.serving import Fault

GUIDE = {"lightfast.yml": CONFIG, "docs/a.md": "# A\n\nOne.\n", "docs/b.md": "# B\n\nTwo.\n"}


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (
            "include:\n  - docs\n  - [x\n",
            "lightfast.yml: line 4: expected ',' or ']', but got '<stream end>'",
        ),
        (
            "include: [docs]\n\nexcldue: [x]\n",
            "lightfast.yml: line 3: 'excldue' is not known; known: version, include, exclude",
        ),
        (b"include:\n  - docs\n  - \xff\n", "lightfast.yml: line 3: it is not UTF-8"),
        (
            "include: [docs]\n" + "# long\n" * 5_000,
            "lightfast.yml: it has 35,016 bytes, more than 32,768",
        ),
    ],
    ids=["syntax", "unknown", "bytes", "long"],
)
def test_an_invalid_file_says_which_line_and_leaves_the_last_good_state(
    shop: Library, broken: str | bytes, message: str
) -> None:
    first = shop.push(dict(GUIDE))
    shop.look()
    before = shop.stored()
    shop.push({"lightfast.yml": broken, "docs/a.md": None})
    shop.look()
    assert shop.config() == ("invalid", message, 2, first.sha)
    assert (shop.stored(), shop.waiting()) == (before, [])
    shop.push({"lightfast.yml": CONFIG})
    shop.look()
    assert (shop.config()[0], shop.paths()) == ("ok", ["docs/b.md"])


@pytest.mark.parametrize(
    ("match", "status", "reason"),
    [
        ("/branches/", 403, "GitHub does not let the token read repositories/1/branches/main"),
        ("/branches/", 404, "GitHub does not show the branch: give the token"),
        ("/git/trees/", 502, "GitHub answered 502 for repositories/1/git/trees/"),
        ("/contents/docs", 500, "GitHub answered 500 for repositories/1/contents/docs/"),
        ("GET /repositories/1? ", 404, "repositories/1 is not there, or not to be seen"),
        ("GET /repositories/1? ", 200, "the repository comes without its default branch"),
        ("history(first", 200, "not of a known form: TypeError('the answer has no repository')"),
    ],
)
def test_a_provider_that_does_not_answer_keeps_the_state_and_the_row(
    shop: Library, match: str, status: int, reason: str
) -> None:
    shop.push(dict(GUIDE))
    shop.look()
    before = shop.stored()
    last = shop.push({"docs/a.md": "# A\n\nNew.\n", "docs/b.md": None})
    body = b'{"message": "no"}'
    if status == 200:
        body = b'{"id": 1, "full_name": "acme/shop", "data": {"repository": null}}'
    shop.served.faults.append(Fault(match, times=5, status=status, body=body))
    assert shop.look().error
    [(why, attempts, error)] = shop.waiting()
    assert (why, attempts) == ("a push", 1)
    assert error.startswith(reason)
    assert shop.stored() == before
    shop.served.faults.clear()
    assert shop.look().error is None
    assert [row[:2] for row in shop.stored()] == [("docs/a.md", last.sha)]
    assert shop.waiting() == []


def test_a_listed_file_that_is_not_handed_out_keeps_its_last_version_and_is_asked_for_again(
    shop: Library,
) -> None:
    """As for a permission that ends in the middle of a look: GitHub answers 404 then."""
    first = shop.push(dict(GUIDE))
    shop.look()
    shop.push(
        {"lightfast.yml": "include: [docs]\n", "docs/a.md": "# A\n\nNew.\n", "docs/b.md": None}
    )
    shop.served.faults.append(Fault("/contents/docs", times=5, status=404))
    assert shop.look().error == (
        "1 files are listed, and missing when they are asked for: docs/a.md"
    )
    assert [row[:2] for row in shop.stored()] == [("docs/a.md", first.sha)]
    assert shop.config() == ("ok", "1 files named by lightfast.yml", 1, None)
    [(_, attempts, error)] = shop.waiting()
    assert (attempts, error[:7]) == (1, "1 files")
    shop.served.faults.clear()
    report = shop.look()
    assert (report.error, report.fetched, shop.waiting()) == (None, 1, [])
    assert shop.config()[3] == shop.repository.head.sha


def test_a_file_that_does_not_come_whole_is_asked_for_again(shop: Library) -> None:
    shop.push(dict(GUIDE))
    shop.look()
    before = shop.stored()
    shop.push({"docs/a.md": "# A\n\nNew.\n"})
    for content, reason in (
        (b"IyBB", "docs/a.md came with 3 of 10 bytes"),
        (b"!!!!", "the file's content is not base64"),
    ):
        body = b'{"encoding": "base64", "content": "%s"}' % content
        shop.served.faults.append(Fault("/contents/docs", times=1, status=200, body=body))
        assert shop.look().error == reason
        assert shop.stored() == before
    assert shop.look().error is None
    assert shop.stored()[0][4] == "# A\n\nNew."


def test_a_kill_between_fetching_and_the_commit_loses_nothing(
    shop: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledError(BaseException):
        """What ends a process; nobody catches it."""

    def killed(*_: object) -> None:
        raise KilledError

    commit = shop.push(dict(GUIDE))
    with monkeypatch.context() as patched:
        patched.setattr(stored_documents, "note_config", killed)
        with pytest.raises(KilledError):
            shop.look()
    # What was written in a transaction of its own is there, and is not fetched again.
    assert [row[:2] for row in shop.stored()] == [
        ("docs/a.md", commit.sha),
        ("docs/b.md", commit.sha),
    ]
    assert shop.waiting() == [("a push", 1, None)]
    report = shop.look()
    assert (report.fetched, shop.config()[2], shop.waiting()) == (0, 2, [])


def test_a_push_during_a_look_is_looked_at_too(
    shop: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.push(dict(GUIDE))
    finish = stored_documents.note_config

    def pushed_meanwhile(*given: object) -> None:
        monkeypatch.undo()
        shop.push({"docs/c.md": "# C\n\nThree.\n"})
        finish(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(stored_documents, "note_config", pushed_meanwhile)
    shop.look()
    assert shop.paths() == ["docs/a.md", "docs/b.md"]
    assert len(shop.waiting()) == 1
    shop.look()
    assert (shop.paths(), shop.waiting()) == (["docs/a.md", "docs/b.md", "docs/c.md"], [])


def test_a_head_that_is_behind_the_push_is_looked_at_again_until_it_has_arrived(
    shop: Library,
) -> None:
    first = shop.push(dict(GUIDE))
    shop.look()
    second = shop.push({"docs/a.md": "# A\n\nNew.\n"})
    shop.repository.branches["main"] = first
    shop.look()
    assert shop.stored()[0][1] == first.sha
    assert shop.waiting() == [("a push", 0, None)]
    assert shop.rows("SELECT not_before > now() FROM lightfast.document_queue") == [(True,)]
    shop.repository.branches["main"] = second
    shop.look()
    assert (shop.stored()[0][1], shop.waiting()) == (second.sha, [])


def test_two_workspaces_have_rows_of_their_own_by_their_own_patterns(shop: Library) -> None:
    second = shop.link("second")
    with shop.database.connect("pipeline") as conn:
        integration = find_integration(conn, second, "github", "1")
        set_sync_config(conn, integration, {"documents": {"include": ["docs/b.md"]}})
        conn.commit()
    shop.push(dict(GUIDE))
    shop.look()
    assert (shop.paths(), shop.paths("second")) == (["docs/a.md", "docs/b.md"], ["docs/b.md"])
    [told] = shop.rows(
        """
        SELECT config_message FROM lightfast.integrations i
        JOIN lightfast.workspaces w ON w.id = i.workspace_id WHERE w.slug = 'second'
        """
    )
    assert told == ("1 files named by the integration's settings",)
    with shop.database.connect("migrator") as conn:
        remove_workspace(conn, second, deliveries=False, actor="operator:test")
        conn.commit()
    assert (shop.paths(), shop.paths("second")) == (["docs/a.md", "docs/b.md"], [])


def test_a_paused_integration_is_not_looked_at_until_it_is_resumed(shop: Library) -> None:
    shop.push(dict(GUIDE))
    with shop.database.connect("pipeline") as conn:
        integration = find_integration(conn, shop.link(), "github", "1")
        set_active(conn, integration, active=False, reason="paused by an operator")
        conn.commit()
    asked = len(shop.served.asked)
    assert shop.look().source == ""
    assert (len(shop.served.asked), len(shop.waiting())) == (asked, 1)
    with shop.database.connect("pipeline") as conn:
        set_active(conn, integration, active=True, reason=None)
        conn.commit()
    shop.look()
    assert shop.paths() == ["docs/a.md", "docs/b.md"]


def test_an_integration_that_is_removed_during_a_look_gets_no_rows(
    shop: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.push(dict(GUIDE))
    embed = WordLlamaEmbedder.embed

    def removed_meanwhile(self: WordLlamaEmbedder, texts: list[str]) -> object:
        with shop.database.connect("pipeline") as conn:
            from lightfast_pipelines.store.linked_resources import remove_integration

            remove_integration(conn, find_integration(conn, shop.link(), "github", "1"))
            conn.commit()
        return embed(self, texts)

    monkeypatch.setattr(WordLlamaEmbedder, "embed", removed_meanwhile)
    shop.look()
    assert (shop.paths(), shop.waiting()) == ([], [])


def test_documents_of_an_older_rule_or_another_model_are_made_again(shop: Library) -> None:
    shop.push(dict(GUIDE))
    shop.look()
    with shop.database.connect("pipeline") as conn:
        for change in ("rule_version = 0", "model = 'another'"):
            conn.execute(f"UPDATE lightfast.documents SET {change} WHERE path = 'docs/a.md'")
            assert queue_outdated(conn, WordLlamaEmbedder.name, 1) == 1
            assert queue_outdated(conn, WordLlamaEmbedder.name, 1) == 0
            conn.commit()
            assert shop.look().fetched == 1
            assert queue_outdated(conn, WordLlamaEmbedder.name, 1) == 0
            conn.commit()


def test_outdated_documents_of_an_invalid_configuration_are_not_looked_at_again_and_again(
    shop: Library,
) -> None:
    shop.push(dict(GUIDE))
    shop.look()
    shop.push({"lightfast.yml": "include: 1\n"})
    shop.look()
    with shop.database.connect("pipeline") as conn:
        conn.execute("UPDATE lightfast.documents SET rule_version = 0")
        assert queue_outdated(conn, WordLlamaEmbedder.name, 1) == 0
        conn.commit()
    shop.push({"lightfast.yml": CONFIG})
    assert shop.look().fetched == 2


def test_a_renamed_repository_gives_its_documents_its_new_name_and_address(shop: Library) -> None:
    commit = shop.push(dict(GUIDE))
    shop.look()
    shop.repository.full_name = "acme/store"
    shop.hear(commit)
    shop.look()
    assert shop.rows(
        "SELECT DISTINCT repository, url FROM lightfast.documents WHERE path = 'docs/a.md'"
    ) == [("acme/store", f"https://github.com/acme/store/blob/{commit.sha}/docs/a.md")]


def test_a_change_list_that_is_too_heavy_is_asked_for_in_halves(shop: Library) -> None:
    commit = shop.push(dict(GUIDE))
    shop.served.faults.append(Fault("history(first", times=1, status=502))
    assert shop.look().error is None
    assert [row[:2] for row in shop.stored()] == [
        ("docs/a.md", commit.sha),
        ("docs/b.md", commit.sha),
    ]
    assert shop.served.count("POST /graphql") == 3


def test_a_rebuild_keeps_documents_and_looks_once_without_fetching_any(shop: Library) -> None:
    shop.push(dict(GUIDE))
    shop.look()
    before = shop.stored()
    with shop.database.connect("migrator") as conn:
        rebuild(conn)
        conn.commit()
    with shop.database.connect("pipeline") as conn:
        capture_all(conn)
    assert (shop.stored(), len(shop.waiting())) == (before, 1)
    report = shop.look()
    assert (report.fetched, report.gone, shop.stored(), shop.waiting()) == (0, 0, before, [])


def test_a_look_that_waits_too_long_for_a_rate_limit_is_put_off(shop: Library) -> None:
    shop.push(dict(GUIDE))
    limited = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "4102444800"}
    shop.served.faults.append(Fault("/git/trees/", times=100, status=403, headers=limited))
    ticks = iter(range(0, 100_000, 100))
    run = DocumentRun(
        shop.database,
        shop.apis(),
        WordLlamaEmbedder(),
        "test",
        monotonic=lambda: float(next(ticks)),
    )
    [report] = look_at_all(run)
    assert report.error == "the rate limit is used up for more than 300 seconds"
    assert shop.waiting() == [("a push", 1, report.error)]


def test_a_repository_that_another_process_looks_at_is_left_to_it(shop: Library) -> None:
    shop.push(dict(GUIDE))
    [(integration,)] = shop.rows("SELECT id FROM lightfast.integrations")
    with (
        shop.database.connect("pipeline") as conn,
        job_lock(conn, f"documents:{integration}", wait=False) as is_locked,
    ):
        assert is_locked
        assert shop.look().source == ""
    assert shop.waiting() == [("a push", 0, None)]
    assert shop.look().fetched == 2
