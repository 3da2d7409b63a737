"""Accounts and commit addresses as GitHub writes them, and the mentions of them.

Who an account is, across providers and addresses, is decided elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lightfast_pipelines.domain import keys, robots
from lightfast_pipelines.domain.events import (
    Account,
    AccountKind,
    AccountMention,
)
from lightfast_pipelines.providers.fields import name_of, text, url
from lightfast_pipelines.providers.github.host import host_in, identity

_KINDS: Mapping[str, AccountKind] = {
    "User": "person",
    "Bot": "bot",
    "Organization": "organization",
    # An import's stand-in for somebody, and a member of an enterprise.
    "Mannequin": "person",
    "EnterpriseUserAccount": "person",
}
_GHOST = "ghost"  # stands for everybody whose account is deleted, so it is nobody
_LONGEST_EMAIL = 254  # RFC 5321
_LONGEST_PERSON = 200
# The committer of what GitHub's own buttons commit. An Enterprise server signs as
# `GitHub Enterprise <noreply@HOST>`, where the address is a setting.
_WEB_FLOW_ADDRESSES = frozenset({"noreply@github.com", "merge-button@github.com"})
_WEB_FLOW_NAMES = frozenset({"github", "github enterprise"})
_NO_REPLY = re.compile(r"(?:no|do-?not)[-_.]?reply@", re.IGNORECASE)
MERGE_QUEUE = "github-merge-queue[bot]"
_CO_AUTHOR = re.compile(
    # Possessive: a line of nothing but spaces was tried with each of them as the name's beginning.
    r"^[ \t]*+co-authored-by:[ \t]*+([^<>\r\n]{0,200}+)<([^<>\s]{1,254})>[ \t]*+\r?$",
    re.IGNORECASE | re.MULTILINE,
)


def account(user: Any) -> Account | None:
    """The account of a user object; None for a ghost (null or by name) and for one without an id."""
    if not isinstance(user, dict):
        return None
    number = identity(user)
    if number is None:
        return None
    login = name_of(user, "login")
    if login is not None and login.lower() == _GHOST:
        return None
    kind = _KINDS.get(text(user, "type") or "", "unknown")
    email = _email(user)
    return Account(
        source="github",
        source_id=number,
        username=login,
        email=email,
        name=_person(user),
        avatar_url=url(user, "avatar_url"),
        kind="bot" if robots.is_robot(login=login) else kind,
        # GitHub shows only addresses that it verified, but for those that an import brought.
        email_verified=email is not None and text(user, "type") != "Mannequin",
    )


def commit_account(person: Any) -> Account | None:
    """The name and address in a commit; with `username`, GitHub vouches for the address."""
    if not isinstance(person, dict):
        return None
    name, email = _person(person), _email(person)
    if name is None and email is None:
        return None
    login = name_of(person, "username")
    return Account(
        source="git",
        source_id=keys.git_identity(name, email),
        # Of which host, nothing else of a commit's name and address says.
        username=login and keys.at_host(login, host_in(person)),
        email=email,
        name=name,
        kind="bot" if is_web_flow(person) or robots.is_robot(name, email, login) else "unknown",
        email_verified=login is not None and email is not None,
    )


def is_web_flow(person: Any) -> bool:
    """Whether GitHub made the commit itself (merge button, web editor, `Update branch`)."""
    if not isinstance(person, dict):
        return False
    if (name_of(person, "username") or "").lower() == "web-flow":
        return True
    email = (_email(person) or "").lower()
    if email in _WEB_FLOW_ADDRESSES:
        return True
    return (_person(person) or "").lower() in _WEB_FLOW_NAMES and _NO_REPLY.match(email) is not None


def co_authors(message: str) -> list[AccountMention]:
    """Whom the `Co-authored-by:` trailers of a message name."""
    if "co-authored-by" not in message.lower():
        return []
    named = ({"name": name, "email": email} for name, email in _CO_AUTHOR.findall(message))
    found = (commit_account(person) for person in named if not is_web_flow(person))
    return [AccountMention("co_author", each) for each in found if each is not None]


def committer(person: Any, author: Account | None) -> list[AccountMention]:
    """The committer where it is another than the author, and not GitHub's own button."""
    found = commit_account(person)
    if found is None or is_web_flow(person) or found.source_id == (author and author.source_id):
        return []
    return [AccountMention("committer", found)]


def _email(value: Mapping[str, Any]) -> str | None:
    found = value.get("email")
    if not isinstance(found, str) or len(found) > _LONGEST_EMAIL:
        return None
    return found.strip() or None


def _person(value: Mapping[str, Any]) -> str | None:
    found = value.get("name")
    return found.strip()[:_LONGEST_PERSON] or None if isinstance(found, str) else None
