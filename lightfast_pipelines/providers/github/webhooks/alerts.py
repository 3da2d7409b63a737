"""`dependabot_alert`, `code_scanning_alert`, `secret_scanning_alert`: vulnerabilities and their fixes.

An alert reports a danger in the code, not a failure that happened. Of a leaked secret only its kind
is read, never the secret itself or comments about it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import (
    Filtered,
    Reading,
    Reference,
    StateChange,
    Statement,
    Thing,
    Understood,
)
from lightfast_pipelines.providers.fields import (
    Missing,
    child,
    content_of,
    cut,
    first_time,
    flag,
    latest,
    moment_key,
    name_of,
    needed_child,
    text,
    time,
    titled,
    url,
    whole,
)
from lightfast_pipelines.providers.github import keys as github_keys
from lightfast_pipelines.providers.github.accounts import account
from lightfast_pipelines.providers.github.webhooks.commit_relations import FULL_SHA
from lightfast_pipelines.providers.github.webhooks.outcomes import (
    delivered,
    not_kept,
    unknown_action,
)
from lightfast_pipelines.providers.github.webhooks.repository import Repository, repository_of
from lightfast_pipelines.providers.github.webhooks.statement_builder import GitHubStatementBuilder


@dataclass(frozen=True, slots=True)
class _AlertTransition:
    """`state` is None if the alert's state does not change."""

    name: str
    words: str
    time: str
    state: str | None
    rank: int
    weight: int


@dataclass(slots=True)
class _AlertDescription:
    """The description of an alert: its title, lines of content, metadata and severity."""

    title: str
    lines: list[str | None] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    severity: str | None = None


_OPENED = _AlertTransition("opened", "Opened", "created_at", "open", 1, 45)
_REOPENED = _AlertTransition("reopened", "Reopened", "updated_at", "open", 2, 45)
_FIXED = _AlertTransition("fixed", "Fixed", "fixed_at", "fixed", 4, 35)
_DISMISSED = _AlertTransition("dismissed", "Dismissed", "dismissed_at", "dismissed", 3, 30)
_TRANSITIONS: Mapping[str, Mapping[str, _AlertTransition]] = {
    "dependabot_alert": {
        "created": _OPENED,
        "reopened": _REOPENED,
        "reintroduced": _REOPENED,
        "auto_reopened": _REOPENED,
        "fixed": _FIXED,
        "dismissed": _DISMISSED,
        "auto_dismissed": _AlertTransition(
            "dismissed", "Dismissed", "auto_dismissed_at", "dismissed", 3, 20
        ),
    },
    "code_scanning_alert": {
        "created": _OPENED,
        "reopened": _REOPENED,
        "reopened_by_user": _REOPENED,
        "appeared_in_branch": _AlertTransition(
            "appeared-in-branch", "Appeared in a Branch", "updated_at", None, 0, 15
        ),
        "fixed": _FIXED,
        "closed_by_user": _DISMISSED,
    },
    "secret_scanning_alert": {
        "created": _OPENED,
        "reopened": _REOPENED,
        "resolved": _AlertTransition("resolved", "Resolved", "resolved_at", "resolved", 4, 35),
        "publicly_leaked": _AlertTransition(
            "publicly-leaked", "Found in Public", "updated_at", None, 0, 60
        ),
        "validated": _AlertTransition("validated", "Validated", "updated_at", None, 0, 20),
    },
}
_NOT_KEPT: Mapping[str, frozenset[str]] = {
    "dependabot_alert": frozenset({"assignees_changed"}),
    "code_scanning_alert": frozenset({"updated_assignment"}),
    "secret_scanning_alert": frozenset({"assigned", "unassigned"}),
}
_NAMES = {
    "dependabot_alert": "Dependabot Alert",
    "code_scanning_alert": "Code Scanning Alert",
    "secret_scanning_alert": "Secret Scanning Alert",
}
# Base significance of an open alert by its severity.
_WEIGHTS = {"critical": 70, "high": 60, "error": 60, "medium": 45, "warning": 40, "low": 30}
_PULL_REF = re.compile(r"refs/pull/([1-9]\d{0,9})/")
RULES = tuple(
    rule
    for event, transitions in _TRANSITIONS.items()
    for rule in (
        *delivered(event, event.replace("_", "-"), transitions),
        *not_kept(event, _NOT_KEPT[event]),
    )
)


def reader(event: str) -> Callable[[Mapping[str, Any]], Reading]:
    """The reader for one of the three events; the reader raises Missing."""

    def read(payload: Mapping[str, Any]) -> Reading:
        action = text(payload, "action") or ""
        if action in _NOT_KEPT[event]:
            return Filtered(f"action {action} is not kept")
        transition = _TRANSITIONS[event].get(action)
        if transition is None:
            return unknown_action(event, action)
        return Understood((_statement(event, payload, transition),))

    return read


def _statement(event: str, payload: Mapping[str, Any], transition: _AlertTransition) -> Statement:
    repository, alert = repository_of(payload), needed_child(payload, "alert")
    number = whole(alert, "number")
    if number is None:
        raise Missing("alert.number")
    # Old secret scanning alerts have no time at all, but a change to one updates its repository.
    place = child(payload, "repository")
    at = first_time(alert, transition.time, "updated_at", "created_at") or latest(
        time(place, "pushed_at"), time(place, "updated_at")
    )
    if at is None:
        raise Missing(f"alert.{transition.time}")
    thing = event.replace("_", "-")
    key = github_keys.alert(thing.removesuffix("-alert"), repository.id, number)
    builder = GitHubStatementBuilder(repository, Thing(key, None, url(alert)))
    description = _DESCRIBERS[event](builder, payload, alert)
    subject = Thing(key, cut(f"#{number} {description.title}", 200), url(alert))
    builder.subject = subject
    is_opening = transition.state == "open"
    actor = account(payload.get("sender"))
    reason = name_of(alert, "dismissed_reason") or name_of(alert, "resolution")
    builder.references.insert(0, Reference("alert", f"#{number}", subject.url))
    return builder.build(
        source_id=keys.source_id(
            key, transition.name, None if transition is _OPENED else moment_key(at)
        ),
        source_type=f"{thing}.{transition.name}",
        occurred_at=at,
        title=titled(f"{_NAMES[event]} {transition.words}", description.title),
        content=content_of(description.title, *description.lines),
        base_significance=_WEIGHTS.get(description.severity or "", 45)
        if is_opening
        else transition.weight,
        actor=actor,
        author=actor,
        states=_states(subject, transition, alert, at, reason),
        metadata={
            "alertNumber": number,
            "action": name_of(payload, "action"),
            "state": name_of(alert, "state"),
            "severity": description.severity,
            "reason": reason if transition.state in ("dismissed", "resolved") else None,
            **description.facts,
        },
        updated_at=first_time(alert, "updated_at", "created_at") or at,
        link_text="",  # an advisory's text is about other projects
    )


def _states(
    subject: Thing,
    transition: _AlertTransition,
    alert: Mapping[str, Any],
    at: datetime,
    reason: str | None,
) -> tuple[StateChange, ...]:
    """A finding that is fixed only on a pull request's branch is still open, and its `state` says so."""
    if transition.state is None:
        return ()
    value = transition.state
    if transition.state == "fixed" and child(alert, "most_recent_instance"):
        value = "open" if name_of(alert, "state") == "open" else "fixed"
    why = reason if value in ("dismissed", "resolved") else None
    return (
        StateChange(
            subject,
            "status",
            value,
            at,
            transition.rank,
            "opened" if transition is _OPENED else why or transition.name,
            {"reason": why} if why else {},
        ),
    )


def _dependabot(
    builder: GitHubStatementBuilder,
    payload: Mapping[str, Any],  # noqa: ARG001
    alert: Mapping[str, Any],
) -> _AlertDescription:
    advisory, weakness = child(alert, "security_advisory"), child(alert, "security_vulnerability")
    dependency = child(alert, "dependency")
    package = child(dependency, "package") or child(weakness, "package")
    name, path = name_of(package, "name"), name_of(dependency, "manifest_path")
    builder.mention_file(path)
    severity = name_of(weakness, "severity") or name_of(advisory, "severity")
    patched = name_of(child(weakness, "first_patched_version"), "identifier")
    summary = text(advisory, "summary") or name_of(advisory, "ghsa_id") or "a known vulnerability"
    versions = name_of(weakness, "vulnerable_version_range")
    return _AlertDescription(
        f"{name}: {summary}" if name else summary,
        [
            f"Severity: {severity}" if severity else None,
            f"Vulnerable: {name or 'the package'} {versions}" if versions else None,
            f"Patched in: {patched}" if patched else "No patched version is known.",
            f"Found in: {path}" if path else None,
        ],
        {
            "package": name,
            "ecosystem": name_of(package, "ecosystem"),
            "manifestPath": path,
            "ghsaId": name_of(advisory, "ghsa_id"),
            "cveId": name_of(advisory, "cve_id"),
            "vulnerableVersions": versions,
            "patchedVersion": patched,
        },
        severity,
    )


def _code_scanning(
    builder: GitHubStatementBuilder, payload: Mapping[str, Any], alert: Mapping[str, Any]
) -> _AlertDescription:
    rule, instance = child(alert, "rule"), child(alert, "most_recent_instance")
    location = child(instance, "location")
    path, line = name_of(location, "path"), whole(location, "start_line")
    sha = name_of(instance, "commit_sha") or name_of(payload, "commit_oid")
    ref = name_of(payload, "ref") or name_of(instance, "ref")
    builder.mention_file(path)
    if sha is not None and FULL_SHA.fullmatch(sha):
        commit = builder.repository.commit(sha.lower())
        builder.refer("commit", sha.lower(), commit.url)
        builder.mention(commit)
    for thing in _of_ref(builder.repository, ref) if ref is not None else ():
        builder.mention(thing)
    severity = name_of(rule, "security_severity_level") or name_of(rule, "severity")
    what = text(rule, "description") or name_of(rule, "name") or name_of(rule, "id") or "a finding"
    tool = name_of(child(alert, "tool"), "name")
    return _AlertDescription(
        f"{what} in {path}" if path else what,
        [
            f"Severity: {severity}" if severity else None,
            f"Rule: {name_of(rule, 'id')}" if name_of(rule, "id") else None,
            f"Found by: {tool}" if tool else None,
            text(child(instance, "message"), "text"),
        ],
        {
            "rule": name_of(rule, "id"),
            "tool": tool,
            "path": path,
            "line": line,
            "ref": ref,
            "sha": sha,
        },
        severity,
    )


def _of_ref(repository: Repository, ref: str) -> list[Thing]:
    """The branch or pull request of a ref, or nothing for any other ref."""
    pull = _PULL_REF.match(ref)
    if pull:
        return [repository.numbered(int(pull[1]))]
    branch = ref.removeprefix("refs/heads/")
    return [repository.branch(branch)] if branch != ref and branch else []


def _secret_scanning(
    builder: GitHubStatementBuilder,  # noqa: ARG001 - a secret leads to nothing that may be named
    payload: Mapping[str, Any],  # noqa: ARG001
    alert: Mapping[str, Any],
) -> _AlertDescription:
    kind = name_of(alert, "secret_type_display_name") or name_of(alert, "secret_type")
    validity = name_of(alert, "validity")
    leaked = flag(alert, "publicly_leaked")
    return _AlertDescription(
        kind or "a secret",
        [
            f"Validity: {validity}" if validity else None,
            "It was found in public." if leaked else None,
            "Push protection was bypassed." if flag(alert, "push_protection_bypassed") else None,
        ],
        {
            "secretType": name_of(alert, "secret_type"),
            "validity": validity,
            "publiclyLeaked": leaked,
            "pushProtectionBypassed": flag(alert, "push_protection_bypassed"),
        },
        "critical" if validity == "active" or leaked else None,
    )


_DESCRIBERS: Mapping[
    str, Callable[[GitHubStatementBuilder, Mapping[str, Any], Mapping[str, Any]], _AlertDescription]
] = {
    "dependabot_alert": _dependabot,
    "code_scanning_alert": _code_scanning,
    "secret_scanning_alert": _secret_scanning,
}
