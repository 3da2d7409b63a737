"""Every key and id of the memory, one function a kind, shared by those who write and those who read.

Keys are made of ids that survive renames, never of display names; where only a name is known yet,
an alias key (`github:ref:...`) stands in until the thing itself arrives.
"""

from __future__ import annotations

import hashlib
import re
from base64 import urlsafe_b64encode
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

GITHUB = "github.com"
"""The host whose ids and names stand in keys as they are; those of others carry their host."""

# An index row of Postgres's holds 2,700 bytes, and the widest of ours two keys and some short columns.
LONGEST_KEY = 700
_BEGINNING = 300
_BEFORE_A_KEY = ("observation:", "candidate:address:")
_BREAKS = re.compile(r"[/:#\s](?=[^/:#\s]*$)")

_Parameters = ParamSpec("_Parameters")


def bounded(key: str) -> str:
    """The key, or where it is longer than LONGEST_KEY bytes its beginning and a hash of the whole.

    Everything that stands in an index goes through here where it is made (`fits_an_index`), and once
    more where it is stated (`events.py`), so who writes a key and who asks for it agree. Two long keys
    that begin alike stay two. A key that is put before another one leaves that one as it is.

    >>> bounded("github:branch:1:main")
    'github:branch:1:main'
    >>> len(bounded("github:branch:1:" + "a" * 5_000))
    341
    """
    if len(key) * 4 <= LONGEST_KEY:
        return key
    for prefix in _BEFORE_A_KEY:
        if key.startswith(prefix):
            return prefix + bounded(key[len(prefix) :])
    whole = key.encode("utf-8", "surrogatepass")
    if len(whole) <= LONGEST_KEY:
        return key
    beginning = whole[:_BEGINNING].decode("utf-8", "ignore")
    # Not in the middle of a word: a part of a token would not be known as a secret any more.
    word = _BREAKS.search(beginning, _BEGINNING // 3)
    if word is not None:
        beginning = beginning[: word.end()]
    return f"{beginning}…{hashlib.sha256(whole).hexdigest()[:40]}"


def fits_an_index(make: Callable[_Parameters, str]) -> Callable[_Parameters, str]:
    @wraps(make)
    def bounded_key(*args: _Parameters.args, **named: _Parameters.kwargs) -> str:
        return bounded(make(*args, **named))

    return bounded_key


_BY_ID = re.compile(r"^github:ref:\d+(?:@[^#:]+)?#")
_NAMED_NUMBER = re.compile(r"^(github:ref:[^#:@]+/[^#:@]+)(#\d+)$")
_NUMBERED = re.compile(r"^github:(?:pr|issue|discussion):([^:#]+#\d+)$")


def github_pull_request(repository_id: int | str, number: int | str) -> str:
    return f"github:pr:{repository_id}#{number}"


def github_issue(repository_id: int | str, number: int | str) -> str:
    return f"github:issue:{repository_id}#{number}"


@fits_an_index
def github_commit(sha: str) -> str:
    return f"github:commit:{sha.lower()}"


@fits_an_index
def github_branch(repository_id: int | str, ref: str) -> str:
    """`ref` is the branch's name without `refs/heads/`."""
    return f"github:branch:{repository_id}:{ref}"


@fits_an_index
def github_tag(repository_id: int | str, tag: str) -> str:
    return f"github:tag:{repository_id}:{tag}"


def github_discussion(repository_id: int | str, number: int | str) -> str:
    return f"github:discussion:{repository_id}#{number}"


def at_host(number: int | str, host: str) -> str:
    """An id of GitHub's with the host that gave it: a server of one's own counts from 1 as well."""
    return str(number) if host == GITHUB else f"{number}@{host}"


def host_of(number: str) -> str:
    """The host in an id that `at_host` made."""
    return number.partition("@")[2] or GITHUB


def bare_number(number: str) -> str:
    """The id without its host, as the host's own API knows it."""
    return number.partition("@")[0]


def name_prefix(host: str) -> str:
    return "" if host == GITHUB else f"{host}/"


@fits_an_index
def github_number_by_name(full_name: str, number: int | str, host: str = GITHUB) -> str:
    """Alias of an issue, pull request or discussion by its repository's name (names ignore case)."""
    return f"github:ref:{name_prefix(host)}{full_name.lower()}#{number}"


@fits_an_index
def github_number_by_id(repository_id: int | str, number: int | str) -> str:
    """Alias of an issue, pull request or discussion by its repository's id: survives a rename."""
    return f"github:ref:{repository_id}#{number}"


@fits_an_index
def github_place(repository_id: int | str) -> str:
    """A repository as the holder of names: with `#5` after it, the alias of its number 5."""
    return f"github:ref:{repository_id}"


def owner_alias(alias: str) -> str:
    """The first part of a repository's name: `github:ref:acme/` of `github:ref:acme/shop`."""
    return alias[: alias.rfind("/") + 1]


def named_number(key: str) -> tuple[str, str] | None:
    """(the place's name, `#5`) of an alias by a repository's name; None for any other key."""
    match = _NAMED_NUMBER.match(key)
    return (match[1], match[2]) if match else None


def number_by_id(alias: str) -> bool:
    """Whether an alias of a number is made of its repository's id, which is given to no other."""
    return _BY_ID.match(alias) is not None


@fits_an_index
def moved(alias: str) -> str:
    """Claimed by what a thing (alias by its ids) became when it was moved to another place."""
    first, _, rest = alias.partition(":ref:")
    return f"{first}:ref:moved:{rest}"


def github_number_of(key: str) -> str | None:
    """Alias by ids of an issue, pull request or discussion, from its own key."""
    match = _NUMBERED.match(key)
    return f"github:ref:{match[1]}" if match else None


@fits_an_index
def github_short_sha(sha: str) -> str:
    """Alias of a commit by the first 7 to 39 digits of its id."""
    return f"github:ref:sha:{sha.lower()}"


@fits_an_index
def github_user_by_login(login: str, host: str = GITHUB) -> str:
    """Alias of an account by its login, which can be renamed and taken over: never a stable id."""
    return f"github:ref:{name_prefix(host)}@{login.lower()}"


@fits_an_index
def vercel_deployment_at(host: str) -> str:
    """Alias of a deployment by the host under which it alone is reached: `shop-22yqytk1v-acme.vercel.app`."""
    return f"vercel:ref:{host.lower()}"


@fits_an_index
def vercel_deployment_page(name: str) -> str:
    """Alias of a deployment by its page, whose address ends in its id without `dpl_`."""
    return f"vercel:ref:page:{name.removeprefix('dpl_')}"


@fits_an_index
def linear_issue_by_identifier(identifier: str) -> str:
    """Alias of a Linear issue by its identifier (`ENG-12`): it changes when the team's key does."""
    return f"linear:ref:{identifier.upper()}"


@fits_an_index
def linear_issue_by_address(organization: str, identifier: str) -> str:
    """Alias of a Linear issue by its address: two organisations can have a team of the same key."""
    return f"linear:ref:{organization.lower()}/{identifier.upper()}"


@fits_an_index
def linear_page(organization: str, kind: str, page_id: str) -> str:
    """Alias of a project, initiative or document by its address: `linear.app/acme/project/shop-1f2e`."""
    return f"linear:ref:{organization.lower()}/{kind.lower()}/{page_id.lower()}"


@fits_an_index
def linear_issue_by_branch(branch: str) -> str:
    """Alias of a Linear issue by the branch's name that Linear proposes for it."""
    return f"linear:ref:branch:{branch.lower()}"


@fits_an_index
def candidate_name(name: str) -> str:
    """A word of a text that is an issue's identifier only if some issue says so: `K8S-12`."""
    return f"candidate:name:{name.upper()}"


@fits_an_index
def candidate_address(alias: str) -> str:
    """An address that is a thing's only if some thing announced it; `alias` is what that would claim."""
    return f"candidate:address:{alias}"


@fits_an_index
def candidate_branch(branch: str) -> str:
    """A branch's name, which means an issue only if the issue announced the name or what is in it."""
    return f"candidate:branch:{branch.lower()}"


@fits_an_index
def candidate_number(full_name: str, number: int | str, host: str) -> str:
    """A number in an address at some host, which means something only if that is a GitHub we know."""
    return f"candidate:number:{host}/{full_name.lower()}#{number}"


@fits_an_index
def sentry_issue_by_short_id(short_id: str) -> str:
    """Alias of a Sentry issue by its short id (`SHOP-1A`), which every page and commit names it by."""
    return f"sentry:ref:{short_id.upper()}"


SENTRY_CLOUD = "sentry.io"


def sentry_site(host: str) -> str:
    """`sentry.io` for all of its regions and organisations, else the server itself."""
    host = host.lower()
    return SENTRY_CLOUD if host == SENTRY_CLOUD or host.endswith(f".{SENTRY_CLOUD}") else host


def at_sentry_site(number: int | str, site: str) -> str:
    """A number of Sentry's with the server that gave it, as each counts from 1; sentry.io's stay bare."""
    return str(number) if site == SENTRY_CLOUD else f"{number}@{site}"


@fits_an_index
def sentry_issue_by_address(site: str, issue_id: int | str) -> str:
    """Alias of a Sentry issue by an address with its number: every server counts its own."""
    return f"sentry:ref:{site}/issue:{issue_id}"


@fits_an_index
def sentry_issue_in(site: str, organization: str, short_id: str) -> str:
    """Alias of a Sentry issue by an address with its short id, which is unique in an organisation."""
    return f"sentry:ref:{site}/{organization.lower()}/{short_id.upper()}"


@fits_an_index
def sentry_merged_issue(issue_id: int | str) -> str:
    """Alias of the issue that another one was merged into, by the number (`at_sentry_site`) of the one
    that is gone.

    It begins with that number, as aliases made of ids do: so it is believed before the claim of the
    merged issue itself.
    """
    return f"sentry:ref:{issue_id}:merged"


@fits_an_index
def user(provider: str, account_id: int | str) -> str:
    return f"user:{provider}:{account_id}"


@fits_an_index
def file(path: str) -> str:
    return f"file:{path}"


@fits_an_index
def endpoint(method: str, path: str) -> str:
    return f"endpoint:{method.upper()} {path}"


@fits_an_index
def error(name: str) -> str:
    return f"error:{name}"


@fits_an_index
def config(name: str) -> str:
    return f"config:{name}"


@fits_an_index
def source_id(entity_key: str, transition: str, discriminator: str | int | None = None) -> str:
    """Identity of an observation: what it is about, what happened to it, and which time it was.

    >>> source_id("github:pr:1#2", "reopened", "2024-05-01T10:00:00Z")
    'github:pr:1#2|reopened|2024-05-01T10:00:00Z'
    """
    parts = [entity_key, transition]
    if discriminator is not None:
        parts.append(str(discriminator))
    return "|".join(parts)


@fits_an_index
def telling(source_id: str) -> str:
    """An observation as something that can itself be superseded: another tells the same from now on."""
    return f"observation:{source_id}"


def external_id(org_id: str, workspace_slug: str, source_id: str) -> str:
    """21 URL-safe characters, the same in any database."""
    digest = hashlib.sha256(
        "\x1f".join((org_id, workspace_slug, source_id)).encode("utf-8", "replace")
    ).digest()
    return urlsafe_b64encode(digest)[:21].decode()


@fits_an_index
def git_identity(name: str | None, email: str | None) -> str:
    """`Name <address>` with the address in lower case: what a commit says of who wrote it."""
    return f"{(name or '').strip()} <{(email or '').strip().lower()}>"
