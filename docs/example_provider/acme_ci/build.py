"""`build.finished`: a build of a commit passed or failed. Other events of a build are filtered."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import (
    Account,
    Reading,
    StateChange,
    Statement,
    Thing,
    Understood,
)
from lightfast_pipelines.providers.fields import (
    Missing,
    child,
    content_of,
    name_of,
    needed_child,
    text,
    time,
    titled,
    url,
)
from lightfast_pipelines.providers.statement_builder import StatementBuilder

# Acme's result -> (transition in `source_type`, base significance).
_RESULTS = {"passed": ("passed", 20), "failed": ("failed", 55)}


def read(payload: Mapping[str, Any]) -> Reading:
    """Raises Missing where the payload has no build, time or known result."""
    build, project = needed_child(payload, "build"), needed_child(payload, "project")
    identity, at = name_of(build, "id"), time(build, "finished_at")
    if identity is None:
        raise Missing("build.id")
    if at is None:
        raise Missing("build.finished_at")
    result = _RESULTS.get(text(build, "result") or "")
    if result is None:
        raise Missing("build.result")
    return Understood((_statement(payload, build, project, identity, at, result),))


def _statement(
    payload: Mapping[str, Any],
    build: Mapping[str, Any],
    project: Mapping[str, Any],
    identity: str,
    at: datetime,
    result: tuple[str, int],
) -> Statement:
    transition, significance = result
    # A kind of entity that only this provider has gets its key here, made of ids that survive renames.
    subject = Thing(f"acme_ci:build:{identity}", name_of(build, "number"), url(build, "url"))
    commit = name_of(build, "commit")
    actor = _account(child(payload, "actor"))
    builder = StatementBuilder("acme_ci", subject)
    if commit is not None:
        builder.refer("commit", commit, label=commit[:7])
        # An entity of another provider has that provider's key, so the edge leads to it.
        builder.relate("references", Thing(keys.github_commit(commit), commit[:7]))
    return builder.build(
        # A build finishes once, so its id alone identifies the fact. Where something can happen twice,
        # the time or id of the transition is the third part.
        source_id=keys.source_id(subject.key, "finished"),
        source_type=f"build.{transition}",
        occurred_at=at,
        title=titled(f"Build {transition}", text(project, "name")),
        content=content_of(text(build, "message")),
        base_significance=significance,
        actor=actor,
        author=actor,
        states=(StateChange(subject, "status", transition, at),),
        metadata={"projectId": name_of(project, "id"), "branch": name_of(build, "branch")},
        branch=name_of(build, "branch"),
    )


def _account(actor: Mapping[str, Any]) -> Account | None:
    identity = name_of(actor, "id")
    if identity is None:
        return None
    return Account("acme_ci", identity, username=name_of(actor, "login"), kind="person")
