"""Discussions and their comments as objects of GitHub's webhooks, at a moment."""

from __future__ import annotations

from datetime import datetime

from tests.servers.github_items import Items
from tests.servers.github_parts import Json, iso, node_id
from tests.servers.github_records import (
    Comment,
    Discussion,
)


def discussion_object(items: Items, discussion: Discussion, at: datetime) -> Json:
    answered = discussion.answered_at is not None and discussion.answered_at <= at
    closed = discussion.closed_at is not None and discussion.closed_at <= at
    page = f"{items.site}/discussions/{discussion.number}"
    answer = f"{page}#discussioncomment-{discussion.answer}"
    return {
        "repository_url": items.api,
        "category": {
            "id": 2,
            "node_id": node_id("DIC", 2),
            "repository_id": items.world.id,
            "emoji": ":pray:",
            "name": "Q&A",
            "description": "",
            "created_at": iso(discussion.created_at),
            "updated_at": iso(discussion.created_at),
            "slug": "q-a",
            "is_answerable": True,
        },
        "answer_html_url": answer if answered else None,
        "answer_chosen_at": iso(discussion.answered_at) if answered else None,
        "answer_chosen_by": items.user(discussion.answered_by) if answered else None,
        "html_url": page,
        "id": discussion.id,
        "node_id": node_id("D", discussion.id),
        "number": discussion.number,
        "title": discussion.title,
        "user": items.user(discussion.author),
        "labels": [],
        "state": "closed" if closed else "open",
        "state_reason": (discussion.reason or "").lower() or None if closed else None,
        "closed_at": iso(discussion.closed_at) if closed else None,
        "locked": False,
        "comments": sum(said.created_at <= at for said in discussion.comments),
        "created_at": iso(discussion.created_at),
        "updated_at": iso(at),
        "author_association": items.role(discussion.author),
        "active_lock_reason": None,
        "body": discussion.body,
        "reactions": items.reactions(f"{items.api}/discussions/{discussion.number}"),
        "timeline_url": f"{items.api}/discussions/{discussion.number}/timeline",
    }


def comment_object(items: Items, discussion: Discussion, comment: Comment) -> Json:
    page = f"{items.site}/discussions/{discussion.number}#discussioncomment-{comment.id}"
    return {
        "id": comment.id,
        "node_id": node_id("DC", comment.id),
        "html_url": page,
        "parent_id": comment.parent,
        "child_comment_count": 0,
        "repository_url": items.world.full_name,
        "discussion_id": discussion.id,
        "author_association": items.role(comment.author),
        "user": items.user(comment.author),
        "created_at": iso(comment.created_at),
        "updated_at": iso(comment.created_at),
        "body": comment.body,
        "reactions": items.reactions(page),
    }
