"""Accounts as Linear writes them: members, people outside, integrations and applications.

Who an account is, across providers and addresses, is decided elsewhere.
"""

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
    """A member, or an application that acts as one. Where only the id is named, the account is that id."""
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
        email_verified=email is not None,  # members sign in by it
    )


def outsider(person: Mapping[str, Any], fallback_id: str | None = None) -> Account | None:
    """Somebody who wrote through Slack or GitHub: Linear only passes on what it was told."""
    found = account(person, fallback_id)
    if found is None:
        return None
    return Account("linear", found.source_id, found.username, found.email, found.name)


def member_of(value: Mapping[str, Any], name: str) -> Account | None:
    """Who stands under `name` (`user`, `creator`, `assignee`, ...) or `nameId`."""
    return account(child(value, name), name_of(value, f"{name}Id"))


def author_of(value: Mapping[str, Any], name: str) -> Account | None:
    """The member under `name`, else who wrote from outside, else the integration that did."""
    external = "externalUser" if name == "user" else "externalUserCreator"
    return (
        member_of(value, name)
        or outsider(child(value, external), name_of(value, f"{external}Id"))
        or account(child(value, "botActor"), kind="bot")
    )


def actor_of(payload: Mapping[str, Any]) -> Account | None:
    """Who did it, which payloads say since 2026."""
    actor = child(payload, "actor")
    kind = (text(actor, "type") or "user").lower()
    if "external" in kind:
        return outsider(actor)
    if "user" not in kind:
        # An integration, an OAuth client, an agent, a rule of the team's own.
        return account({"name": name_of(actor, "service"), **actor}, kind="bot")
    return account(actor)


def shown(found: Account) -> str:
    """By which an account is shown among references: the address, else a name, else the id."""
    return found.email or found.name or found.source_id


def _username(person: Mapping[str, Any]) -> str | None:
    handle = name_of(person, "displayName")
    if handle is not None:
        return handle
    _, found, rest = (url(person, "url") or "").partition("/profiles/")
    return rest.strip("/")[:_LONGEST_PERSON] or None if found else None


def _email(person: Mapping[str, Any]) -> str | None:
    found = person.get("email")
    if not isinstance(found, str) or len(found) > _LONGEST_EMAIL or "@" not in found:
        return None
    return found.strip()


def _person(person: Mapping[str, Any]) -> str | None:
    found = person.get("name")
    return found.strip()[:_LONGEST_PERSON] or None if isinstance(found, str) else None
