"""The records of a world as GitHub's REST API encodes them, now or at a moment. Plain dicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.servers.github_deployment_items import DeploymentItems
from tests.servers.github_parts import COLORS, Json, iso, node_id
from tests.servers.github_records import (
    Change,
    Comment,
    Commit,
    Issue,
    PullRequest,
    Release,
    Review,
    sha,
)
from tests.servers.github_state import State


class Items(DeploymentItems):
    """Every kind of item, as its list has it."""

    def issue(self, thing: Issue, state: State, comments: int = 0) -> Json:
        """As the list of issues has it; pull requests as well."""
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
        # On an open one the commit of GitHub's trial merge; on one that was closed unmerged the last of them.
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
                found["label"] = {"name": value, "color": COLORS.get(value, "cccccc")}
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

    def comment(self, comment: Comment, *, of_pull: bool) -> Json:
        url = f"{self.api}/issues/comments/{comment.id}"
        page = f"{self.site}/{'pull' if of_pull else 'issues'}/{comment.number}"
        return {
            "url": url,
            "html_url": f"{page}#issuecomment-{comment.id}",
            "issue_url": f"{self.api}/issues/{comment.number}",
            "id": comment.id,
            "node_id": node_id("IC", comment.id),
            "user": self.user(comment.author),
            "created_at": iso(comment.created_at),
            "updated_at": iso(comment.changed_at),
            "author_association": self.role(comment.author),
            "body": comment.body,
            "reactions": self.reactions(url),
            "performed_via_github_app": None,
        }

    def review_comment(self, comment: Comment) -> Json:
        url, pull = f"{self.api}/pulls/comments/{comment.id}", f"{self.api}/pulls/{comment.number}"
        page = f"{self.site}/pull/{comment.number}#discussion_r{comment.id}"
        commit = sha(self.world.id, "head", comment.number)
        links = {"self": url, "html": page, "pull_request": pull}
        found: Json = {
            "url": url,
            "pull_request_review_id": comment.review,
            "id": comment.id,
            "node_id": node_id("PRRC", comment.id),
            "diff_hunk": "@@ -1,3 +1,4 @@\n+cart = []",
            "path": comment.path,
            "commit_id": commit,
            "original_commit_id": commit,
            "user": self.user(comment.author),
            "body": comment.body,
            "created_at": iso(comment.created_at),
            "updated_at": iso(comment.changed_at),
            "html_url": page,
            "pull_request_url": pull,
            "author_association": self.role(comment.author),
            "_links": {name: {"href": address} for name, address in links.items()},
            "reactions": self.reactions(url),
            "start_line": None,
            "original_start_line": None,
            "start_side": None,
            "line": comment.line,
            "original_line": comment.line,
            "side": "RIGHT",
            "original_position": 1,
            "position": 1,
            "subject_type": "line",
        }
        return found if comment.parent is None else found | {"in_reply_to_id": comment.parent}

    def review(self, review: Review, number: int) -> Json:
        page = f"{self.site}/pull/{number}#pullrequestreview-{review.id}"
        pull = f"{self.api}/pulls/{number}"
        return {
            "id": review.id,
            "node_id": node_id("PRR", review.id),
            "user": self.user(review.author),
            "body": review.body,
            "state": review.state,
            "html_url": page,
            "pull_request_url": pull,
            "author_association": self.role(review.author),
            "_links": {"html": {"href": page}, "pull_request": {"href": pull}},
            "submitted_at": iso(review.submitted_at),
            "commit_id": review.commit_id,
        }

    def commit(self, commit: Commit, parents: Sequence[str] = ()) -> Json:
        url = f"{self.api}/commits/{commit.sha}"
        git = f"{self.api}/git/commits/{commit.sha}"
        tree = sha("tree", commit.sha)
        return {
            "sha": commit.sha,
            "node_id": node_id("C", commit.sha[:12]),
            "commit": {
                "author": {"name": commit.name, "email": commit.email, "date": iso(commit.at)},
                "committer": {**committer(commit), "date": iso(commit.landed_at)},
                "message": commit.message,
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
            "html_url": f"{self.site}/commit/{commit.sha}",
            "comments_url": f"{url}/comments",
            "author": self.user(commit.login),
            "committer": self.user("web-flow" if commit.by_github else commit.login),
            "parents": [
                {
                    "sha": parent,
                    "url": f"{self.api}/commits/{parent}",
                    "html_url": f"{self.site}/commit/{parent}",
                }
                for parent in parents
            ],
        }

    def release(self, release: Release) -> Json:
        url = f"{self.api}/releases/{release.id}"
        uploads = url.replace("api.", "uploads.", 1)
        return {
            "url": url,
            "assets_url": f"{url}/assets",
            "upload_url": f"{uploads}/assets{{?name,label}}",
            "html_url": f"{self.site}/releases/tag/{release.tag}",
            "id": release.id,
            "author": self.user(release.author),
            "node_id": node_id("RE", release.id),
            "tag_name": release.tag,
            "target_commitish": self.world.default_branch,
            "name": release.name,
            "draft": release.published_at is None,
            "immutable": False,
            "prerelease": release.prerelease,
            "created_at": iso(release.created_at),
            "updated_at": iso(release.published_at or release.created_at),
            "published_at": iso(release.published_at),
            "assets": [],
            "tarball_url": f"{self.api}/tarball/{release.tag}",
            "zipball_url": f"{self.api}/zipball/{release.tag}",
            "body": release.body,
        }


def committer(commit: Commit) -> Json:
    """The committer: the person, or GitHub where one of its buttons committed."""
    if commit.by_github:
        return {"name": "GitHub", "email": "noreply@github.com"}
    return {"name": commit.name, "email": commit.email}
