"""Accounts in Linear's payloads: members, outsiders, integrations and applications."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightfast_pipelines.domain import robots
from lightfast_pipelines.domain.events import Account, AccountKind
from lightfast_pipelines.providers.fields import child, flag, name_of, text, url

_LONGEST_EMAIL = 254  # RFC 5321
_LONGEST_PERSON = 200


def account(
    person: Mapping[str, Any], fallback_id: str | None = None, *, kind: AccountKind = "person"
) -> Account | None:
    """A member, or an application that acts as one. `fallback_id` is for payloads that give only an id."""
    identity = name_of(person, "id") or fallback_id
    if identity is None:
        return None
    email = _email(person)
    if flag(person, "app") or robots.is_robot(email=email):
        kind = "bot"
    return Account(
        source="linear",
        source_id=identity,
        username=_username(person),
        email=email,
        name=_person(person),
        avatar_url=url(person, "avatarUrl"),
        kind=kind,
        email_verified=email is not None,  # members sign in with it
    )


def outsider(person: Mapping[str, Any], fallback_id: str | None = None) -> Account | None:
    """Somebody who wrote through Slack or GitHub: Linear has not verified the e-mail address."""
    claimed = account(person, fallback_id)
    if claimed is None:
        return None
    return Account("linear", claimed.source_id, claimed.username, claimed.email, claimed.name)


def member_of(value: Mapping[str, Any], name: str) -> Account | None:
    """The member in `name` (`user`, `creator`, `assignee`, ...) or `nameId`."""
    return account(child(value, name), name_of(value, f"{name}Id"))


def author_of(value: Mapping[str, Any], name: str) -> Account | None:
    """The member in `name`, else the outsider, else the integration."""
    external = "externalUser" if name == "user" else "externalUserCreator"
    return (
        member_of(value, name)
        or outsider(child(value, external), name_of(value, f"{external}Id"))
        or account(child(value, "botActor"), kind="bot")
    )


def actor_of(payload: Mapping[str, Any]) -> Account | None:
    """Who did it; only payloads since 2026 say so."""
    actor = child(payload, "actor")
    kind = (text(actor, "type") or "user").lower()
    if "external" in kind:
        return outsider(actor)
    if "user" not in kind:
        # An integration, an OAuth client, an agent, or an automation of the team.
        return account({"name": name_of(actor, "service"), **actor}, kind="bot")
    return account(actor)


def shown(person: Account) -> str:
    """How a reference shows an account: by its e-mail address, else its name, else its id."""
    return person.email or person.name or person.source_id


def _username(person: Mapping[str, Any]) -> str | None:
    handle = name_of(person, "displayName")
    if handle is not None:
        return handle
    _, _, rest = (url(person, "url") or "").partition("/profiles/")
    return rest.strip("/")[:_LONGEST_PERSON] or None


def _email(person: Mapping[str, Any]) -> str | None:
    email = person.get("email")
    if not isinstance(email, str) or len(email) > _LONGEST_EMAIL or "@" not in email:
        return None
    return email.strip()


def _person(person: Mapping[str, Any]) -> str | None:
    name = person.get("name")
    return name.strip()[:_LONGEST_PERSON] or None if isinstance(name, str) else None
