"""The commits of releases: by parents as git counts them, else by time, and which release comes before."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.deliveries import Delivery
from lightfast_pipelines.store.linked_resources import find_integration, set_sync_config
from tests.capture.deliveries import capture_all, delivery, receive, rows, workspace_with
from tests.capture.test_commit_parents import from_the_api
from tests.providers.github import payloads as github

START = datetime(2024, 1, 1, tzinfo=UTC)


def at(hours: int) -> str:
    return f"{START + timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}"


def tag(name: str, commit: str, hours: int, before: str = github.NOBODY) -> Delivery:
    """Makes or moves a tag."""
    pushed_at = int((START + timedelta(hours=hours)).timestamp())
    head = github.commit("Tagged", commit_sha=commit, at=at(hours))
    payload = github.push(
        [], f"refs/tags/{name}", before=before, after=commit, pushed_at=pushed_at, head_commit=head
    )
    return delivery("push", payload)


def published(name: str, hours: int, repo_id: int = 1, **more: Any) -> Delivery:
    payload = github.release(
        tag=name, name=name, published_at=at(hours), repo_id=repo_id, created_at=at(hours), **more
    )
    return delivery("release", payload)


def commits_of(conn: Connection, version: str) -> tuple[set[str], set[str]]:
    """The commits of a release, and how they were found."""
    found = rows(
        conn,
        'SELECT "commit", found_by FROM lightfast.release_commits WHERE version = %s',
        version,
    )
    assert len(found) == len({commit for commit, _ in found})
    return {commit for commit, _ in found}, {how for _, how in found}


def test_a_window_of_released_at_finds_the_commits_of_its_releases_alone(conn: Connection) -> None:
    workspace_with(conn, "shop", 1)
    commits = [github.commit(c, commit_sha=c * 40, at=at(n * 24 + 12)) for n, c in enumerate("abc")]
    receive(
        conn,
        [
            delivery("push", github.push(commits, before=github.NOBODY, after="c" * 40)),
            *(tag(f"v{n}", c * 40, n * 24) for n, c in enumerate("abc", 1)),
            *(published(f"v{n}", n * 24) for n in (1, 2, 3)),
        ],
    )
    capture_all(conn)
    asked = """
        SELECT version, "commit" FROM lightfast.release_commits
        WHERE released_at >= '2024-01-03' AND released_at < '2024-01-04'
    """
    assert rows(conn, asked) == [("v2", "b" * 40)]
    # A walk through parents for each release would cost more with every one.
    plan = "\n".join(
        line for (line,) in rows(conn, f"EXPLAIN (ANALYZE, BUFFERS off, TIMING off) {asked}")
    )
    assert re.findall(r"ProjectSet .*\n.* rows=([\d.]+) loops=(\d+)", plan) == [("1.00", "1")], plan


def test_the_release_before_is_found_by_index(conn: Connection) -> None:
    """In the order in which `release_before` asks, or it would read every release for each."""
    conn.execute("SET LOCAL enable_seqscan = off")
    conn.execute("SET LOCAL enable_sort = off")
    plan = conn.execute(
        """
        EXPLAIN SELECT key FROM lightfast.entities
        WHERE workspace_id = 1 AND split_part(key, ':', 3) = '1'
          AND key >= 'github:release:' AND key < 'github:release;'
          AND md5(lightfast.version_line(lightfast.tag_of(key))) = md5('')
          AND lightfast.version_numbers(lightfast.tag_of(key)) <= '{1,2}'
        ORDER BY lightfast.version_numbers(lightfast.tag_of(key)) DESC NULLS LAST
        """
    ).fetchall()
    lines = [str(line) for (line,) in plan]
    assert lines[0].startswith("Index Scan using ix_entities_releases")
    [condition] = [line for line in lines if "Index Cond" in line]
    assert all(part in condition for part in ("workspace_id = 1", "md5(", "<= '{1,2}'"))


def test_a_tag_of_hundreds_of_numbers_fits_into_the_index_of_versions(conn: Connection) -> None:
    workspace_with(conn, "shop", 1)
    tags = [".".join(str(n * 7919 % 101 % 10) for n in range(250)), "9" * 500]
    receive(conn, [published(name, n) for n, name in enumerate(tags)])
    capture_all(conn)
    outcomes = (
        "SELECT status, reason, (SELECT count(*) FROM lightfast.releases) FROM lightfast.outcomes"
    )
    assert rows(conn, outcomes) == [("delivered", None, 2)] * 2


class GitRepository:
    """A real repository, and the deliveries that GitHub would send of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.hours = 0
        self.git("init", "-q", "-b", "main")
        self.heads: dict[str, str] = {}

    def git(self, *arguments: str) -> str:
        self.hours += arguments[0] in ("commit", "merge")
        names = ("AUTHOR", "COMMITTER")
        env = {f"GIT_{name}_{part}": value for name in names for part, value in self._who().items()}
        return subprocess.run(
            ["git", "-C", str(self.folder), *arguments],
            env={**os.environ, **env, "GIT_CONFIG_GLOBAL": os.devnull},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()

    def _who(self) -> dict[str, str]:
        return {"NAME": "Ada", "EMAIL": "ada@acme.test", "DATE": at(self.hours)}

    def commit(self, message: str) -> str:
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def described(self, commit: str) -> dict[str, Any]:
        when = self.git("show", "-s", "--format=%aI", commit)
        message = self.git("show", "-s", "--format=%B", commit)
        return github.commit(message, commit_sha=commit, at=when, modified=())

    def pushed(self, branch: str) -> Delivery:
        """A push of what the branch got since the last one."""
        head = self.git("rev-parse", branch)
        before = self.heads.get(branch)
        since = f"{before}..{head}" if before else head
        listed = self.git("rev-list", "--reverse", "--topo-order", since).split()
        self.heads[branch] = head
        return delivery(
            "push",
            github.push(
                [self.described(commit) for commit in listed],
                f"refs/heads/{branch}",
                before=before or github.NOBODY,
                pushed_at=int((START + timedelta(hours=self.hours)).timestamp()),
            ),
        )

    def of_the_api(self) -> list[Delivery]:
        lines = self.git("rev-list", "--parents", "--all").splitlines()
        return [from_the_api(self.described(line.split()[0]), *line.split()[1:]) for line in lines]

    def between(self, older: str | None, newer: str) -> set[str]:
        return set(self.git("rev-list", newer, *([f"^{older}"] if older else [])).split())


def branchy(folder: Path, seed: int) -> tuple[GitRepository, list[Delivery], list[str]]:
    """A history with merges of branches that began before earlier releases, its pushes and its tags."""
    repository, random = GitRepository(folder), Random(seed)
    repository.commit("Begin")
    deliveries = [repository.pushed("main")]
    features: list[str] = []
    versions: list[str] = []
    for number in range(60):
        chance = random.random()
        if chance < 0.25 or not features:
            features.append(f"feature-{number}")
            repository.git("checkout", "-q", "-b", features[-1], "main")
            repository.commit(f"Begin feature {number}")
        elif chance < 0.45:
            repository.git("checkout", "-q", random.choice(features))
            if random.random() < 0.3:
                repository.git("merge", "-q", "--no-ff", "-m", f"Catch up {number}", "main")
            repository.commit(f"Go on {number}")
        elif chance < 0.65:
            feature = features.pop(random.randrange(len(features)))
            repository.git("checkout", "-q", "main")
            repository.git("merge", "-q", "--no-ff", "-m", f"Merge {feature}", feature)
            deliveries.append(repository.pushed("main"))
        elif chance < 0.85:
            repository.git("checkout", "-q", "main")
            for part in range(random.choice((1, 1, 3))):
                repository.commit(f"Change {number}.{part}")
            deliveries.append(repository.pushed("main"))
        else:
            version = f"v1.{len(versions)}.0"
            versions.append(version)
            repository.git("tag", version, "main")
            head = repository.git("rev-parse", "main")
            repository.hours += 1
            deliveries += [
                tag(version, head, repository.hours),
                published(version, repository.hours),
            ]
    return repository, deliveries, versions


@pytest.mark.skipif(shutil.which("git") is None, reason="git counts the commits")
@pytest.mark.parametrize("known_by", ["pushes", "api", "both"])
@pytest.mark.parametrize("seed", [1, 5])
def test_releases_have_the_commits_that_git_counts(
    conn: Connection, tmp_path: Path, seed: int, known_by: str
) -> None:
    repository, deliveries, versions = branchy(tmp_path, seed)
    workspace_with(conn)
    if known_by != "pushes":
        deliveries += repository.of_the_api()
    if known_by == "api":
        deliveries = [each for each in deliveries if not each.delivery_id.startswith("push-")]
        deliveries += [
            tag(version, repository.git("rev-parse", version), hours)
            for hours, version in enumerate(versions)
        ]
    Random(seed).shuffle(deliveries)
    receive(conn, deliveries)
    capture_all(conn)
    assert len(versions) > 2
    for older, newer in zip([None, *versions[:-1]], versions, strict=True):
        found, how = commits_of(conn, newer)
        # Of the first push of a branch nobody says what came before.
        if older is None and known_by == "pushes":
            continue
        assert found == repository.between(older, newer)
        assert how <= {"parents"}


def test_where_parents_are_not_known_the_window_between_the_tags_counts(
    conn: Connection,
) -> None:
    """The branch's commits of that time, with a pull request's whenever they were written."""
    workspace_with(conn)
    one = github.commit("Start", at=at(1))
    early = github.commit("Written before the first tag", at=at(2))
    two = github.commit("Direct", at=at(6))
    merge = github.commit("Merge pull request #7 from ada/early", at=at(8))
    three = github.commit("After the second tag", at=at(12))
    opened = github.pull_request("opened", 7, created_at=at(2))
    merged = github.pull_request(
        "closed", 7, merged=True, merge_sha=merge["id"], at=at(8), created_at=at(2)
    )
    receive(
        conn,
        [
            delivery("push", github.push([one], before=github.sha("elsewhere"))),
            tag("v1.0.0", one["id"], 4),
            published("v1.0.0", 4),
            delivery("push", github.push([two], before=github.sha("lost"))),
            delivery("pull_request", opened),
            delivery("pull_request", merged),
            delivery("push", github.push([early, merge], before=github.sha("also lost"))),
            tag("v1.1.0", merge["id"], 10),
            published("v1.1.0", 10),
            delivery("push", github.push([three], before=github.sha("lost again"))),
        ],
    )
    capture_all(conn)
    assert commits_of(conn, "v1.1.0") == ({two["id"], early["id"], merge["id"]}, {"window"})
    assert commits_of(conn, "v1.0.0") == ({one["id"]}, {"window"})


def _previous(conn: Connection) -> dict[str, str | None]:
    found = rows(conn, "SELECT version, previous_version FROM lightfast.releases ORDER BY version")
    return dict(found)


def test_each_line_of_versions_has_its_own_order(conn: Connection) -> None:
    workspace_with(conn)
    order = ["v1.9.0", "v2.0.0", "v1.9.1", "v2.1.0", "v1.10.0"]
    receive(conn, [published(name, hours) for hours, name in enumerate(order)])
    capture_all(conn)
    assert _previous(conn) == {
        "v1.9.0": None,
        "v2.0.0": "v1.9.0",
        "v1.9.1": "v1.9.0",
        "v2.1.0": "v2.0.0",
        "v1.10.0": "v1.9.1",
    }


def test_a_release_follows_no_prerelease_but_a_prerelease_does(conn: Connection) -> None:
    workspace_with(conn)
    receive(
        conn,
        [
            published("1.0.0", 1),
            published("1.1.0rc1", 2, prerelease=True),
            published("1.1.0rc2", 3, prerelease=True),
            published("1.1.0", 4),
            delivery("release", github.release("created", "1.2.0", draft=True, published_at=None)),
        ],
    )
    capture_all(conn)
    assert _previous(conn) == {
        "1.0.0": None,
        "1.1.0rc1": "1.0.0",
        "1.1.0rc2": "1.1.0rc1",
        "1.1.0": "1.0.0",
        "1.2.0": "1.1.0",
    }


def test_packages_and_repositories_are_released_apart(conn: Connection) -> None:
    workspace_with(conn, "shop", 1, 10)
    receive(
        conn,
        [
            published("web@1.0.0", 1),
            published("api@2.0.0", 2),
            published("web@1.1.0", 3),
            published("web@1.0.5", 2, repo_id=10),
        ],
    )
    capture_all(conn)
    found = rows(conn, "SELECT key, previous FROM lightfast.releases")
    assert {key: previous for key, previous in found if previous} == {
        "github:release:1:web@1.1.0": "github:release:1:web@1.0.0"
    }


def test_a_moved_tag_counts_where_it_is_now(conn: Connection) -> None:
    workspace_with(conn)
    one, two, three = (github.commit(f"Change {n}", at=at(n)) for n in (1, 2, 3))
    receive(
        conn,
        [
            from_the_api(one),
            from_the_api(two, one["id"]),
            from_the_api(three, two["id"]),
            tag("v1", two["id"], 4),
            published("v1", 4),
            tag("v1", three["id"], 5, before=two["id"]),
        ],
    )
    capture_all(conn)
    assert commits_of(conn, "v1")[0] == {one["id"], two["id"], three["id"]}
    assert rows(conn, 'SELECT "commit", commit_count FROM lightfast.releases') == [(three["id"], 3)]


def test_a_release_of_an_older_line_has_the_window_of_its_own_branch(conn: Connection) -> None:
    workspace = workspace_with(conn)
    integration = find_integration(conn, workspace, "github", "1")
    set_sync_config(conn, integration, {"branches": ["main", "1.x"]})
    conn.commit()
    new, fix = github.commit("New", at=at(5)), github.commit("Fix", at=at(6))
    receive(
        conn,
        [
            published("v1.0.0", 1),
            published("v2.0.0", 2),
            delivery("push", github.push([new], before=github.sha("a"))),
            delivery("push", github.push([fix], "refs/heads/1.x", before=github.sha("b"))),
            tag("v1.0.1", fix["id"], 7),
            # GitHub names the default branch if the tag exists already.
            published("v1.0.1", 7, target="main"),
        ],
    )
    capture_all(conn)
    assert commits_of(conn, "v1.0.1") == ({fix["id"]}, {"window"})


def test_a_deleted_release_is_no_release_and_none_before_another(conn: Connection) -> None:
    workspace_with(conn)
    receive(conn, [published("v1", 1), published("v2", 2), published("v3", 3)])
    gone = github.release("deleted", "v2", published_at=at(2), created_at=at(2), updated_at=at(4))
    receive(conn, [delivery("release", gone)])
    capture_all(conn)
    assert _previous(conn) == {"v1": None, "v3": "v1"}


def test_a_tag_in_the_middle_of_a_push_has_what_the_push_lists_before_it(
    conn: Connection,
) -> None:
    workspace_with(conn)
    first, second, third, fourth = (github.commit(f"Change {n}", at=at(n)) for n in range(1, 5))
    begin = github.commit("Begin", at=at(0))
    receive(
        conn,
        [
            from_the_api(begin),
            delivery("push", github.push([first, second, third], before=begin["id"])),
            tag("v1", second["id"], 5),
            published("v1", 5),
            delivery("push", github.push([fourth], before=third["id"])),
            tag("v2", fourth["id"], 6),
            published("v2", 6),
        ],
    )
    capture_all(conn)
    assert commits_of(conn, "v1") == ({begin["id"], first["id"], second["id"]}, {"parents"})
    assert commits_of(conn, "v2") == ({third["id"], fourth["id"]}, {"parents"})


def test_tags_of_any_letters_and_digits_leave_the_view_readable(conn: Connection) -> None:
    """One name that cannot be read as a number would make every query of the view fail."""
    workspace_with(conn)
    names = ["nightly", "v", "v1.٢", "v²", "1..2", "9" * 60, "2024-05-01", "a/b#1", "v1.2.3.4.5"]
    receive(conn, [published(name, hours) for hours, name in enumerate(names)])
    capture_all(conn)
    assert _previous(conn).keys() == set(names)
