"""Who did something in Sentry, and to whom an issue is assigned.

`event.user` is the person who met an error: an end user of the application, none of ours. Nothing
here looks at it, and neither its address nor its name is kept anywhere but in the raw body.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lightfast_pipelines.domain import keys, robots
from lightfast_pipelines.domain.events import Account, Thing
from lightfast_pipelines.providers.fields import child, name_of, text
from lightfast_pipelines.providers.sentry import keys as sentry_keys
from lightfast_pipelines.providers.sentry.place import SentryPlace, place_of
from lightfast_pipelines.providers.sentry.webhooks.values import identity

_LONGEST_EMAIL = 254  # RFC 5321


def actor(payload: Mapping[str, Any]) -> Account | None:
    """The envelope's actor: a user, or an application (Sentry itself, an integration)."""
    place = place_of(payload)
    found = child(payload, "actor")
    is_person = name_of(found, "type") == "user"
    who = _user(place, found, "person" if is_person else "bot")
    if who is None or not is_person:
        return who
    # Resolving tells the same user once more, with the address.
    issue = child(child(payload, "data"), "issue")
    same = _user(place, child(child(issue, "statusDetails"), "actor"), "person")
    return same if same is not None and same.source_id == who.source_id and same.name else who


@dataclass(frozen=True, slots=True)
class Assignee:
    """Whoever an issue is assigned to. `account` is None for a team."""

    key: str
    name: str | None
    account: Account | None

    @property
    def thing(self) -> Thing:
        return Thing(self.key, self.name)


def assignee(place: SentryPlace, issue: Mapping[str, Any]) -> Assignee | None:
    """`assignedTo` of an issue: an actor of type user or team."""
    found = child(issue, "assignedTo")
    number = identity(found, "id")
    if number is None:
        return None
    number = place.at_server(number)
    if name_of(found, "type") == "team":
        return Assignee(sentry_keys.team(number), name_of(found, "name"), None)
    account = _user(place, found, "person")
    name = (account.name or account.username) if account else None
    return Assignee(keys.user("sentry", number), name, account)


def _user(place: SentryPlace, found: Mapping[str, Any], kind: Any) -> Account | None:
    number = identity(found, "id")
    if number is None:
        return None
    if number.isdigit():  # an application is called by words, the same on every server
        number = place.at_server(number)
    email = text(found, "email")
    if email is not None and (len(email) > _LONGEST_EMAIL or "@" not in email):
        email = None
    return Account(
        source="sentry",
        source_id=number,
        username=name_of(found, "username"),
        email=email,
        name=(name_of(found, "name") or "")[:200] or None,
        kind="bot" if robots.is_robot(email=email) else kind,
        email_verified=email is not None,  # the address by which the account is reached
    )
