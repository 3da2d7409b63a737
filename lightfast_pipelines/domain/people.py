"""Who is who: identities of one organisation joined by exact evidence, in any order to the same people.

Only addresses, account ids and logins count here; that two names are alike is no evidence. Reading
identities and writing actors belongs to capture.

A bot's account makes bots of all identities that its provider vouches to be that account, whatever name
they bear. Evidence is of two kinds. A provider vouches for some (an account's own id in a noreply address, a
verified e-mail, the login that GitHub itself put beside a commit's address). The rest is claimed:
a commit's name and address are whatever its author configured. Claimed evidence joins commit
identities with each other and to at most one account, so it never joins two accounts.
"""

from __future__ import annotations

import hashlib
import unicodedata
from base64 import urlsafe_b64encode
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lightfast_pipelines.domain import email_addresses, keys, robots
from lightfast_pipelines.domain.grouping import Groups

# An address that more different names than this commit with is a shared one (a team's, a robot's).
MOST_NAMES_OF_AN_ADDRESS = 3

# Strongest first: an identity is recorded with the strongest evidence that it shares with another.
CONFIDENCE = {
    "account_id": 1.0,
    "verified_email": 1.0,
    "provider_login": 1.0,
    "noreply_login": 0.95,
    "commit_address": 0.9,
    "alone": 1.0,
}
_RANK = {method: rank for rank, method in enumerate(CONFIDENCE)}


@dataclass(frozen=True, slots=True)
class Identity:
    """An account at a provider, or a commit's name and address (source `git`)."""

    source: str
    source_id: str
    username: str | None = None
    email: str | None = None
    name: str | None = None
    kind: str = "unknown"
    email_verified: bool = False
    # All logins that the account had, where they are several.
    logins: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return f"{self.source}:{self.source_id}"

    @property
    def is_bot(self) -> bool:
        """Said by the provider, or by what it is called: of what its account is nothing is known here."""
        return self.kind == "bot" or robots.is_robot(self.name, self.email, self.username)


@dataclass(frozen=True, slots=True)
class Membership:
    """An identity of an actor: the evidence that put it there and how sure that is, 0 to 1."""

    identity: Identity
    method: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Actor:
    """A person or bot. `members` are sorted by identity key."""

    id: str
    display_name: str
    kind: str
    members: tuple[Membership, ...]


def decide(org_id: str, identities: Iterable[Identity]) -> list[Actor]:
    """The actors of one organisation, by id; each identity is in exactly one.

    Depends on the set of identities alone, not on their order.
    """
    people = sorted(set(identities), key=lambda identity: identity.key)
    groups = Groups(len(people))
    methods = ["alone"] * len(people)
    vouched = _vouched(people)
    is_bot = _bots(people, vouched)

    def join(members: Sequence[int], method: str) -> None:
        """Joins them, bots and others apart."""
        for bots in (True, False):
            alike = [member for member in members if is_bot[member] is bots]
            if len(alike) < 2:
                continue
            for member in alike:
                groups.join(alike[0], member)
                methods[member] = min(methods[member], method, key=_RANK.__getitem__)

    for method, members in vouched:
        join(members, method)
    # All claims are weighed against what is vouched for, none against another claim.
    for members in _claimed(people, is_bot, groups):
        join(members, "commit_address")
    return sorted(
        (
            _actor(
                org_id,
                [people[i] for i in group],
                [methods[i] for i in group],
                is_bot=any(is_bot[i] for i in group),
            )
            for group in groups
        ),
        key=lambda actor: actor.id,
    )


def _vouched(people: Sequence[Identity]) -> list[tuple[str, list[int]]]:
    """(method, members) of each piece of evidence that a provider vouches for."""
    by_account: dict[str, list[int]] = defaultdict(list)
    by_login: dict[str, list[int]] = defaultdict(list)
    by_email: dict[str, list[int]] = defaultdict(list)
    for number, identity in enumerate(people):
        if identity.kind == "organization":
            continue
        if identity.source == "github":
            by_account[identity.source_id].append(number)
            # One that was given up may be another's by now: what names it alone names neither.
            logins = {*identity.logins, identity.username} - {None, ""}
            for login in {str(login).lower() for login in logins}:
                host = keys.host_of(identity.source_id)
                by_login[email_addresses.login_at_host(login, host)].append(number)
        if identity.email_verified and not email_addresses.is_placeholder_email(identity.email):
            by_email[_address(identity)].append(number)
    # The account that an id in an address names, whether or not it is known by itself.
    ids_of_login: dict[str, set[str]] = defaultdict(set)
    for login, members in by_login.items():
        ids_of_login[login].update(people[number].source_id for number in members)
    noreply = {
        number: account
        for number, identity in enumerate(people)
        if identity.source != "github"
        and (account := email_addresses.noreply_account(identity.email))
    }
    for account_id, login in noreply.values():
        if account_id is not None:
            ids_of_login[login].add(account_id)
    found: list[tuple[str, list[int]]] = []
    weaker: dict[str, list[int]] = defaultdict(list)
    for number, (account_id, login) in noreply.items():
        if account_id is not None:
            by_account[account_id].append(number)
        elif len(ids_of_login[login]) == 1:
            weaker[next(iter(ids_of_login[login]))].append(number)
        else:
            # A login that two accounts had at different times, or none that is known.
            continue
    found += [("account_id", members) for members in by_account.values()]
    found += [("noreply_login", [*by_account[key], *members]) for key, members in weaker.items()]
    found += [("verified_email", members) for members in by_email.values()]
    found += [("account_id", members) for members in _of_one_server(people)]
    for number, identity in enumerate(people):
        login = (identity.username or "").lower()
        # GitHub names the account that a commit's address belongs to, where it knows one.
        if identity.source == "git" and login and len(by_login[login]) == 1:
            found.append(("provider_login", [number, *by_login[login]]))
    return found


def _of_one_server(people: Sequence[Identity]) -> list[list[int]]:
    """Accounts whose server is not told everywhere: Sentry's comments name the number alone.

    The name tells them from an account that bears the number on another server.
    """
    bare: dict[str, int] = {}
    at_server: dict[str, list[int]] = defaultdict(list)
    for number, identity in enumerate(people):
        if identity.source == "sentry" and identity.name:
            if "@" in identity.source_id:
                at_server[keys.bare_number(identity.source_id)].append(number)
            else:
                bare[identity.source_id] = number
    found = []
    for account, members in at_server.items():
        if account in bare:
            name = _plain_name(people[bare[account]].name)
            same = [one for one in members if _plain_name(people[one].name) == name]
            if len(same) == 1:
                found.append([bare[account], *same])
    return found


# What says that an identity is a certain account; two accounts can have one verified address.
_OF_AN_ACCOUNT = frozenset({"account_id", "noreply_login", "provider_login"})


def _bots(people: Sequence[Identity], vouched: Sequence[tuple[str, list[int]]]) -> list[bool]:
    """Which identities are bots: by themselves, by their account, or by an address that is a bot's alone.

    Only GitHub's word for a commit's address counts there: a robot that somebody registered as a user
    may have that person's own address.
    """
    found = [identity.is_bot for identity in people]
    accounts = [identity.source != "git" for identity in people]
    for method, members in vouched:
        if method in _OF_AN_ACCOUNT and any(found[i] and accounts[i] for i in members):
            for member in members:
                # What another account is, its own provider says.
                found[member] = found[member] or not accounts[member]
    verified: dict[str, set[bool]] = defaultdict(set)
    for number, identity in enumerate(people):
        is_told = not accounts[number] or not found[number]
        if (
            identity.email_verified
            and is_told
            and not email_addresses.is_placeholder_email(identity.email)
        ):
            verified[_address(identity)].add(found[number])
    return [
        known or (not accounts[number] and verified.get(_address(people[number])) == {True})
        for number, known in enumerate(found)
    ]


def _claimed(
    people: Sequence[Identity], is_bot: Sequence[bool], vouched: Groups
) -> list[list[int]]:
    """Commit identities of one address, with the account that has it verified."""
    by_address: dict[str, list[int]] = defaultdict(list)
    for number, identity in enumerate(people):
        if identity.kind == "organization" or email_addresses.is_placeholder_email(identity.email):
            continue
        # `Ann via GitGitGadget <relay>`: the address is the relay's, not hers.
        if " via " in (identity.name or "").lower():
            continue
        if identity.source == "git" or identity.email_verified:
            by_address[_address(identity)].append(number)
    holds_account = {
        vouched.find(number) for number, identity in enumerate(people) if identity.source != "git"
    }
    found = []
    for members in by_address.values():
        names = {
            _plain_name(people[number].name)
            for number in members
            if people[number].source == "git" and not is_bot[number]
        }
        if len(names) > MOST_NAMES_OF_AN_ADDRESS:
            continue
        accounts = {vouched.find(number) for number in members} & holds_account
        if len(accounts) > 1:
            continue
        if email_addresses.is_shared_email(people[members[0]].email):
            found += _of_one_name(people, members)
        else:
            found.append(members)
    return found


def _of_one_name(people: Sequence[Identity], members: Sequence[int]) -> list[list[int]]:
    """The members parted by who they say they are: `dev@` and `root@build7` are many people's.

    `Ann` is `Ann Lee` where nobody else of the address is called Ann.
    """
    by_name: dict[str, list[int]] = defaultdict(list)
    words: dict[str, frozenset[str]] = {}
    for number in members:
        name = people[number].name or people[number].username
        plain = _plain_name(name)
        by_name[plain].append(number)
        parts = frozenset(_plain_name(word) for word in (name or "").split()) - {""}
        words[plain] = words.get(plain, frozenset()) | parts
    longer = {
        name: [other for other in by_name if words[name] < words[other]]
        for name in by_name
        if words[name]
    }
    found = {name: list(numbers) for name, numbers in by_name.items()}
    for name in sorted(longer, key=lambda name: (len(words[name]), name)):
        if len(longer[name]) == 1:
            found[longer[name][0]] += found.pop(name)
    return [sorted(numbers) for name, numbers in sorted(found.items()) if name]


def _address(identity: Identity) -> str:
    return (identity.email or "").strip().lower()


def _plain_name(name: str | None) -> str:
    """Letters and digits without accents, in one case: `José  Pérez` and `jose perez` are one name."""
    text = unicodedata.normalize("NFKD", name or "")
    return "".join(letter for letter in text.casefold() if letter.isalnum())


def _actor(
    org_id: str, members: Sequence[Identity], methods: Sequence[str], *, is_bot: bool
) -> Actor:
    kinds = {identity.kind for identity in members}
    kind = (
        "bot" if is_bot else next((k for k in ("organization", "person") if k in kinds), "unknown")
    )
    return Actor(
        actor_id(org_id, members[0].key),
        min(map(_best_name, members))[1],
        kind,
        tuple(
            Membership(identity, method, CONFIDENCE[method])
            for identity, method in zip(members, methods, strict=True)
        ),
    )


def _best_name(identity: Identity) -> tuple[tuple[int, int, str], str]:
    """(rank, name): names of two words first, then those an account states, then logins."""
    name = (identity.name or "").strip()
    if name and email_addresses.noreply_account(name) is None and "@" not in name:
        words = 0 if " " in name else 1
        return (words, 0 if identity.source != "git" else 1, name), name
    other = identity.username or name or identity.source_id
    return (2, 0, other), other


def actor_id(org_id: str, smallest_key: str) -> str:
    """21 URL-safe characters, the same in any database, of an actor's smallest identity key."""
    digest = hashlib.sha256("\x1f".join(("actor", org_id, smallest_key)).encode("utf-8", "replace"))
    return urlsafe_b64encode(digest.digest())[:21].decode()
