"""`Release` and `ReleaseNote`: work that was released or is planned for release, and the notes about it.

`release.created|stage-changed|version-changed|name-changed|description-changed|commit-changed|
issues-changed|target-date-changed|archived|unarchived|deleted|restored` and
`release-note.created|edited|archived|unarchived|deleted`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import StateChange, Thing
from lightfast_pipelines.providers.fields import child, children, name_of, text, url
from lightfast_pipelines.providers.linear import keys as linear_keys
from lightfast_pipelines.providers.linear.accounts import author_of
from lightfast_pipelines.providers.linear.webhooks.changes import (
    Field,
    archived,
    day,
    ids,
    plain,
    shown,
    trashed,
)
from lightfast_pipelines.providers.linear.webhooks.event import LinearEvent, linked_id
from lightfast_pipelines.providers.linear.webhooks.statement_builder import LinearStatementBuilder
from lightfast_pipelines.providers.linear.webhooks.things import issue_thing, line
from lightfast_pipelines.providers.linear.webhooks.transitions import (
    Described,
    EntityKind,
    LinearTransition,
    canceled_by_deletion,
)

_SHA = re.compile(r"[0-9a-f]{40}")
_STATUSES = ("planned", "started", "completed", "canceled")


def _stage(data: Mapping[str, Any]) -> str | None:
    return name_of(child(data, "stage"), "name")


def _target(data: Mapping[str, Any]) -> str | None:
    return day(data.get("targetDate"))


def _release(event: LinearEvent) -> Described:
    data = event.data
    name, version = name_of(data, "name") or "", name_of(data, "version")
    pipeline = name_of(child(data, "pipeline"), "name")
    subject = Thing(linear_keys.release(event.id), name or version, event.url or url(data, "url"))
    builder = LinearStatementBuilder(subject)
    builder.refer("release", version or name or event.id, subject.url)
    sha = (name_of(data, "commitSha") or "").lower()
    if _SHA.fullmatch(sha):
        builder.refer("commit", sha)
        builder.relate("contains", Thing(keys.github_commit(sha)))
    for issue in children(data, "issues"):
        issue_id = name_of(issue, "id")
        if issue_id is not None:
            builder.relate("contains", issue_thing(issue_id, issue), "issue")
    author = author_of(data, "creator")
    return Described(
        subject.key,
        builder,
        " ".join(part for part in (pipeline, name or version) if part),
        (
            name,
            text(data, "description"),
            line("Version", version),
            line("Stage", _stage(data)),
            line("Pipeline", pipeline),
            line("Target", _target(data)),
        ),
        author,
        {
            "releaseId": event.id,
            "releaseName": name or None,
            "version": version,
            "commitSha": sha or None,
            "stageId": linked_id(data, "stage"),
            "stageName": _stage(data),
            "stageType": name_of(child(data, "stage"), "type"),
            "pipelineId": linked_id(data, "pipeline"),
            "pipelineName": pipeline,
            "startDate": name_of(data, "startDate"),
            "targetDate": name_of(data, "targetDate"),
            "startedAt": name_of(data, "startedAt"),
            "completedAt": name_of(data, "completedAt"),
            "canceledAt": name_of(data, "canceledAt"),
            "creatorId": author and author.source_id,
        },
    )


def _release_states(
    data: Mapping[str, Any], subject: Thing, transition: LinearTransition
) -> Sequence[StateChange]:
    name, at, stage = transition.name, transition.at, child(data, "stage")
    status = name_of(stage, "type")
    if name == "deleted":
        return canceled_by_deletion(subject, at, 9, was_over=status in ("completed", "canceled"))
    states_stage = name in ("created", "restored") or transition.field == "stage"
    if not states_stage or status not in _STATUSES:
        return ()
    rank, facts = _STATUSES.index(status), {"name": name_of(stage, "name")}
    return (StateChange(subject, "status", status, at, rank, name, facts),)


def _release_note(event: LinearEvent) -> Described:
    data = event.data
    title = name_of(data, "title") or name_of(child(data, "pipeline"), "name") or ""
    release_ids = ids(data.get("releaseIds"))
    last = name_of(data, "lastReleaseId") or (release_ids[-1] if release_ids else None)
    key = linear_keys.release_note(event.id)
    address = event.url or url(data, "url")
    subject = Thing(linear_keys.release(last)) if last else Thing(key, title or None, address)
    builder = LinearStatementBuilder(subject)
    builder.refer("release", last or event.id, address)
    for release_id in release_ids:
        if release_id != last:
            builder.relate("references", Thing(linear_keys.release(release_id)), "release")
    author = author_of(data, "creator")
    return Described(
        key,
        builder,
        title,
        (title, text(data, "content")),
        author,
        {
            "releaseNoteId": event.id,
            "title": title or None,
            "url": address,
            "releaseIds": list(release_ids)[:100],
            "lastReleaseId": last,
            "pipelineId": linked_id(data, "pipeline"),
            "creatorId": author and author.source_id,
        },
    )


RELEASE = EntityKind(
    thing="release",
    tags=("Release Created", "Release Updated", "Release Deleted"),
    weights=(50, 40),
    fields=(
        trashed(40),
        archived(20),
        Field("stage", ("stageId", "stage"), "stage-changed", 50, _stage),
        Field("version", ("version",), "version-changed", 30, plain("version"), shown),
        Field("commit", ("commitSha",), "commit-changed", 30, plain("commitSha"), shown),
        Field("name", ("name",), "name-changed", 25, was=shown),
        Field("description", ("description",), "description-changed", 20),
        Field("issues", ("issueIds", "issues"), "issues-changed", 25),
        Field("target date", ("targetDate",), "target-date-changed", 25, _target, day),
    ),
    describe=_release,
    states=_release_states,
)
RELEASE_NOTE = EntityKind(
    thing="release-note",
    tags=("Release Note Created", "Release Note Edited", "Release Note Deleted"),
    weights=(40, 25),
    fields=(
        archived(15),
        Field("text", ("content", "title"), "edited", 20),
    ),
    describe=_release_note,
)
