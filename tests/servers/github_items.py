"""How the things of a world look on GitHub's wire, now or as they were at a moment.

Plain dicts; `Parts` makes what stands in nearly all of them, once: people and the repository.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

from tests.servers.github_world import (
    Change,
    Comment,
    Commit,
    Deployment,
    DeploymentStatus,
    Issue,
    PullRequest,
    Release,
    Review,
    WorkflowRun,
    World,
    sha,
)

Json = dict[str, Any]
API = "https://api.github.com"
SITE = "https://github.com"
_BORN = "2020-01-01T00:00:00Z"
_COLORS = {"bug": "d73a4a", "docs": "0075ca", "feature": "a2eeef"}
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
    """Opaque, as GitHub's are; `kind` is its prefix."""
    return f"{kind}_{base64.urlsafe_b64encode(str(number).encode()).decode().rstrip('=')}"


@dataclass(slots=True)
class State:
    """What has become of an issue or pull request by some moment."""

    title: str
    updated_at: datetime
    draft: bool = False
    labels: list[str] = field(default_factory=list)
    assignees: list[str] = field(default_factory=list)
    reviewers: list[str] = field(default_factory=list)
    milestone: str | None = None
    lock: str | None = None
    locked: bool = False
    closed: Change | None = None
    merged: Change | None = None
    reason: str | None = None


def state_of(thing: Issue, at: datetime | None = None, touched: datetime | None = None) -> State:
    """`touched`: when somebody last wrote on it, which changes it as well."""
    state = State(thing.title, max(thing.created_at, touched or thing.created_at))
    state.draft = isinstance(thing, PullRequest) and thing.draft
    for change in thing.changes:
        if at is not None and change.at > at:
            break
        state.updated_at = max(state.updated_at, change.at)
        _apply(state, change)
    return state


def _apply(state: State, change: Change) -> None:
    value = change.value or ""
    match change.event:
        case "renamed":
            state.title = value
        case "labeled":
            state.labels = [*(one for one in state.labels if one != value), value]
        case "unlabeled":
            state.labels = [one for one in state.labels if one != value]
        case "assigned":
            state.assignees = [*(one for one in state.assignees if one != value), value]
        case "unassigned":
            state.assignees = [one for one in state.assignees if one != value]
        case "review_requested":
            state.reviewers = [*(one for one in state.reviewers if one != value), value]
        case "review_request_removed":
            state.reviewers = [one for one in state.reviewers if one != value]
        case "milestoned" | "demilestoned":
            state.milestone = value if change.event == "milestoned" else None
        case "ready_for_review" | "convert_to_draft":
            state.draft = change.event == "convert_to_draft"
        case "locked" | "unlocked":
            state.locked = change.event == "locked"
            state.lock = change.value if state.locked else None
        case "merged":
            state.merged = change
        case "closed":
            state.closed, state.reason = change, change.value or "completed"
        case "reopened":
            state.closed, state.reason = None, "reopened"


class Parts:
    """`raw`: people and the repository as encoded JSON, for those who encode thousands of them."""

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
        latest = max((one.landed_at for one in world.commits), default=None)
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
            "color": _COLORS.get(name, "cccccc"),
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

    def issue(self, thing: Issue, state: State, comments: int = 0) -> Json:
        """As the lists of issues have it; pull requests as well."""
        url, is_pull = f"{self.api}/issues/{thing.number}", isinstance(thing, PullRequest)
        page = f"{self.site}/{'pull' if is_pull else 'issues'}/{thing.number}"
        found: Json = {
            "url": url,
            "repository_url": self.api,
            "labels_url": f"{url}/labels{{/name}}",
            "comments_url": f"{url}/comments",
            "events_url": f"{url}/events",
            "html_url": page,
            "id": thing.id + 5_000_000 if is_pull else thing.id,
            "node_id": node_id("PR" if is_pull else "I", thing.id),
            "number": thing.number,
            "title": state.title,
            "user": self.user(thing.author),
            "labels": [self.label(name) for name in state.labels],
            "state": "closed" if state.closed else "open",
            "locked": state.locked,
            "assignee": self.user(state.assignees[0]) if state.assignees else None,
            "assignees": [self.user(login) for login in state.assignees],
            "milestone": self.milestone(state.milestone),
            "comments": comments,
            "created_at": iso(thing.created_at),
            "updated_at": iso(state.updated_at),
            "closed_at": iso(state.closed.at) if state.closed else None,
            "author_association": self.role(thing.author),
            "active_lock_reason": state.lock,
            "body": thing.body,
            "reactions": self.reactions(url),
            "timeline_url": f"{url}/timeline",
            "performed_via_github_app": None,
            "state_reason": None if is_pull else state.reason,
        }
        if is_pull:
            found["draft"] = state.draft
            found["pull_request"] = {
                "url": f"{self.api}/pulls/{thing.number}",
                "html_url": page,
                "diff_url": f"{page}.diff",
                "patch_url": f"{page}.patch",
                "merged_at": iso(state.merged.at) if state.merged else None,
            }
        else:
            found |= {"type": None, "sub_issues_summary": {"total": 0, "completed": 0}}
        return found

    def pull(self, pull: PullRequest, state: State) -> Json:
        """As the list of pull requests has it."""
        url, issue = f"{self.api}/pulls/{pull.number}", f"{self.api}/issues/{pull.number}"
        page = f"{self.site}/pull/{pull.number}"
        statuses = f"{self.api}/statuses/{pull.head_sha}"
        links = {"self": url, "html": page, "issue": issue, "comments": f"{issue}/comments"}
        links |= {"review_comments": f"{url}/comments"}
        links |= {"review_comment": f"{self.api}/pulls/comments{{/number}}"}
        links |= {"commits": f"{url}/commits", "statuses": statuses}
        # On open ones the commit of GitHub's trial merge; of one that was closed unmerged the last.
        merge = pull.merge_commit if state.merged else sha("trial", self.world.id, pull.number)
        return {
            "url": url,
            "id": pull.id,
            "node_id": node_id("PR", pull.id),
            "html_url": page,
            "diff_url": f"{page}.diff",
            "patch_url": f"{page}.patch",
            "issue_url": issue,
            "number": pull.number,
            "state": "closed" if state.closed else "open",
            "locked": state.locked,
            "title": state.title,
            "user": self.user(pull.author),
            "body": pull.body,
            "created_at": iso(pull.created_at),
            "updated_at": iso(state.updated_at),
            "closed_at": iso(state.closed.at) if state.closed else None,
            "merged_at": iso(state.merged.at) if state.merged else None,
            "merge_commit_sha": merge,
            "assignee": self.user(state.assignees[0]) if state.assignees else None,
            "assignees": [self.user(login) for login in state.assignees],
            "requested_reviewers": [self.user(login) for login in state.reviewers],
            "requested_teams": [],
            "labels": [self.label(name) for name in state.labels],
            "milestone": self.milestone(state.milestone),
            "draft": state.draft,
            "commits_url": f"{url}/commits",
            "review_comments_url": f"{url}/comments",
            "review_comment_url": links["review_comment"],
            "comments_url": links["comments"],
            "statuses_url": statuses,
            "head": self._side(pull.head, pull.head_sha),
            "base": self._side(pull.base, pull.base_sha),
            "_links": {name: {"href": address} for name, address in links.items()},
            "author_association": self.role(pull.author),
            "auto_merge": None,
            "active_lock_reason": state.lock,
        }

    def _side(self, ref: str, identity: str) -> Json:
        return {
            "label": f"{self.world.owner}:{ref}",
            "ref": ref,
            "sha": identity,
            "user": self.user(self.world.owner),
            "repo": self.repository(),
        }

    def event(self, change: Change, issue: Any) -> Json:
        """One of the issue events, with the issue as it is now."""
        commit = change.value if change.event == "merged" else None
        found: Json = {
            "id": change.id,
            "node_id": node_id("EV", change.id),
            "url": f"{self.api}/issues/events/{change.id}",
            "actor": self.user(change.by),
            "event": change.event,
            "commit_id": commit,
            "commit_url": f"{self.api}/commits/{commit}" if commit else None,
            "created_at": iso(change.at),
        }
        value = change.value or ""
        match change.event:
            case "labeled" | "unlabeled":
                found["label"] = {"name": value, "color": _COLORS.get(value, "cccccc")}
            case "assigned" | "unassigned":
                found |= {"assignee": self.user(value), "assigner": self.user(change.by)}
            case "milestoned" | "demilestoned":
                found["milestone"] = {"title": f"Milestone {value}"}
            case "renamed":
                found["rename"] = {"from": change.was, "to": value}
            case "review_requested" | "review_request_removed":
                found["review_requester"] = self.user(change.by)
                found["requested_reviewer"] = self.user(value)
            case "review_dismissed":
                found["dismissed_review"] = {
                    "state": "dismissed",
                    "review_id": int(value),
                    "dismissal_message": "Out of date.",
                }
            case "locked":
                found["lock_reason"] = change.value
            case "closed":
                found["state_reason"] = change.value
        return found | {"issue": issue, "performed_via_github_app": None}

    def comment(self, one: Comment, *, of_pull: bool) -> Json:
        url = f"{self.api}/issues/comments/{one.id}"
        page = f"{self.site}/{'pull' if of_pull else 'issues'}/{one.number}"
        return {
            "url": url,
            "html_url": f"{page}#issuecomment-{one.id}",
            "issue_url": f"{self.api}/issues/{one.number}",
            "id": one.id,
            "node_id": node_id("IC", one.id),
            "user": self.user(one.author),
            "created_at": iso(one.created_at),
            "updated_at": iso(one.changed_at),
            "author_association": self.role(one.author),
            "body": one.body,
            "reactions": self.reactions(url),
            "performed_via_github_app": None,
        }

    def review_comment(self, one: Comment) -> Json:
        url, pull = f"{self.api}/pulls/comments/{one.id}", f"{self.api}/pulls/{one.number}"
        page = f"{self.site}/pull/{one.number}#discussion_r{one.id}"
        commit = sha(self.world.id, "head", one.number)
        links = {"self": url, "html": page, "pull_request": pull}
        found: Json = {
            "url": url,
            "pull_request_review_id": one.review,
            "id": one.id,
            "node_id": node_id("PRRC", one.id),
            "diff_hunk": "@@ -1,3 +1,4 @@\n+cart = []",
            "path": one.path,
            "commit_id": commit,
            "original_commit_id": commit,
            "user": self.user(one.author),
            "body": one.body,
            "created_at": iso(one.created_at),
            "updated_at": iso(one.changed_at),
            "html_url": page,
            "pull_request_url": pull,
            "author_association": self.role(one.author),
            "_links": {name: {"href": address} for name, address in links.items()},
            "reactions": self.reactions(url),
            "start_line": None,
            "original_start_line": None,
            "start_side": None,
            "line": one.line,
            "original_line": one.line,
            "side": "RIGHT",
            "original_position": 1,
            "position": 1,
            "subject_type": "line",
        }
        return found if one.parent is None else found | {"in_reply_to_id": one.parent}

    def review(self, one: Review, number: int) -> Json:
        page = f"{self.site}/pull/{number}#pullrequestreview-{one.id}"
        pull = f"{self.api}/pulls/{number}"
        return {
            "id": one.id,
            "node_id": node_id("PRR", one.id),
            "user": self.user(one.author),
            "body": one.body,
            "state": one.state,
            "html_url": page,
            "pull_request_url": pull,
            "author_association": self.role(one.author),
            "_links": {"html": {"href": page}, "pull_request": {"href": pull}},
            "submitted_at": iso(one.submitted_at),
            "commit_id": one.commit_id,
        }

    def commit(self, one: Commit, parents: Sequence[str] = ()) -> Json:
        url = f"{self.api}/commits/{one.sha}"
        git = f"{self.api}/git/commits/{one.sha}"
        tree = sha("tree", one.sha)
        return {
            "sha": one.sha,
            "node_id": node_id("C", one.sha[:12]),
            "commit": {
                "author": {"name": one.name, "email": one.email, "date": iso(one.at)},
                "committer": {**committer(one), "date": iso(one.landed_at)},
                "message": one.message,
                "tree": {"sha": tree, "url": f"{self.api}/git/trees/{tree}"},
                "url": git,
                "comment_count": 0,
                "verification": {
                    "verified": False,
                    "reason": "unsigned",
                    "signature": None,
                    "payload": None,
                    "verified_at": None,
                },
            },
            "url": url,
            "html_url": f"{self.site}/commit/{one.sha}",
            "comments_url": f"{url}/comments",
            "author": self.user(one.login),
            "committer": self.user("web-flow" if one.by_github else one.login),
            "parents": [
                {
                    "sha": parent,
                    "url": f"{self.api}/commits/{parent}",
                    "html_url": f"{self.site}/commit/{parent}",
                }
                for parent in parents
            ],
        }

    def release(self, one: Release) -> Json:
        url = f"{self.api}/releases/{one.id}"
        uploads = url.replace("api.", "uploads.", 1)
        return {
            "url": url,
            "assets_url": f"{url}/assets",
            "upload_url": f"{uploads}/assets{{?name,label}}",
            "html_url": f"{self.site}/releases/tag/{one.tag}",
            "id": one.id,
            "author": self.user(one.author),
            "node_id": node_id("RE", one.id),
            "tag_name": one.tag,
            "target_commitish": self.world.default_branch,
            "name": one.name,
            "draft": one.published_at is None,
            "immutable": False,
            "prerelease": one.prerelease,
            "created_at": iso(one.created_at),
            "updated_at": iso(one.published_at or one.created_at),
            "published_at": iso(one.published_at),
            "assets": [],
            "tarball_url": f"{self.api}/tarball/{one.tag}",
            "zipball_url": f"{self.api}/zipball/{one.tag}",
            "body": one.body,
        }

    def deployment(self, one: Deployment, at: datetime | None = None) -> Json:
        told = [each for each in one.statuses if at is None or each.created_at <= at]
        url = f"{self.api}/deployments/{one.id}"
        return {
            "url": url,
            "id": one.id,
            "node_id": node_id("DE", one.id),
            "task": "deploy",
            "original_environment": one.environment,
            "environment": one.environment,
            "description": None,
            "created_at": iso(one.created_at),
            "updated_at": iso(told[-1].created_at if told else one.created_at),
            "statuses_url": f"{url}/statuses",
            "repository_url": self.api,
            "creator": self.user(one.creator),
            "sha": one.sha,
            "ref": one.ref,
            "payload": {},
            "transient_environment": False,
            "production_environment": one.environment == "production",
            "performed_via_github_app": None,
        }

    def deployment_status(self, one: DeploymentStatus, of: Deployment) -> Json:
        deployment = f"{self.api}/deployments/{of.id}"
        target = f"https://{of.environment}.{self.world.owner}.test"
        return {
            "url": f"{deployment}/statuses/{one.id}",
            "id": one.id,
            "node_id": node_id("DES", one.id),
            "state": one.state,
            "creator": self.user(one.creator),
            "description": "",
            "environment": of.environment,
            "target_url": target,
            "created_at": iso(one.created_at),
            "updated_at": iso(one.created_at),
            "deployment_url": deployment,
            "repository_url": self.api,
            "environment_url": target,
            "log_url": target,
            "performed_via_github_app": None,
        }

    def run(self, one: WorkflowRun) -> Json:
        url = f"{self.api}/actions/runs/{one.id}"
        suite, workflow = one.id + 1_000_000, 159_038
        tails = ("jobs", "logs", "artifacts", "cancel", "rerun")
        person = self.world.person(one.actor)
        author = {"name": person.name, "email": person.email}
        return {
            "id": one.id,
            "name": "CI",
            "node_id": node_id("WFR", one.id),
            "head_branch": one.branch,
            "head_sha": one.sha,
            "path": ".github/workflows/ci.yml",
            "display_title": one.title,
            "run_number": one.number,
            "event": one.event,
            "status": one.status,
            "conclusion": one.conclusion,
            "workflow_id": workflow,
            "check_suite_id": suite,
            "check_suite_node_id": node_id("CS", suite),
            "url": url,
            "html_url": f"{self.site}/actions/runs/{one.id}",
            "pull_requests": [],
            "created_at": iso(one.created_at),
            "updated_at": iso(one.updated_at),
            "actor": self.user(one.actor),
            "run_attempt": one.attempt,
            "referenced_workflows": [],
            "run_started_at": iso(one.created_at),
            "triggering_actor": self.user(one.actor),
            **{f"{tail}_url": f"{url}/{tail}" for tail in tails},
            "check_suite_url": f"{self.api}/check-suites/{suite}",
            "previous_attempt_url": None,
            "workflow_url": f"{self.api}/actions/workflows/{workflow}",
            "head_commit": {
                "id": one.sha,
                "tree_id": sha("tree", one.sha),
                "message": one.title,
                "timestamp": iso(one.created_at),
                "author": author,
                "committer": author,
            },
            "repository": self.repository(),
            "head_repository": self.repository(),
        }


def committer(one: Commit) -> Json:
    """Who committed it: the person, or GitHub where one of its buttons did."""
    if one.by_github:
        return {"name": "GitHub", "email": "noreply@github.com"}
    return {"name": one.name, "email": one.email}
