"""Who did something in Sentry, and to whom an issue is assigned.

`event.user` is the end user who met an error, not a member. Nothing here reads it: its address and name are
kept only in the raw body.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lightfast_pipelines.domain import keys, robots
from lightfast_pipelines.domain.events import Account, AccountKind, Thing
from lightfast_pipelines.providers.fields import child, name_of, text
from lightfast_pipelines.providers.sentry import keys as sentry_keys
from lightfast_pipelines.providers.sentry.place import SentryPlace, place_of
from lightfast_pipelines.providers.sentry.webhooks.values import identity

_LONGEST_EMAIL = 254  # RFC 5321


def actor(payload: Mapping[str, Any]) -> Account | None:
    """The envelope's actor: a user, or an application (Sentry itself, an integration)."""
    place = place_of(payload)
    sender = child(payload, "actor")
    is_person = name_of(sender, "type") == "user"
    account = _user(place, sender, "person" if is_person else "bot")
    if account is None or not is_person:
        return account
    # A resolved issue names the same user again, with the e-mail address.
    issue = child(child(payload, "data"), "issue")
    again = _user(place, child(child(issue, "statusDetails"), "actor"), "person")
    is_same = again is not None and again.source_id == account.source_id and again.name
    return again if is_same else account


@dataclass(frozen=True, slots=True)
class Assignee:
    """A user or a team to whom an issue is assigned. `account` is None for a team."""

    key: str
    name: str | None
    account: Account | None

    @property
    def thing(self) -> Thing:
        return Thing(self.key, self.name)


def assignee(place: SentryPlace, issue: Mapping[str, Any]) -> Assignee | None:
    """`assignedTo` of an issue: an actor of type user or team."""
    assigned = child(issue, "assignedTo")
    number = identity(assigned, "id")
    if number is None:
        return None
    number = place.at_server(number)
    if name_of(assigned, "type") == "team":
        return Assignee(sentry_keys.team(number), name_of(assigned, "name"), None)
    account = _user(place, assigned, "person")
    name = (account.name or account.username) if account else None
    return Assignee(keys.user("sentry", number), name, account)


def _user(place: SentryPlace, user: Mapping[str, Any], kind: AccountKind) -> Account | None:
    number = identity(user, "id")
    if number is None:
        return None
    if number.isdigit():  # an application has a name instead, the same on every server
        number = place.at_server(number)
    email = text(user, "email")
    if email is not None and (len(email) > _LONGEST_EMAIL or "@" not in email):
        email = None
    return Account(
        source="sentry",
        source_id=number,
        username=name_of(user, "username"),
        email=email,
        name=(name_of(user, "name") or "")[:200] or None,
        kind="bot" if robots.is_robot(email=email) else kind,
        email_verified=email is not None,  # Sentry verifies the address of an account
    )
