"""The webhooks that GitHub would have sent for a world, each with the state of its moment."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial

from tests.servers.github_discussion_objects import comment_object, discussion_object
from tests.servers.github_items import Items, committer
from tests.servers.github_parts import Json, iso, node_id
from tests.servers.github_records import (
    Change,
    Comment,
    Commit,
    Deployment,
    Discussion,
    Issue,
    PullRequest,
    Release,
    Review,
    WorkflowRun,
    sha,
)
from tests.servers.github_state import State, state_of
from tests.servers.github_world import World

Sent = tuple[str, Json, str, datetime]
_NOBODY = "0" * 40
# Issue event -> action of the webhook, where the names differ.
_ACTIONS = {"renamed": "edited", "convert_to_draft": "converted_to_draft", "merged": "closed"}
# Issue events for which GitHub sends no webhook of their own.
_SILENT = frozenset({"subscribed", "mentioned", "referenced", "review_dismissed"})


def webhooks(world: World) -> Iterator[Sent]:
    """(event, payload, delivery id, moment) of each webhook, in the order of time."""
    world.number_events()
    made = _Making(world)
    order: list[tuple[datetime, int, Callable[[], Sent]]] = []
    for facts in (
        made.things(),
        made.comments(),
        made.reviews(),
        made.pushes(),
        made.releases(),
        made.discussions(),
        made.deployments(),
        made.runs(),
    ):
        order += [(at, len(order) + n, make) for n, (at, make) in enumerate(facts)]
    for _, _, make in sorted(order, key=lambda entry: entry[:2]):
        yield make()


def delivery_id(*what: object) -> str:
    """GitHub's ids are random; these are the same for the same fact."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(map(str, what))))


Facts = Iterator[tuple[datetime, Callable[[], Sent]]]


class _Making:
    """Each method yields when something happened and the function that makes its webhook."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.items = Items(world)
        self._repository = self.items.plain_repository()
        self.by_number = {thing.number: thing for thing in world.things()}

    def things(self) -> Facts:
        for thing in self.by_number.values():
            yield thing.created_at, partial(self._opened, thing)
            merges = {one.at for one in thing.changes if one.event == "merged"}
            for change in thing.changes:
                if change.event in _SILENT or (change.event == "closed" and change.at in merges):
                    continue
                yield change.at, partial(self._changed, thing, change)

    def comments(self) -> Facts:
        for one in self.world.comments:
            if one.number in self.by_number:
                yield one.created_at, partial(self._commented, one)
        for one in self.world.review_comments:
            if one.number in self.by_number:
                yield one.created_at, partial(self._noted, one)

    def reviews(self) -> Facts:
        for pull in self.world.pulls:
            for review in pull.reviews:
                yield review.submitted_at, partial(self._reviewed, pull, review)

    def pushes(self) -> Facts:
        before = _NOBODY
        for one in sorted(self.world.commits, key=lambda one: one.landed_at):
            yield one.landed_at, partial(self._pushed, one, before)
            before = one.sha

    def releases(self) -> Facts:
        for release in self.world.releases:
            if release.published_at is None:
                yield release.created_at, partial(self._released, release, "created")
                continue
            for action in ("published", "prereleased" if release.prerelease else "released"):
                yield release.published_at, partial(self._released, release, action)

    def discussions(self) -> Facts:
        for discussion in self.world.discussions:
            yield (
                discussion.created_at,
                partial(self._discussed, discussion, "created", discussion.created_at),
            )
            for said in discussion.comments:
                yield said.created_at, partial(self._replied, discussion, said)
            for action, at in (
                ("answered", discussion.answered_at),
                ("closed", discussion.closed_at),
            ):
                if at is not None:
                    yield at, partial(self._discussed, discussion, action, at)

    def deployments(self) -> Facts:
        for deployment in self.world.deployments:
            yield deployment.created_at, partial(self._deployed, deployment, None)
            for n, status in enumerate(deployment.statuses):
                yield status.created_at, partial(self._deployed, deployment, n)

    def runs(self) -> Facts:
        for run in self.world.runs:
            for attempt in run.attempts():
                if attempt.status == "completed":
                    yield attempt.updated_at, partial(self._ran, attempt)

    def _sent(self, event: str, payload: Json, at: datetime, by: str | None, *what: object) -> Sent:
        """Adds the fields of every payload."""
        repository = {**self._repository, "updated_at": iso(at), "pushed_at": iso(at)}
        installation = {"id": self.world.installation, "node_id": node_id("I", "installation")}
        around: Json = {"repository": repository, "installation": installation}
        if by is not None:
            around["sender"] = self.items.user(by)
        identity = delivery_id(self.world.id, event, *what)
        return event, {**payload, **around}, identity, at

    def _state(self, thing: Issue, at: datetime) -> State:
        """The state at that moment, including changes of the same second."""
        state = state_of(thing, at)
        state.updated_at = at
        return state

    def _item(self, thing: Issue, at: datetime) -> tuple[str, str, Json]:
        """The event, field and object of an issue or pull request."""
        state = self._state(thing, at)
        if isinstance(thing, PullRequest):
            return "pull_request", "pull_request", self._pull(thing, state)
        item = self.items.issue(thing, state)
        if state.closed is None and state.reason == "completed":
            item["state_reason"] = None
        return "issues", "issue", item

    def _pull(self, pull: PullRequest, state: State) -> Json:
        """With the fields that a webhook has and the list lacks."""
        return {
            **self.items.pull(pull, state),
            "merged": state.merged is not None,
            "mergeable": None,
            "rebaseable": None,
            "mergeable_state": "unknown",
            "merged_by": self.items.user(state.merged.by) if state.merged else None,
            "comments": 0,
            "review_comments": 0,
            "maintainer_can_modify": False,
            "commits": 1,
            "additions": 10,
            "deletions": 2,
            "changed_files": 3,
        }

    def _opened(self, thing: Issue) -> Sent:
        event, field, item = self._item(thing, thing.created_at)
        payload: Json = {"action": "opened", field: item}
        if field == "pull_request":
            payload = {"action": "opened", "number": thing.number, field: item}
        return self._sent(event, payload, thing.created_at, thing.author, thing.number, "opened")

    def _changed(self, thing: Issue, change: Change) -> Sent:
        event, field, item = self._item(thing, change.at)
        payload: Json = {"action": _ACTIONS.get(change.event, change.event), field: item}
        if field == "pull_request":
            payload["number"] = thing.number
        value = change.value or ""
        match change.event:
            case "labeled" | "unlabeled":
                payload["label"] = self.items.label(value)
            case "assigned" | "unassigned":
                payload["assignee"] = self.items.user(value)
            case "milestoned" | "demilestoned":
                payload["milestone"] = self.items.milestone(value)
            case "review_requested" | "review_request_removed":
                payload["requested_reviewer"] = self.items.user(value)
            case "renamed":
                payload["changes"] = {"title": {"from": change.was}}
        return self._sent(event, payload, change.at, change.by, thing.number, change.id)

    def _commented(self, one: Comment) -> Sent:
        thing = self.by_number[one.number]
        state = self._state(thing, one.created_at)
        comment = self.items.comment(one, of_pull=isinstance(thing, PullRequest))
        comment["updated_at"] = comment["created_at"]
        payload = {"action": "created", "issue": self.items.issue(thing, state), "comment": comment}
        return self._sent("issue_comment", payload, one.created_at, one.author, one.id)

    def _noted(self, one: Comment) -> Sent:
        pull = self.by_number[one.number]
        assert isinstance(pull, PullRequest)
        shown = self.items.pull(pull, self._state(pull, one.created_at))
        comment = self.items.review_comment(one)
        comment["updated_at"] = comment["created_at"]
        payload = {"action": "created", "comment": comment, "pull_request": shown}
        event = "pull_request_review_comment"
        return self._sent(event, payload, one.created_at, one.author, one.id)

    def _reviewed(self, pull: PullRequest, one: Review) -> Sent:
        shown = self.items.pull(pull, self._state(pull, one.submitted_at))
        dismissed = [
            change
            for change in pull.changes
            if change.event == "review_dismissed" and change.value == str(one.id)
        ]
        # The world only knows that a review was dismissed, not its first state.
        state = (dismissed[0].was or "APPROVED") if dismissed else one.state
        review = {**self.items.review(one, pull.number), "state": state.lower()}
        review["body"] = one.body or None
        payload = {"action": "submitted", "review": review, "pull_request": shown}
        return self._sent("pull_request_review", payload, one.submitted_at, one.author, one.id)

    def _pushed(self, one: Commit, before: str) -> Sent:
        page = f"{self.items.site}/commit/{one.sha}"
        author: Json = {"name": one.name, "email": one.email, "date": iso(one.at)}
        doer: Json = {**committer(one), "date": iso(one.landed_at)}
        if one.login is not None:
            author["username"] = one.login
            if not one.by_github:
                doer["username"] = one.login
        if one.by_github:
            doer["username"] = "web-flow"
        commit = {
            "id": one.sha,
            "tree_id": sha("tree", one.sha),
            "distinct": True,
            "message": one.message,
            "timestamp": iso(one.at),
            "url": page,
            "author": author,
            "committer": doer,
            "added": list(one.added),
            "removed": list(one.removed),
            "modified": list(one.modified),
        }
        by = one.login or self.world.owner
        payload = {
            "ref": f"refs/heads/{self.world.default_branch}",
            "before": before,
            "after": one.sha,
            "created": before == _NOBODY,
            "deleted": False,
            "forced": False,
            "base_ref": None,
            "compare": f"{self.items.site}/compare/{before[:12]}...{one.sha[:12]}",
            "commits": [commit],
            "head_commit": commit,
            "pusher": {"name": by, "email": self.world.person(by).email},
        }
        event, whole, identity, at = self._sent("push", payload, one.landed_at, by, one.sha)
        # A push has its times in seconds since 1970.
        whole["repository"]["created_at"] = 1_577_836_800
        whole["repository"]["pushed_at"] = int(at.timestamp())
        return event, whole, identity, at

    def _released(self, release: Release, action: str) -> Sent:
        payload = {"action": action, "release": self.items.release(release)}
        at = release.published_at or release.created_at
        return self._sent("release", payload, at, release.author, release.id, action)

    def _discussed(self, discussion: Discussion, action: str, at: datetime) -> Sent:
        payload: Json = {
            "action": action,
            "discussion": discussion_object(self.items, discussion, at),
        }
        by = {"answered": discussion.answered_by, "closed": discussion.closed_by}.get(
            action, discussion.author
        )
        if action == "answered":
            said = next(
                (comment for comment in discussion.comments if comment.id == discussion.answer),
                None,
            )
            payload["answer"] = (
                comment_object(self.items, discussion, said) if said is not None else None
            )
        return self._sent("discussion", payload, at, by, discussion.id, action)

    def _replied(self, of: Discussion, comment: Comment) -> Sent:
        payload = {
            "action": "created",
            "comment": comment_object(self.items, of, comment),
            "discussion": discussion_object(self.items, of, comment.created_at),
        }
        return self._sent(
            "discussion_comment", payload, comment.created_at, comment.author, comment.id
        )

    def _deployed(self, deployment: Deployment, number: int | None) -> Sent:
        if number is None:
            item = self.items.deployment(deployment, deployment.created_at)
            payload: Json = {"deployment": item, "action": "created"}
            payload |= {"workflow": None, "workflow_run": None}
            return self._sent(
                "deployment", payload, deployment.created_at, deployment.creator, deployment.id
            )
        status = deployment.statuses[number]
        payload = {
            "action": "created",
            "deployment_status": self.items.deployment_status(status, deployment),
            "deployment": self.items.deployment(deployment, status.created_at),
            "check_run": None,
            "workflow": None,
            "workflow_run": None,
        }
        at = status.created_at
        return self._sent("deployment_status", payload, at, status.creator, status.id)

    def _ran(self, workflow_run: WorkflowRun) -> Sent:
        run = self.items.run(workflow_run)
        payload: Json = {
            "action": "completed",
            "workflow_run": run,
            "workflow": {
                "id": run["workflow_id"],
                "node_id": node_id("W", run["workflow_id"]),
                "name": run["name"],
                "path": run["path"],
                "state": "active",
                "created_at": "2020-01-01T00:00:00.000Z",
                "updated_at": "2020-01-01T00:00:00.000Z",
                "url": run["workflow_url"],
                "html_url": f"{self.items.site}/blob/main/{run['path']}",
                "badge_url": f"{self.items.site}/workflows/CI/badge.svg",
            },
        }
        return self._sent(
            "workflow_run",
            payload,
            workflow_run.updated_at,
            workflow_run.actor,
            workflow_run.id,
            workflow_run.attempt,
        )
