"""Comments on discussions are listed inside their discussions, however many there are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx

from lightfast_pipelines.providers.api_contract import Credential, Cursor, LinkedResource
from lightfast_pipelines.providers.github.api import API
from lightfast_pipelines.providers.github.api.discussion_sweep import DiscussionComments
from tests.servers.github import TOKEN, GitHubServer
from tests.servers.github_records import Comment, Discussion
from tests.servers.github_world import World
from tests.servers.serving import serve
from tests.servers.walking import Asking

AT = datetime(2026, 1, 1, tzinfo=UTC)


def _talked() -> World:
    """30 discussions; one of them with 60 comments, of which one has 120 replies."""
    world = World()
    for number in range(1, 31):
        discussion = Discussion(
            500 + number, number, "Which one?", "ada", AT + timedelta(hours=number)
        )
        discussion.comments.append(Comment(1_000 + number, number, "ada", AT + timedelta(days=3)))
        world.discussions.append(discussion)
    busy = world.discussions[3]
    for number in range(60):
        busy.comments.append(Comment(2_000 + number, busy.number, "ada", AT + timedelta(days=4)))
    for number in range(120):
        reply = Comment(3_000 + number, busy.number, "ada", AT + timedelta(days=5), parent=2_030)
        busy.comments.append(reply)
    return world


def test_every_comment_and_every_reply_is_listed_once() -> None:
    world, sweep = _talked(), DiscussionComments()
    place = LinkedResource("github", str(world.id), world.full_name)
    found: list[str] = []
    cursor: Cursor | None = None
    with serve(GitHubServer(world)) as served, httpx.Client(timeout=30) as http:
        asking = Asking(API, served.url, Credential("personal", TOKEN), http)
        while True:
            listed = sweep.read(place, cursor, asking.good(sweep.call(place, cursor)))
            found += listed.keys
            cursor = listed.next
            if cursor is None:
                break
    there = [one.id for discussion in world.discussions for one in discussion.comments]
    assert sorted(found) == sorted(f"github:comment:discussion-comment:{one}" for one in there)
    assert asking.asked < 10
