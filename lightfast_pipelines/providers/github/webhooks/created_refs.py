"""`create` and `delete` of branches and tags.

Only a new branch is remembered, as it may have no commit of its own. Everything else comes with a push,
which also has the commits; remembering it here too would count it twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import Filtered, Parked, Reading, Understood
from lightfast_pipelines.providers.fields import (
    Missing,
    child,
    first_time,
    moment_key,
    name_of,
    titled,
)
from lightfast_pipelines.providers.github.accounts import account
from lightfast_pipelines.providers.github.webhooks.pushed import QUEUE_BRANCHES
from lightfast_pipelines.providers.github.webhooks.repository import repository_of
from lightfast_pipelines.providers.github.webhooks.statement_builder import GitHubStatementBuilder
from lightfast_pipelines.providers.webhook_contract import EventRule

_BY_PUSH = "the push that did it is remembered instead"
RULES = (
    EventRule("create", None, "delivered", ("branch.created",), f"tags are filtered: {_BY_PUSH}"),
    EventRule("delete", None, "filtered", note=_BY_PUSH),
)


def read_create(payload: Mapping[str, Any]) -> Reading:
    """Raises Missing."""
    kind = name_of(payload, "ref_type")
    if kind in ("tag", "repository"):
        return Filtered(f"create of a {kind}: {_BY_PUSH}")
    if kind != "branch":
        return Parked(f"ref_type {str(kind)[:100]} of create is not known yet")
    name = name_of(payload, "ref")
    if name is None:
        raise Missing("ref")
    if name.startswith(QUEUE_BRANCHES):
        return Filtered("a merge queue's own branch")
    repository = repository_of(payload)
    at = first_time(child(payload, "repository"), "pushed_at", "updated_at")
    if at is None:
        raise Missing("repository.pushed_at")
    subject, actor = repository.branch(name), account(payload.get("sender"))
    where = repository.full_name or repository.id
    builder = GitHubStatementBuilder(repository, subject)
    builder.refer("branch", name, subject.url)
    statement = builder.build(
        source_id=keys.source_id(subject.key, "created", moment_key(at)),
        source_type="branch.created",
        occurred_at=at,
        title=titled("Branch Created", name),
        content=f"Branch {name} of {where} was made.",
        base_significance=10,
        actor=actor,
        author=actor,
        metadata={"branch": name},
        updated_at=at,
        link_text="",
        branch=name,
    )
    return Understood((statement,))


def read_delete(payload: Mapping[str, Any]) -> Reading:
    kind = name_of(payload, "ref_type")
    if kind in ("tag", "branch"):
        return Filtered(f"delete of a {kind}: {_BY_PUSH}")
    return Parked(f"ref_type {str(kind)[:100]} of delete is not known yet")
