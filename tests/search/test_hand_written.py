"""What may be found, on deliveries written by hand: at once, never after deletion, only in its workspace."""

from __future__ import annotations

import pytest

from lightfast_pipelines.search import text_path
from lightfast_pipelines.search.conditions import Conditions
from lightfast_pipelines.search.cursor import CursorError
from lightfast_pipelines.search.resolving import UnknownPersonError
from lightfast_pipelines.search.results import SearchFilters, SearchResults
from lightfast_pipelines.search.search import QuestionError
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.linked_resources import Workspace
from tests.capture.deliveries import NOW, capture_all, delivery, receive, workspace_with
from tests.providers.github import payloads as github
from tests.search.conftest import asked


def _search(conn: Connection, workspace: Workspace, query: str, **options: object) -> SearchResults:
    return asked(conn, workspace)(query, now=NOW, **options)


def _open(conn: Connection, number: int, title: str, body: str = "", repo_id: int = 1) -> None:
    payload = github.pull_request(
        number=number, title=title, body=body, repo_id=repo_id, repo=f"acme/shop{repo_id}"
    )
    receive(conn, [delivery("pull_request", payload)])
    capture_all(conn)


def _titles(results: SearchResults) -> list[str]:
    return [hit.title for hit in results.hits]


def test_an_observation_is_found_as_soon_as_its_capture_commits(conn: Connection) -> None:
    workspace = workspace_with(conn)
    _open(conn, 1, "Rotate the session key")

    assert _titles(_search(conn, workspace, "session key")) == [
        "[PR Opened] Rotate the session key"
    ]


@pytest.mark.parametrize(
    "question",
    [
        "getUserById", "get_user_by_id", "getuserbyid", "user by id", "ERR_TIMEOUT", "errTimeout",
        "lib/auth/session.py", "session.py", "HTTPException", "exceptions", "timeouts", "getUser*",
    ],
)  # fmt: skip
def test_identifiers_and_paths_are_found_however_they_are_written(
    conn: Connection, question: str
) -> None:
    workspace = workspace_with(conn)
    _open(conn, 1, "Fix getUserById", "ERR_TIMEOUT raises HTTPException in lib/auth/session.py")
    _open(conn, 2, "Paint the door green")

    assert _titles(_search(conn, workspace, question))[:1] == ["[PR Opened] Fix getUserById"]


def test_a_changed_title_is_found_by_its_new_words_only(conn: Connection) -> None:
    workspace = workspace_with(conn)
    _open(conn, 1, "Rotate the session key")
    conn.execute(
        "UPDATE lightfast.observation_facts SET title = 'Paint the door green', content = ''"
    )
    conn.commit()

    assert _titles(_search(conn, workspace, "door green")) == ["Paint the door green"]
    assert _titles(_search(conn, workspace, "session key")) == []


def test_what_is_deleted_is_never_found(conn: Connection) -> None:
    workspace = workspace_with(conn)
    receive(conn, [delivery("issues", github.issue("opened", number=7, title="Rotate the key"))])
    capture_all(conn)
    assert _search(conn, workspace, "rotate the key").hits
    receive(conn, [delivery("issues", github.issue("deleted", number=7, title="Rotate the key"))])
    capture_all(conn)

    for question in ("rotate the key", "#7", "@ada"):
        assert "[Issue Opened] Rotate the key" not in _titles(_search(conn, workspace, question))


def test_a_workspace_finds_nothing_of_another(conn: Connection) -> None:
    ours = workspace_with(conn, "ours", 1)
    theirs = workspace_with(conn, "theirs", 2, org_id="elsewhere")
    _open(conn, 1, "Rotate the session key", repo_id=1)
    _open(conn, 2, "Rotate the session key of others", repo_id=2)

    for question in ("session key", "#2", "acme/shop2#2", "@ada", '"of others"', "others"):
        hits = _search(conn, ours, question).hits
        assert "[PR Opened] Rotate the session key of others" not in [hit.title for hit in hits]
    assert _search(conn, theirs, "session key").hits


def test_pages_do_not_shift_when_something_arrives(conn: Connection) -> None:
    workspace = workspace_with(conn)
    for number in range(1, 9):
        _open(conn, number, f"Rotate session key {number}")
    first = _search(conn, workspace, "rotate session key", limit=3)
    for number in range(9, 12):
        _open(conn, number, f"Rotate session key {number}")
    seen = [hit.id for hit in first.hits]
    cursor = first.next_cursor
    while cursor is not None:
        page = _search(conn, workspace, "rotate session key", limit=3, cursor=cursor)
        seen += [hit.id for hit in page.hits]
        cursor = page.next_cursor

    assert len(seen) == len(set(seen)) == first.total == 8


def test_only_what_was_known_by_then_is_found(conn: Connection) -> None:
    workspace = workspace_with(conn)
    _open(conn, 1, "Rotate the session key")

    before = SearchFilters(as_known=NOW.replace(hour=11))
    assert _search(conn, workspace, "session key", filters=before).hits == ()
    assert _search(conn, workspace, "session key", filters=SearchFilters(as_known=NOW)).hits


def test_text_that_looks_like_a_query_language_is_only_text(conn: Connection) -> None:
    workspace = workspace_with(conn)
    _open(conn, 1, "Escape the quote")

    for question in (
        "quote' | & ! :* (",
        "'; DROP TABLE x; --",
        "100% _ \\ %s {0}",
        "\0quote",
        "\ud800 quote",
    ):
        _search(conn, workspace, question)
    assert _search(conn, workspace, "quote' & !(").hits


def test_a_question_that_cannot_be_asked_is_refused(conn: Connection) -> None:
    workspace = workspace_with(conn)

    with pytest.raises(QuestionError, match="write what to look for"):
        _search(conn, workspace, "  ")
    with pytest.raises(QuestionError, match="at most"):
        _search(conn, workspace, "x" * 10_001)
    with pytest.raises(CursorError, match="not a cursor"):
        _search(conn, workspace, "key", cursor="nonsense")
    with pytest.raises(UnknownPersonError, match="nobody"):
        _search(conn, workspace, "key", filters=SearchFilters(people=("nobody-here",)))


def test_a_cursor_of_another_question_is_refused(conn: Connection) -> None:
    workspace = workspace_with(conn)
    for number in range(1, 4):
        _open(conn, number, f"Rotate session key {number}")
    cursor = _search(conn, workspace, "session key", limit=1).next_cursor

    with pytest.raises(CursorError, match="another question"):
        _search(conn, workspace, "door", cursor=cursor)


def test_a_rare_word_is_not_crowded_out_by_frequent_ones(
    conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = workspace_with(conn)
    monkeypatch.setattr(text_path, "_MOST_CANDIDATES", 5)
    for number in range(1, 13):
        _open(conn, number, f"Fix tests of module {number}")
    _open(conn, 13, "Replace the greeting")

    titles = _titles(_search(conn, workspace, "fix tests greeting"))
    assert "[PR Opened] Replace the greeting" in titles


def test_of_what_has_only_frequent_words_the_latest_is_weighed(
    conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = workspace_with(conn)
    for month in range(1, 13):
        payload = github.pull_request(
            number=month,
            title=f"Fix tests {month}",
            body="",
            created_at=f"2023-{month:02}-01T10:00:00Z",
        )
        receive(conn, [delivery("pull_request", payload)])
    capture_all(conn)
    monkeypatch.setattr(text_path, "_MOST_CANDIDATES", 2)
    monkeypatch.setattr(text_path, "_COUNTED", 3)
    conditions = Conditions(workspace.id, until=1_000_000)
    conn.execute("SET LOCAL max_parallel_workers_per_gather = 0")

    [latest] = text_path.WordSearch(conn, conditions, "fix tests").find(1)
    row = conn.execute(
        "SELECT title FROM lightfast.observation_facts WHERE id = %s", (latest,)
    ).fetchone()
    assert row == ("[PR Opened] Fix tests 12",)
