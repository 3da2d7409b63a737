"""Decides who is who: joins the identities of an organisation by exact evidence, whatever their order.

Only addresses, account ids and logins are evidence; similar names are not. `people/` reads identities and
writes actors.

Evidence is of two kinds. A provider vouches for some of it: an account's id in a noreply address, a
verified e-mail, the login that GitHub itself put beside a commit's address. The rest is claimed: a
commit's name and address are whatever its author configured. Claimed evidence joins commit identities
with each other and with at most one account, so it never joins two accounts. All identities that a
provider vouches to be a bot's account are bots, whatever their names.
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

# An address is shared, such as a team's or a robot's, if more different names than this commit with it.
MOST_NAMES_OF_AN_ADDRESS = 3

# Strongest first. An identity is recorded with the strongest evidence that it shares with another.
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
    # All logins that the account has had, if there are several.
    logins: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return f"{self.source}:{self.source_id}"

    @property
    def is_bot(self) -> bool:
        """Whether the provider or its own name says so; its account may say so too."""
        return self.kind == "bot" or robots.is_robot(self.name, self.email, self.username)


@dataclass(frozen=True, slots=True)
class Membership:
    """An identity of an actor, with the evidence for it and its confidence, 0 to 1."""

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
    """The actors of one organisation, sorted by id; each identity belongs to exactly one.

    The result depends only on the set of identities, not on their order.
    """
    people = sorted(set(identities), key=lambda identity: identity.key)
    groups = Groups(len(people))
    methods = ["alone"] * len(people)
    vouched = _vouched(people)
    is_bot = _bots(people, vouched)

    def join(members: Sequence[int], method: str) -> None:
        """Joins the bots and the others separately."""
        for bots in (True, False):
            joined = [member for member in members if is_bot[member] is bots]
            if len(joined) < 2:
                continue
            for member in joined:
                groups.join(joined[0], member)
                methods[member] = min(methods[member], method, key=_RANK.__getitem__)

    for method, members in vouched:
        join(members, method)
    # Every claim is compared with the vouched evidence alone, and not with other claims.
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
            # A login that was given up may be another account's now, so by itself it names neither.
            logins = {*identity.logins, identity.username} - {None, ""}
            for login in {str(login).lower() for login in logins}:
                host = keys.host_of(identity.source_id)
                by_login[email_addresses.login_at_host(login, host)].append(number)
        if identity.email_verified and not email_addresses.is_placeholder_email(identity.email):
            by_email[_address(identity)].append(number)
    # An id in an address names an account even if that has no identity here.
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
    evidence: list[tuple[str, list[int]]] = []
    weaker: dict[str, list[int]] = defaultdict(list)
    for number, (account_id, login) in noreply.items():
        if account_id is not None:
            by_account[account_id].append(number)
        elif len(ids_of_login[login]) == 1:
            weaker[next(iter(ids_of_login[login]))].append(number)
        else:
            # Two accounts had this login at different times, or it is unknown.
            continue
    evidence += [("account_id", members) for members in by_account.values()]
    evidence += [("noreply_login", [*by_account[key], *members]) for key, members in weaker.items()]
    evidence += [("verified_email", members) for members in by_email.values()]
    evidence += [("account_id", members) for members in _of_one_server(people)]
    for number, identity in enumerate(people):
        login = (identity.username or "").lower()
        # GitHub names the account that a commit's address belongs to, where it knows one.
        if identity.source == "git" and login and len(by_login[login]) == 1:
            evidence.append(("provider_login", [number, *by_login[login]]))
    return evidence


def _of_one_server(people: Sequence[Identity]) -> list[list[int]]:
    """Groups of Sentry accounts that are the same although one has no server, as comments name none.

    The name distinguishes it from accounts with the same number on other servers.
    """
    bare: dict[str, int] = {}
    at_server: dict[str, list[int]] = defaultdict(list)
    for number, identity in enumerate(people):
        if identity.source == "sentry" and identity.name:
            if "@" in identity.source_id:
                at_server[keys.bare_number(identity.source_id)].append(number)
            else:
                bare[identity.source_id] = number
    groups = []
    for account, members in at_server.items():
        if account in bare:
            name = _plain_name(people[bare[account]].name)
            same = [number for number in members if _plain_name(people[number].name) == name]
            if len(same) == 1:
                groups.append([bare[account], *same])
    return groups


# Evidence that an identity is one account. A verified address is not: two accounts can have it.
_OF_AN_ACCOUNT = frozenset({"account_id", "noreply_login", "provider_login"})


def _bots(people: Sequence[Identity], vouched: Sequence[tuple[str, list[int]]]) -> list[bool]:
    """Whether each identity is a bot: by itself, by its account, or by an address that only bots have.

    For an address, only what providers say about accounts counts: a robot that somebody registered as a
    user may have that person's address.
    """
    is_bot = [identity.is_bot for identity in people]
    accounts = [identity.source != "git" for identity in people]
    for method, members in vouched:
        if method in _OF_AN_ACCOUNT and any(is_bot[i] and accounts[i] for i in members):
            for member in members:
                # Another account's own provider says whether that one is a bot.
                is_bot[member] = is_bot[member] or not accounts[member]
    verified: dict[str, set[bool]] = defaultdict(set)
    for number, identity in enumerate(people):
        counts = not accounts[number] or not is_bot[number]
        if (
            identity.email_verified
            and counts
            and not email_addresses.is_placeholder_email(identity.email)
        ):
            verified[_address(identity)].add(is_bot[number])
    return [
        by_itself or (not accounts[number] and verified.get(_address(people[number])) == {True})
        for number, by_itself in enumerate(is_bot)
    ]


def _claimed(
    people: Sequence[Identity], is_bot: Sequence[bool], vouched: Groups
) -> list[list[int]]:
    """Groups of commit identities with one address, and the account that has verified it."""
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
    groups: list[list[int]] = []
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
            groups += _of_one_name(people, members)
        else:
            groups.append(members)
    return groups


def _of_one_name(people: Sequence[Identity], members: Sequence[int]) -> list[list[int]]:
    """The members grouped by name, as many people share an address such as `dev@` or `root@build7`.

    `Ann` is `Ann Lee` if nobody else with that address is called Ann.
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
    groups = {name: list(numbers) for name, numbers in by_name.items()}
    for name in sorted(longer, key=lambda name: (len(words[name]), name)):
        if len(longer[name]) == 1:
            groups[longer[name][0]] += groups.pop(name)
    return [sorted(numbers) for name, numbers in sorted(groups.items()) if name]


def _address(identity: Identity) -> str:
    return (identity.email or "").strip().lower()


def _plain_name(name: str | None) -> str:
    """Letters and digits in lower case without accents: `José  Pérez` and `jose perez` are one name."""
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
