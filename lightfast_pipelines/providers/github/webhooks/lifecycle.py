"""`installation`, `installation_repositories`, `repository`: changes of the connection itself.

They change fetching and display, never what is stored. Only some of them name a time of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Literal

from lightfast_pipelines.domain.events import Filtered, Lifecycle, LifecycleEvent, Reading
from lightfast_pipelines.providers.fields import (
    Missing,
    child,
    children,
    first_time,
    latest,
    name_of,
    needed_child,
    text,
    time,
    whole,
)
from lightfast_pipelines.providers.github.host import identity
from lightfast_pipelines.providers.github.webhooks.outcomes import not_kept, unknown_action
from lightfast_pipelines.providers.github.webhooks.repository import full_name, repository_id
from lightfast_pipelines.providers.webhook_contract import EventRule

# action -> (change, field of its time). `updated_at` does not change when an installation is deleted, so
# a deletion has no time in the payload; its id is never used again.
_INSTALLATION: Mapping[str, tuple[str, str | None]] = {
    "created": ("active", "created_at"),
    "suspend": ("suspended", "suspended_at"),
    "unsuspend": ("active", "updated_at"),
    "deleted": ("removed", None),
}
# What an action means for the repositories, where the payload lists them.
_INSTALLED = {
    "created": "installed",
    "suspend": "suspended with its installation",
    "unsuspend": "no longer suspended with its installation",
    "deleted": "uninstalled with its installation",
}
_REPOSITORY = {
    "renamed": "renamed",
    "transferred": "transferred",
    "archived": "archived",
    "unarchived": "unarchived",
    "deleted": "removed",
}
_REPOSITORY_NOT_KEPT = frozenset({"created", "edited", "privatized", "publicized"})
RULES = (
    *(
        EventRule("installation", action, "lifecycle", note=f"the installation is {change}")
        for action, (change, _) in _INSTALLATION.items()
    ),
    *not_kept("installation", ("new_permissions_accepted",)),
    EventRule(
        "installation_repositories", "added", "lifecycle", note="the repositories are active"
    ),
    EventRule(
        "installation_repositories", "removed", "lifecycle", note="the repositories are removed"
    ),
    EventRule("installation_target", "renamed", "lifecycle", note="the account is renamed"),
    *(
        EventRule("repository", action, "lifecycle", note=f"the repository is {change}")
        for action, change in _REPOSITORY.items()
    ),
    *not_kept("repository", _REPOSITORY_NOT_KEPT),
)


def read_installation(payload: Mapping[str, Any]) -> Reading:
    """Raises Missing."""
    action = text(payload, "action")
    if action == "new_permissions_accepted":
        return Filtered(f"action {action} is not kept")
    if action is None or action not in _INSTALLATION:
        return unknown_action("installation", action)
    change, field = _INSTALLATION[action]
    installation = needed_child(payload, "installation")
    at = first_time(installation, field, "updated_at") if field else None
    value = _installation_value(installation)
    events = [_event("installation", _installation_id(payload), change, at, action, value)]
    events += _resources(payload, "repositories", change, at, _INSTALLED[action])
    return Lifecycle(tuple(events), f"installation {action}")


def read_installation_repositories(payload: Mapping[str, Any]) -> Reading:
    """Without a time: the payload has only the installation's, which this change does not update."""
    action = text(payload, "action")
    if action not in ("added", "removed"):
        return unknown_action("installation_repositories", action)
    _installation_id(payload)
    events = (
        *_resources(payload, "repositories_added", "active", None, "added to the installation"),
        *_resources(
            payload, "repositories_removed", "removed", None, "taken from the installation"
        ),
    )
    if not events:
        return Filtered(f"installation_repositories {action} names no repository")
    return Lifecycle(events, f"installation_repositories {action}")


def read_installation_target(payload: Mapping[str, Any]) -> Reading:
    """The account of the installation was renamed. The payload does not say when. Raises Missing."""
    action = text(payload, "action")
    if action != "renamed":
        return unknown_action("installation_target", action)
    login = name_of(child(payload, "account"), "login")
    value: dict[str, Any] = {"account_login": login} if login else {}
    event = _event("installation", _installation_id(payload), "renamed", None, "renamed", value)
    return Lifecycle((event,), "installation_target renamed")


def read_repository(payload: Mapping[str, Any]) -> Reading:
    """Raises Missing."""
    action = text(payload, "action")
    if action in _REPOSITORY_NOT_KEPT:
        return Filtered(f"action {action} is not kept")
    change = _REPOSITORY.get(action or "")
    if change is None:
        return unknown_action("repository", action)
    repository = needed_child(payload, "repository")
    number = repository_id(payload)
    if number is None:
        raise Missing("repository.id")
    at = time(repository, "updated_at")
    if change == "removed":  # updated_at is the time of the change before this one
        at = latest(at, time(repository, "pushed_at"))
    value = _repository_value(repository)
    installation = identity(child(payload, "installation"))
    if installation is not None and change != "removed":
        value["installation"] = installation
    event = _event("resource", number, change, at, str(action), value)
    return Lifecycle((event,), f"repository {action}")


def _installation_id(payload: Mapping[str, Any]) -> str:
    number = identity(child(payload, "installation"))
    if number is None:
        raise Missing("installation.id")
    return number


def _resources(
    payload: Mapping[str, Any], field: str, change: str, at: datetime | None, reason: str
) -> Iterator[LifecycleEvent]:
    """Events for the repositories of an installation; they hold only for that installation."""
    of_installation = {"installation": _installation_id(payload)}
    for repository in children(payload, field):
        number = identity(repository)
        if number is not None:
            value = {**_repository_value(repository), **of_installation}
            yield _event("resource", number, change, at, reason, value)


def _event(
    kind: Literal["installation", "resource"],
    subject_id: str,
    change: str,
    at: datetime | None,
    reason: str,
    value: dict[str, Any],
) -> LifecycleEvent:
    return LifecycleEvent(kind, subject_id, change, at, f"GitHub: {kind} {reason}", value)


def _installation_value(installation: Mapping[str, Any]) -> dict[str, Any]:
    account = child(installation, "account")
    return _known(
        {
            "account_login": name_of(account, "login"),
            "account_id": whole(account, "id"),
            "repository_selection": name_of(installation, "repository_selection"),
        }
    )


def _repository_value(repository: Mapping[str, Any]) -> dict[str, Any]:
    owner = child(repository, "owner")
    return _known({"name": full_name(repository), "account_login": name_of(owner, "login")})


def _known(value: dict[str, Any]) -> dict[str, Any]:
    return {name: entry for name, entry in value.items() if entry is not None}
