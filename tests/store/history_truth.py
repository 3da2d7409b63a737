"""What a recorded history says, read from its payloads alone, to compare the analysts' views with."""

from __future__ import annotations

import gzip
import itertools
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from lightfast_pipelines.store.database import Connection

Line = dict[str, Any]
_TIMES = ("created_at", "merged_at", "closed_at")


def lines_of(file: Path, count: int | None = None) -> Iterator[Line]:
    """The first deliveries of a history, or all of them."""
    with gzip.open(file, "rt") as stream:
        for line in itertools.islice(stream, count):
            yield json.loads(line)


@dataclass
class Truth:
    """`pulls`: number -> what the view should show; `files`: commit -> path -> what became of it."""

    pulls: dict[int, Line] = field(default_factory=dict)
    files: dict[str, dict[str, str]] = field(default_factory=dict)
    commits: dict[str, tuple[str, str, datetime]] = field(default_factory=dict)

    @property
    def open(self) -> set[int]:
        return {
            number for number, pull in self.pulls.items() if pull["status"] in ("open", "draft")
        }

    @property
    def merged_by_month(self) -> Counter[str]:
        return Counter(
            f"{pull['merged_at']:%Y-%m}"
            for pull in self.pulls.values()
            if pull["status"] == "merged"
        )


def truth_of(lines: Iterable[Line]) -> Truth:
    truth = Truth()
    for line in lines:
        payload = line["payload"]
        if line["event"] == "pull_request":
            pull = payload["pull_request"]
            truth.pulls[pull["number"]] = _pull(payload["repository"]["full_name"], pull)
        for commit in payload.get("commits", ()):
            changed = truth.files.setdefault(commit["id"], {})
            for change in ("removed", "modified", "added"):
                changed |= dict.fromkeys(commit[change], change)
            author = commit["author"]
            truth.commits[commit["id"]] = (
                _line(commit["message"].partition("\n")[0]),
                f"{author['name']} <{author['email']}>".lower(),
                datetime.fromisoformat(author.get("date") or commit["timestamp"]),
            )
    return truth


def _line(text: str) -> str:
    """As the first line of a message is kept: with single spaces, and not too long."""
    return " ".join(text.split())[:180]


def _pull(repository: str, pull: Line) -> Line:
    opened_at = datetime.fromisoformat(pull["created_at"])
    # Nothing happens to a pull request before it is opened: one clock was a second late.
    times = {
        name: max(datetime.fromisoformat(pull[name]), opened_at) if pull.get(name) else None
        for name in _TIMES
    }
    is_open = "draft" if pull.get("draft") else "open"
    return {
        "repository": repository,
        "title": pull["title"].strip(),
        "url": pull["html_url"],
        "status": "merged"
        if pull.get("merged")
        else is_open
        if pull["state"] == "open"
        else "closed",
        # An account that was deleted is nobody.
        "login": None if pull["user"]["login"] == "ghost" else pull["user"]["login"],
        "merge_commit": pull["merge_commit_sha"] if pull.get("merged") else None,
        "branch": pull["head"]["ref"],
        "labels": sorted({label["name"] for label in pull.get("labels", ())}),
        **times,
    }


def differences(conn: Connection, workspace: str, truth: Truth) -> tuple[Counter[str], list[str]]:
    """How many values were compared, and those that differ from the views'."""
    compared: Counter[str] = Counter()
    wrong: list[str] = []

    def compare(what: str, shown: object, expected: object) -> None:
        compared[what.partition(" ")[0]] += 1
        if shown != expected:
            wrong.append(f"{what}: {shown!r} instead of {expected!r}")

    columns = ("repository", "title", "url", "status", "merge_commit", "branch", "labels", *_TIMES)
    # Of every person all logins: one who has several may have opened it with any.
    pulls = {
        number: (dict(zip(columns, values, strict=True)), logins)
        for number, logins, *values in conn.execute(
            f"""
            SELECT p.number, (SELECT usernames FROM lightfast.people o
                              WHERE o.person_id = p.author_id AND o.workspace_id = p.workspace_id),
                   {", ".join(f"p.{name}" for name in columns)}
            FROM lightfast.pull_requests p WHERE p.workspace = %s
            """,
            (workspace,),
        )
    }
    compare("numbers", pulls.keys(), truth.pulls.keys())
    for number, expected in truth.pulls.items():
        shown, logins = pulls[number]
        for column in columns:
            compare(f"{column} of #{number}", shown[column], expected[column])
        login = expected["login"]
        compare(f"author of #{number}", login if login in (logins or ()) else None, login)
    open_now = conn.execute(
        "SELECT number FROM lightfast.pull_requests WHERE workspace = %s AND is_open", (workspace,)
    )
    compare("open", {number for (number,) in open_now}, truth.open)
    by_month: Iterable[Any] = conn.execute(
        """
        SELECT to_char(merged_at, 'YYYY-MM'), count(*) FROM lightfast.pull_requests
        WHERE workspace = %s AND status = 'merged' GROUP BY 1
        """,
        (workspace,),
    )
    months = dict(by_month)
    for month in months.keys() | truth.merged_by_month.keys():
        compare(f"merged in {month}", months.get(month), truth.merged_by_month.get(month))
    files: dict[str, dict[str, str]] = {sha: {} for sha in truth.files}
    headlines: dict[str, tuple[str, datetime]] = {}
    for sha, path, change, title, at in conn.execute(
        """
        SELECT commit, path, change, title, committed_at FROM lightfast.file_changes
        WHERE workspace = %s
        """,
        (workspace,),
    ):
        assert path not in files.setdefault(sha, {}), "a change of a file has two rows"
        files[sha][path] = change
        headlines[sha] = (title, at)
    compare("commits", files.keys(), truth.files.keys())
    for sha, changes in truth.files.items():
        compare(f"files of {sha}", files[sha], changes)
        compared["paths"] += len(changes)
        if sha in headlines:
            title, _, at = truth.commits[sha]
            shown_title, shown_at = headlines[sha]
            compare(f"message of {sha}", (shown_title[:180], shown_at), (title, at))
    return compared, wrong
