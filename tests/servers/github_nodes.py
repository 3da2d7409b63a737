"""The records of a world as nodes of GraphQL, and their connections."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

import graphql

from tests.servers.github_parts import SITE, iso, node_id
from tests.servers.github_records import Comment, Discussion, Issue, PullRequest, Review
from tests.servers.github_state import State, state_of
from tests.servers.github_wire import behind, cursor_at
from tests.servers.github_world import World, touched_of

Json = dict[str, Any]
Keyed = Sequence[tuple[str, Any]]
_MOST = 100


def refused(kind: str, message: str) -> graphql.GraphQLError:
    return graphql.GraphQLError(message, extensions={"type": kind})


def connection(
    name: str, rows: Keyed, make: Callable[[Any], Json] = lambda node: node
) -> Callable[..., Json]:
    """A field that pages through the rows, each with its sort key."""

    def resolve(
        info: Any,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        **_: Any,
    ) -> Json:
        if first is None and last is None:
            raise refused(
                "MISSING_PAGINATION_BOUNDARIES",
                f"You must provide a `first` or `last` value to properly paginate the `{name}` connection.",
            )
        size = first if first is not None else last or 0
        if not 0 <= size <= _MOST:
            raise refused(
                "EXCESSIVE_PAGINATION",
                f"Requesting {size} records on the `{name}` connection exceeds the `first` limit of "
                "100 records.",
            )
        keys = [key for key, _node in rows]
        begin = 0 if after is None else behind(after, keys)
        end = len(rows) if before is None else max(0, behind(before, keys) - 1)
        if begin < 0:
            raise refused(
                "INVALID_CURSOR_ARGUMENTS", f"`{after}` does not appear to be a valid cursor."
            )
        if first is not None:
            stop = min(end, begin + first)
        else:
            begin, stop = max(begin, end - size), end
        chosen = rows[begin:stop]
        made = [make(node) for _key, node in chosen]
        return {
            "nodes": made,
            "edges": [
                {"node": node, "cursor": cursor_at(key)}
                for (key, _node), node in zip(chosen, made, strict=True)
            ],
            "pageInfo": {
                "endCursor": cursor_at(chosen[-1][0]) if chosen else None,
                "startCursor": cursor_at(chosen[0][0]) if chosen else None,
                "hasNextPage": stop < len(rows),
                "hasPreviousPage": begin > 0,
            },
            "totalCount": len(rows),
        }

    return resolve


class Nodes:
    """One world's nodes, valid until it changes."""

    def __init__(self, world: World) -> None:
        world.number_events()
        self.world, self.stamp = world, world.stamp
        self.site = f"{SITE}/{world.full_name}"
        self._touched = touched_of(world)
        self._said: dict[int, list[tuple[str, Comment]]] = {}
        for one in world.comments:
            rows = self._said.setdefault(one.number, [])
            rows.append((f"{iso(one.created_at)}:{one.id:012}", one))
        self._pulls = {one.number for one in world.pulls}
        self._sorted: dict[str, Keyed] = {}

    def repository(self) -> Json:
        world = self.world
        return {
            "__typename": "Repository",
            "id": node_id("R", world.id),
            "databaseId": world.id,
            "name": world.name,
            "nameWithOwner": world.full_name,
            "url": self.site,
            "owner": {**(self.actor(world.owner) or {}), "__typename": "Organization"},
            "defaultBranchRef": {"id": node_id("REF", world.id), "name": world.default_branch},
            "hasDiscussionsEnabled": True,
            "isPrivate": False,
            "isArchived": False,
            "issue": self._one("Issue", world.issues, self.issue),
            "issues": self._many("issues", world.issues, self.issue),
            "pullRequest": self._one("PullRequest", world.pulls, self.pull),
            "pullRequests": self._many("pullRequests", world.pulls, self.pull),
            "discussion": self._one("Discussion", world.discussions, self.discussion),
            "discussions": self._many("discussions", world.discussions, self.discussion),
        }

    def _one(
        self, kind: str, things: Sequence[Any], make: Callable[[Any], Json]
    ) -> Callable[..., Json]:
        def resolve(info: Any, number: int) -> Json:
            found = next((one for one in things if one.number == number), None)
            if found is None:
                raise refused(
                    "NOT_FOUND", f"Could not resolve to a {kind} with the number of {number}."
                )
            return make(found)

        return resolve

    def _many(
        self, name: str, things: Sequence[Any], make: Callable[[Any], Json]
    ) -> Callable[..., Json]:
        def resolve(
            info: Any,
            orderBy: Json | None = None,  # noqa: N803
            states: list[str] | None = None,
            filterBy: Json | None = None,  # noqa: N803
            answered: bool | None = None,
            **page: Any,
        ) -> Json:
            order = orderBy or {"field": "CREATED_AT", "direction": "ASC"}
            asked = f"{name} {order} {states} {filterBy} {answered}"
            if asked not in self._sorted:
                chosen = [
                    one
                    for one in things
                    if self._fits(one, states, (filterBy or {}).get("since"), answered)
                ]
                self._sorted[asked] = self._ordered(chosen, order)
            return connection(name, self._sorted[asked], make)(info, **page)

        return resolve

    def _fits(
        self, one: Any, states: list[str] | None, since: str | None, answered: bool | None
    ) -> bool:
        return (
            (states is None or self._state(one) in states)
            and (since is None or self._changed_at(one) >= datetime.fromisoformat(since))
            and (answered is None or (one.answer is not None) == answered)
        )

    def _ordered(self, things: Sequence[Any], order: Json) -> Keyed:
        rows = []
        for thing in things:
            by_change = order["field"] == "UPDATED_AT"
            moment = self._changed_at(thing) if by_change else thing.created_at
            rows.append((f"{iso(moment)}:{thing.number:09}", thing))
        rows.sort(key=lambda row: row[0], reverse=order["direction"] == "DESC")
        return rows

    def _changed_at(self, one: Any) -> datetime:
        if isinstance(one, Discussion):
            return self.world.changed_at(one)
        latest = max((change.at for change in one.changes), default=one.created_at)
        found: datetime = max(one.created_at, latest, self._touched.get(one.number, one.created_at))
        return found

    def _state(self, issue: Issue) -> str:
        state = state_of(issue)
        return "MERGED" if state.merged else "CLOSED" if state.closed else "OPEN"

    def found(self, kinds: str, since: datetime | None) -> Keyed:
        """What a search finds of pull requests (`p`), issues (`i`) and discussions (`d`), newest
        change first; to be made by `any`."""
        world = self.world
        things: list[Any] = [*world.pulls] if "p" in kinds else []
        things += world.issues if "i" in kinds else []
        things += world.discussions if "d" in kinds else []
        chosen = [thing for thing in things if since is None or self._changed_at(thing) >= since]
        return self._ordered(chosen, {"field": "UPDATED_AT", "direction": "DESC"})

    def any(self, one: Any) -> Json:
        if isinstance(one, PullRequest):
            return self.pull(one)
        return self.issue(one) if isinstance(one, Issue) else self.discussion(one)

    def by_id(self, identity: str) -> Json | None:
        world = self.world
        kinds: Iterable[tuple[str, Iterable[Any], Callable[[Any], Json]]] = (
            ("I", world.issues, self.issue),
            ("PR", world.pulls, self.pull),
            ("D", world.discussions, self.discussion),
            ("IC", world.comments, self.comment),
        )
        for kind, things, make in kinds:
            for thing in things:
                if node_id(kind, thing.id) == identity:
                    return make(thing)
        for discussion in world.discussions:
            for said in discussion.comments:
                if node_id("DC", said.id) == identity:
                    return self.discussion_comment(said, discussion)
        return None

    def actor(self, login: str | None) -> Json | Any | None:
        """A bot's login has no `[bot]` here."""
        if login is None:
            return None
        person = self.world.person(login)
        name = login.removesuffix("[bot]")
        page = f"/apps/{name}" if person.kind == "Bot" else f"/{name}"
        return {
            "__typename": person.kind,
            "id": node_id("U", person.id),
            "databaseId": person.id,
            "login": name,
            "name": person.name,
            "email": person.email,
            "url": f"{SITE}{page}",
            "resourcePath": page,
            "avatarUrl": f"https://avatars.githubusercontent.com/u/{person.id}?v=4",
        }

    def _written(
        self, kind: str, author: str, body: str | None, created: datetime, changed: datetime
    ) -> Json:
        is_bot = self.world.person(author).kind == "Bot"
        return {
            "__typename": kind,
            "author": self.actor(author),
            "authorAssociation": "CONTRIBUTOR" if is_bot else "MEMBER",
            "body": body or "",
            "createdAt": iso(created),
            "updatedAt": iso(changed),
        }

    def _numbered(self, kind: str, prefix: str, issue: Issue, page: str) -> tuple[Json, State]:
        state = state_of(issue)
        said = sorted(self._said.get(issue.number, []), key=lambda row: row[0])
        return {
            **self._written(
                kind, issue.author, issue.body, issue.created_at, self._changed_at(issue)
            ),
            "id": node_id(prefix, issue.id),
            "number": issue.number,
            "databaseId": issue.id,
            "fullDatabaseId": str(issue.id),
            "title": state.title,
            "url": f"{self.site}/{page}/{issue.number}",
            "closed": state.closed is not None,
            "closedAt": iso(state.closed.at) if state.closed else None,
            "locked": state.locked,
            "state": "CLOSED" if state.closed else "OPEN",
            "comments": connection("comments", said, self.comment),
        }, state

    def issue(self, issue: Issue) -> Json:
        return self._numbered("Issue", "I", issue, "issues")[0]

    def pull(self, pull_request: PullRequest) -> Json:
        found, state = self._numbered("PullRequest", "PR", pull_request, "pull")
        reviews = [
            (f"{iso(review.submitted_at)}:{review.id:012}", review)
            for review in pull_request.reviews
        ]
        merge = pull_request.merge_commit
        return found | {
            "state": "MERGED" if state.merged else found["state"],
            "isDraft": state.draft,
            "merged": state.merged is not None,
            "mergedAt": iso(state.merged.at) if state.merged else None,
            "mergedBy": self.actor(state.merged.by) if state.merged else None,
            "mergeCommit": self._commit(merge) if state.merged and merge else None,
            "headRefName": pull_request.head,
            "headRefOid": pull_request.head_sha,
            "baseRefName": pull_request.base,
            "reviews": self._reviews(pull_request, reviews),
        }

    def _reviews(self, pull: PullRequest, rows: Keyed) -> Callable[..., Json]:
        def resolve(info: Any, states: list[str] | None = None, **page: Any) -> Json:
            chosen = [row for row in rows if states is None or row[1].state in states]
            return connection("reviews", chosen, lambda one: self.review(one, pull))(info, **page)

        return resolve

    def review(self, review: Review, pull: PullRequest) -> Json:
        page = f"{self.site}/pull/{pull.number}#pullrequestreview-{review.id}"
        at = review.submitted_at
        return self._written("PullRequestReview", review.author, review.body, at, at) | {
            "id": node_id("PRR", review.id),
            "databaseId": review.id,
            "fullDatabaseId": str(review.id),
            "state": review.state,
            "url": page,
            "submittedAt": iso(at),
            "commit": self._commit(review.commit_id) if review.commit_id else None,
            "pullRequest": lambda info: self.pull(pull),
        }

    def _commit(self, identity: str) -> Json:
        return {"__typename": "Commit", "id": node_id("C", identity[:12]), "oid": identity}

    def comment(self, comment: Comment) -> Json:
        of_pull = comment.number in self._pulls
        page = f"{self.site}/{'pull' if of_pull else 'issues'}/{comment.number}"
        return self._written(
            "IssueComment", comment.author, comment.body, comment.created_at, comment.changed_at
        ) | {
            "id": node_id("IC", comment.id),
            "databaseId": comment.id,
            "fullDatabaseId": str(comment.id),
            "url": f"{page}#issuecomment-{comment.id}",
        }

    def discussion(self, discussion: Discussion) -> Json:
        chosen = next(
            (comment for comment in discussion.comments if comment.id == discussion.answer), None
        )
        answer = self.discussion_comment(chosen, discussion) if chosen else None
        changed = self.world.changed_at(discussion)
        return self._written(
            "Discussion", discussion.author, discussion.body, discussion.created_at, changed
        ) | {
            "id": node_id("D", discussion.id),
            "number": discussion.number,
            "databaseId": discussion.id,
            "title": discussion.title,
            "url": f"{self.site}/discussions/{discussion.number}",
            "closed": discussion.closed_at is not None,
            "closedAt": iso(discussion.closed_at),
            "stateReason": discussion.reason,
            "locked": False,
            "category": {
                "id": node_id("DIC", 2),
                "name": "Q&A",
                "slug": "q-a",
                "emoji": ":pray:",
                "isAnswerable": True,
            },
            "isAnswered": answer is not None,
            "answer": answer,
            "answerChosenAt": iso(discussion.answered_at) if answer else None,
            "answerChosenBy": self.actor(discussion.answered_by) if answer else None,
            "comments": self._replies(discussion, None),
        }

    def _replies(self, discussion: Discussion, parent: int | None) -> Callable[..., Json]:
        rows = [
            (f"{iso(each.created_at)}:{each.id:012}", each)
            for each in discussion.comments
            if each.parent == parent
        ]
        name = "comments" if parent is None else "replies"
        return connection(name, rows, lambda each: self.discussion_comment(each, discussion))

    def discussion_comment(self, comment: Comment, of: Discussion) -> Json:
        url = f"{self.site}/discussions/{of.number}#discussioncomment-{comment.id}"
        parent = next((each for each in of.comments if each.id == comment.parent), None)
        return self._written(
            "DiscussionComment",
            comment.author,
            comment.body,
            comment.created_at,
            comment.changed_at,
        ) | {
            "id": node_id("DC", comment.id),
            "databaseId": comment.id,
            "url": url,
            "isAnswer": comment.id == of.answer,
            "discussion": lambda info: self.discussion(of),
            "replyTo": self.discussion_comment(parent, of) if parent else None,
            "replies": self._replies(of, comment.id),
        }
