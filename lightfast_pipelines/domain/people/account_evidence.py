"""Evidence that a provider vouches for: account ids, logins beside commits, verified addresses.

What a commit's author merely claims is in the other files.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from lightfast_pipelines.domain import email_addresses, keys
from lightfast_pipelines.domain.people.bonds import Bond, bond
from lightfast_pipelines.domain.people.identities import Identity
from lightfast_pipelines.domain.people.names import plain


def verified_bonds(people: Sequence[Identity]) -> list[Bond]:
    """Each piece of evidence that a provider vouches for."""
    by_account: dict[str, list[int]] = defaultdict(list)
    by_email: dict[str, list[int]] = defaultdict(list)
    for number, identity in enumerate(people):
        if identity.kind == "organization":
            continue
        if identity.source == "github":
            by_account[identity.source_id].append(number)
        if identity.email_verified and not email_addresses.is_placeholder_email(identity.email):
            by_email[identity.address].append(number)
    by_login = accounts_by_login(people)
    weaker = _noreply(people, by_login, by_account)
    bonds = [
        bond("account_id", "verified", members, f"both are GitHub account {account}")
        for account, members in by_account.items()
    ]
    bonds += [
        bond("noreply_login", "verified", [*by_account[account], *members], detail)
        for (account, detail), members in weaker.items()
    ]
    bonds += [
        bond("verified_email", "verified", members, f"providers have verified {address} for both")
        for address, members in by_email.items()
    ]
    bonds += [
        bond(
            "account_id", "verified", members, "one account at Sentry, named with and without host"
        )
        for members in _of_one_server(people)
    ]
    for number, identity in enumerate(people):
        login = (identity.username or "").lower()
        # GitHub names the account that a commit's address belongs to, where it knows one.
        if not identity.is_account and login and len(by_login.get(login, ())) == 1:
            detail = f"GitHub puts the login {login} beside this commit address"
            bonds.append(bond("provider_login", "verified", [*by_login[login], number], detail))
    return [each for each in bonds if len(each.members) > 1]


def accounts_by_login(people: Sequence[Identity]) -> dict[str, list[int]]:
    """GitHub accounts by each login that they have or had, in lower case with the host.

    A login that was given up may be another account's now, so by itself it names neither.
    """
    by_login: dict[str, list[int]] = defaultdict(list)
    for number, identity in enumerate(people):
        if identity.source == "github" and identity.kind != "organization":
            host = keys.host_of(identity.source_id)
            logins = {*identity.logins, identity.username} - {None, ""}
            for login in {str(login).lower() for login in logins}:
                by_login[email_addresses.login_at_host(login, host)].append(number)
    return dict(by_login)


def _noreply(
    people: Sequence[Identity],
    by_login: dict[str, list[int]],
    by_account: dict[str, list[int]],
) -> dict[tuple[str, str], list[int]]:
    """Adds noreply addresses with an account's id to `by_account`; returns those with a login only.

    The result is by account and detail. A login that is unknown, or that two accounts had at different
    times, names no account.
    """
    noreply = {
        number: account
        for number, identity in enumerate(people)
        if identity.source != "github"
        and (account := email_addresses.noreply_account(identity.email))
    }
    # An id in an address names an account even if that has no identity here.
    ids_of_login: dict[str, set[str]] = defaultdict(set)
    for login, members in by_login.items():
        ids_of_login[login].update(people[number].source_id for number in members)
    for account_id, login in noreply.values():
        if account_id is not None:
            ids_of_login[login].add(account_id)
    weaker: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number, (account_id, login) in noreply.items():
        if account_id is not None:
            by_account[account_id].append(number)
        elif len(ids_of_login[login]) == 1:
            detail = f"GitHub's noreply address has the account's login {login}"
            weaker[next(iter(ids_of_login[login])), detail].append(number)
    return weaker


def _of_one_server(people: Sequence[Identity]) -> list[list[int]]:
    """Pairs of one Sentry account with and without its server, which comments leave out.

    The name tells it from accounts with the same number on other servers.
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
            name = plain(people[bare[account]].name)
            same = [number for number in members if plain(people[number].name) == name]
            if len(same) == 1:
                groups.append([bare[account], *same])
    return groups


# Evidence that an identity is one account. A verified address is not: two accounts can have it.
_OF_AN_ACCOUNT = frozenset({"account_id", "noreply_login", "provider_login"})


def bots(people: Sequence[Identity], verified: Sequence[Bond]) -> list[bool]:
    """Whether each identity is a bot: by itself, by its account, or by an address that only bots have.

    For an address, only what providers say about accounts counts: a robot that somebody registered as a
    user may have that person's address.
    """
    is_bot = [identity.is_bot for identity in people]
    for each in verified:
        members = each.members
        if each.evidence.rule in _OF_AN_ACCOUNT and any(
            is_bot[i] and people[i].is_account for i in members
        ):
            for member in members:
                # Another account's own provider says whether that one is a bot.
                is_bot[member] = is_bot[member] or not people[member].is_account
    by_address: dict[str, set[bool]] = defaultdict(set)
    for number, identity in enumerate(people):
        counts = not identity.is_account or not is_bot[number]
        if (
            identity.email_verified
            and counts
            and not email_addresses.is_placeholder_email(identity.email)
        ):
            by_address[identity.address].add(is_bot[number])
    return [
        by_itself
        or (not people[number].is_account and by_address.get(people[number].address) == {True})
        for number, by_itself in enumerate(is_bot)
    ]
