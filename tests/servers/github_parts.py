"""The parts of nearly all of GitHub's items: people, the repository, labels, milestones."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

import msgspec

from tests.servers.github_records import sha
from tests.servers.github_world import World

Json = dict[str, Any]
API = "https://api.github.com"
SITE = "https://github.com"
_BORN = "2020-01-01T00:00:00Z"
COLORS = {"bug": "d73a4a", "docs": "0075ca", "feature": "a2eeef"}
_USER = (
    *("followers", "following{/other_user}", "gists{/gist_id}", "starred{/owner}{/repo}"),
    *("subscriptions", "orgs", "repos", "events{/privacy}", "received_events"),
)
_USER_NAMES = {"orgs": "organizations"}
_REPOSITORY = (
    *("forks", "keys{/key_id}", "collaborators{/collaborator}", "teams", "hooks"),
    *("issues/events{/number}", "events", "assignees{/user}", "branches{/branch}", "tags"),
    *("git/blobs{/sha}", "git/tags{/sha}", "git/refs{/sha}", "git/trees{/sha}", "statuses/{sha}"),
    *("languages", "stargazers", "contributors", "subscribers", "subscription"),
    *("commits{/sha}", "git/commits{/sha}", "comments{/number}", "issues/comments{/number}"),
    *("contents/{+path}", "compare/{base}...{head}", "merges", "{archive_format}{/ref}"),
    *("downloads", "issues{/number}", "pulls{/number}", "milestones{/number}"),
    *("notifications{?since,all,participating}", "labels{/name}", "releases{/id}", "deployments"),
)
_REPOSITORY_NAMES = {
    "issues/events": "issue_events",
    "issues/comments": "issue_comment",
    "git/blobs": "blobs",
    "git/tags": "git_tags",
    "git/refs": "git_refs",
    "git/trees": "trees",
    "git/commits": "git_commits",
    "{archive_format}": "archive",
}


def iso(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def node_id(kind: str, number: int | str) -> str:
    """An opaque id, as GitHub's are; `kind` is its prefix."""
    return f"{kind}_{base64.urlsafe_b64encode(str(number).encode()).decode().rstrip('=')}"


class Parts:
    """With `raw`, people and the repository are encoded JSON, for encoding thousands of them."""

    def __init__(self, world: World, *, raw: bool = False) -> None:
        self.world, self._raw = world, raw
        self._users: dict[str, Any] = {}
        self._repository: Any = None
        self.api = f"{API}/repos/{world.full_name}"
        self.site = f"{SITE}/{world.full_name}"

    def user(self, login: str | None) -> Any:
        if login is None:
            return None
        if login not in self._users:
            self._users[login] = self._made(self._user(login))
        return self._users[login]

    def repository(self) -> Any:
        if self._repository is None:
            self._repository = self._made(self.plain_repository())
        return self._repository

    def _made(self, item: Json) -> Any:
        return msgspec.Raw(msgspec.json.encode(item)) if self._raw else item

    def _user(self, login: str) -> Json:
        person = self.world.person(login)
        url = f"{API}/users/{login.replace('[', '%5B').replace(']', '%5D')}"
        return {
            "login": login,
            "id": person.id,
            "node_id": node_id("U", person.id),
            "avatar_url": f"https://avatars.githubusercontent.com/u/{person.id}?v=4",
            "gravatar_id": "",
            "url": url,
            "html_url": f"{SITE}/{login}",
            **{
                f"{_USER_NAMES.get(tail.partition('{')[0], tail.partition('{')[0])}_url": (
                    f"{url}/{tail}"
                )
                for tail in _USER
            },
            "type": person.kind,
            "site_admin": False,
        }

    def plain_repository(self) -> Json:
        world = self.world
        owner = world.person(world.owner)
        heads = {tail: tail.rpartition("{")[0] or tail for tail in _REPOSITORY}
        found: Json = {
            "id": world.id,
            "node_id": node_id("R", world.id),
            "name": world.name,
            "full_name": world.full_name,
            "private": False,
            "owner": {**self._user(world.owner), "type": "Organization"},
            "html_url": self.site,
            "description": None,
            "fork": False,
            "url": self.api,
        }
        for tail in heads:
            word = tail if tail.startswith("{arch") else tail.partition("{")[0].rstrip("/")
            word = "{archive_format}" if word.startswith("{arch") else word
            found[f"{_REPOSITORY_NAMES.get(word, word)}_url"] = f"{self.api}/{tail}"
        latest = max((commit.landed_at for commit in world.commits), default=None)
        return found | {
            "created_at": _BORN,
            "updated_at": iso(latest) or _BORN,
            "pushed_at": iso(latest) or _BORN,
            "git_url": f"git://github.com/{world.full_name}.git",
            "ssh_url": f"git@github.com:{world.full_name}.git",
            "clone_url": f"{self.site}.git",
            "svn_url": self.site,
            "homepage": None,
            "size": 108,
            "stargazers_count": 80,
            "watchers_count": 80,
            "language": "Python",
            "has_issues": True,
            "has_projects": True,
            "has_downloads": True,
            "has_wiki": True,
            "has_pages": False,
            "has_discussions": True,
            "forks_count": 9,
            "mirror_url": None,
            "archived": False,
            "disabled": False,
            "open_issues_count": 0,
            "license": None,
            "allow_forking": True,
            "is_template": False,
            "web_commit_signoff_required": False,
            "topics": [],
            "visibility": "public",
            "forks": 9,
            "open_issues": 0,
            "watchers": 80,
            "default_branch": world.default_branch,
            "custom_properties": {"owner": owner.login},
        }

    def role(self, login: str) -> str:
        return "CONTRIBUTOR" if self.world.person(login).kind == "Bot" else "MEMBER"

    def label(self, name: str) -> Json:
        number = int(sha(self.world.id, name)[:7], 16)
        return {
            "id": number,
            "node_id": node_id("LA", number),
            "url": f"{self.api}/labels/{name}",
            "name": name,
            "color": COLORS.get(name, "cccccc"),
            "default": name == "bug",
            "description": None,
        }

    def milestone(self, number: str | None) -> Json | None:
        if number is None:
            return None
        url = f"{self.api}/milestones/{number}"
        return {
            "url": url,
            "html_url": f"{self.site}/milestone/{number}",
            "labels_url": f"{url}/labels",
            "id": 1_000_000 + int(number),
            "node_id": node_id("MI", number),
            "number": int(number),
            "title": f"Milestone {number}",
            "description": None,
            "creator": self.user(self.world.owner),
            "open_issues": 1,
            "closed_issues": 2,
            "state": "open",
            "created_at": _BORN,
            "updated_at": _BORN,
            "due_on": None,
            "closed_at": None,
        }

    def reactions(self, url: str) -> Json:
        names = ("+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes")
        return {"url": f"{url}/reactions", "total_count": 0, **dict.fromkeys(names, 0)}
