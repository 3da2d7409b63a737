"""Reads accounts and the names and addresses in commits from GitHub's payloads.

`people/` decides which accounts and addresses belong to one person.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from lightfast_pipelines.domain import keys, robots
from lightfast_pipelines.domain.events import Account, AccountKind, AccountMention
from lightfast_pipelines.providers.fields import name_of, text, url
from lightfast_pipelines.providers.github.host import host_in, identity

_KINDS: Mapping[str, AccountKind] = {
    "User": "person",
    "Bot": "bot",
    "Organization": "organization",
    # A placeholder that an import makes for a person, and a member of an enterprise.
    "Mannequin": "person",
    "EnterpriseUserAccount": "person",
}
_GHOST = "ghost"  # the login of all deleted accounts, so it identifies nobody
_LONGEST_EMAIL = 254  # RFC 5321
_LONGEST_PERSON = 200
_CACHED = 4_096
# The committer of commits by GitHub's own buttons. An Enterprise Server signs as `GitHub Enterprise
# <noreply@HOST>`, where the address is a setting.
_WEB_FLOW_ADDRESSES = frozenset({"noreply@github.com", "merge-button@github.com"})
_WEB_FLOW_NAMES = frozenset({"github", "github enterprise"})
_NO_REPLY = re.compile(r"(?:no|do-?not)[-_.]?reply@", re.IGNORECASE)
MERGE_QUEUE = "github-merge-queue[bot]"
_CO_AUTHOR = re.compile(
    # Possessive; otherwise, in a line of spaces, every space is tried as the start of the name.
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
    return _account(
        number, login, text(user, "type"), _email(user), _person(user), url(user, "avatar_url")
    )


# The same few accounts are in every payload of a repository, each of them several times.
@lru_cache(_CACHED)
def _account(
    number: str,
    login: str | None,
    kind: str | None,
    email: str | None,
    name: str | None,
    avatar_url: str | None,
) -> Account:
    return Account(
        source="github",
        source_id=number,
        username=login,
        email=email,
        name=name,
        avatar_url=avatar_url,
        kind="bot" if robots.is_robot(login=login) else _KINDS.get(kind or "", "unknown"),
        # GitHub shows only addresses that it verified, except for imported ones.
        email_verified=email is not None and kind != "Mannequin",
    )


def commit_account(person: Any) -> Account | None:
    """The name and address in a commit; if there is a `username`, GitHub verified the address."""
    if not isinstance(person, dict):
        return None
    name, email = _person(person), _email(person)
    if name is None and email is None:
        return None
    return _commit_account(name, email, name_of(person, "username"), host_in(person))


@lru_cache(_CACHED)
def _commit_account(name: str | None, email: str | None, login: str | None, host: str) -> Account:
    is_bot = _is_web_flow(name, email, login) or robots.is_robot(name, email, login)
    return Account(
        source="git",
        source_id=keys.git_identity(name, email),
        # Nothing else in a commit's name and address says which host the login belongs to.
        username=login and keys.at_host(login, host),
        email=email,
        name=name,
        kind="bot" if is_bot else "unknown",
        email_verified=login is not None and email is not None,
    )


def is_web_flow(person: Any) -> bool:
    """Whether GitHub made the commit itself (merge button, web editor, `Update branch`)."""
    if not isinstance(person, dict):
        return False
    return _is_web_flow(_person(person), _email(person), name_of(person, "username"))


def _is_web_flow(name: str | None, email: str | None, login: str | None) -> bool:
    if (login or "").lower() == "web-flow":
        return True
    address = (email or "").lower()
    if address in _WEB_FLOW_ADDRESSES:
        return True
    return (name or "").lower() in _WEB_FLOW_NAMES and _NO_REPLY.match(address) is not None


def co_authors(message: str) -> list[AccountMention]:
    """The people in the `Co-authored-by:` trailers of a message."""
    if "co-authored-by" not in message.lower():
        return []
    people = ({"name": name, "email": email} for name, email in _CO_AUTHOR.findall(message))
    accounts = (commit_account(person) for person in people if not is_web_flow(person))
    return [AccountMention("co_author", account) for account in accounts if account is not None]


def committer(person: Any, author: Account | None) -> list[AccountMention]:
    """The committer, unless that is the author or one of GitHub's own buttons."""
    account = commit_account(person)
    if account is None or is_web_flow(person) or account.source_id == (author and author.source_id):
        return []
    return [AccountMention("committer", account)]


def _email(value: Mapping[str, Any]) -> str | None:
    email = value.get("email")
    if not isinstance(email, str) or len(email) > _LONGEST_EMAIL:
        return None
    return email.strip() or None


def _person(value: Mapping[str, Any]) -> str | None:
    name = value.get("name")
    return name.strip()[:_LONGEST_PERSON] or None if isinstance(name, str) else None
