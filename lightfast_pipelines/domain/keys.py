"""The keys of entities that several rooms or providers name, one function for each kind.

A key is made of ids that survive renames, never of display names. While only a name is known, an alias
(`github:ref:...`) takes the key's place until the entity arrives. Keys of entities that only one
provider names are in its folder (`providers/NAME/keys.py`).
"""

from __future__ import annotations

import hashlib
import re
from base64 import urlsafe_b64encode
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

GITHUB = "github.com"
"""The host whose ids and names are used in keys as they are; those of other hosts carry the host."""

# An index row of Postgres holds 2,700 bytes; the widest index has two keys and some short columns.
LONGEST_KEY = 700
# A character takes at most four bytes.
ALWAYS_FITS = LONGEST_KEY // 4
_BEGINNING = 300
_BEFORE_A_KEY = ("observation:", "candidate:address:")
_BREAKS = re.compile(r"[/:#\s](?=[^/:#\s]*$)")

_Parameters = ParamSpec("_Parameters")


def bounded(key: str) -> str:
    """The key, or if it is longer than LONGEST_KEY bytes, its beginning and a hash of the whole.

    Every indexed value passes through here where it is made (`fits_an_index`) and again where it is
    stated (`events.py`), so that writers and readers of a key agree. Two long keys with the same
    beginning stay different. A prefix before another key leaves that key unchanged.

    >>> bounded("github:branch:1:main")
    'github:branch:1:main'
    >>> len(bounded("github:branch:1:" + "a" * 5_000))
    341
    """
    if len(key) <= ALWAYS_FITS:
        return key
    for prefix in _BEFORE_A_KEY:
        if key.startswith(prefix):
            return prefix + bounded(key[len(prefix) :])
    whole = key.encode("utf-8", "surrogatepass")
    if len(whole) <= LONGEST_KEY:
        return key
    beginning = whole[:_BEGINNING].decode("utf-8", "ignore")
    # Never cut inside a word: part of a token would no longer be recognized as a secret.
    word = _BREAKS.search(beginning, _BEGINNING // 3)
    if word is not None:
        beginning = beginning[: word.end()]
    return f"{beginning}…{hashlib.sha256(whole).hexdigest()[:40]}"


def fits_an_index(make: Callable[_Parameters, str]) -> Callable[_Parameters, str]:
    @wraps(make)
    def bounded_key(*args: _Parameters.args, **named: _Parameters.kwargs) -> str:
        key = make(*args, **named)
        return key if len(key) <= ALWAYS_FITS else bounded(key)

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


@fits_an_index
def github_release(repository_id: int | str, tag: str) -> str:
    return f"github:release:{repository_id}:{tag}"


def github_discussion(repository_id: int | str, number: int | str) -> str:
    return f"github:discussion:{repository_id}#{number}"


def at_host(number: int | str, host: str) -> str:
    """An id of GitHub's with its host, because an Enterprise Server counts from 1 as well."""
    return str(number) if host == GITHUB else f"{number}@{host}"


def host_of(number: str) -> str:
    """The host in an id from `at_host`."""
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
    """A repository as the owner of names; followed by `#5` it is the alias of its number 5."""
    return f"github:ref:{repository_id}"


def owner_alias(alias: str) -> str:
    """The first part of a repository's name: `github:ref:acme/` of `github:ref:acme/shop`."""
    return alias[: alias.rfind("/") + 1]


def named_number(key: str) -> tuple[str, str] | None:
    """(alias of the repository, `#5`) of an alias by a repository's name; None for any other key."""
    match = _NAMED_NUMBER.match(key)
    return (match[1], match[2]) if match else None


def number_by_id(alias: str) -> bool:
    """Whether an alias of a number contains its repository's id, which never changes."""
    return _BY_ID.match(alias) is not None


@fits_an_index
def moved(alias: str) -> str:
    """The alias that an item claims after it was moved; `alias` is its old number's, by id."""
    first, _, rest = alias.partition(":ref:")
    return f"{first}:ref:moved:{rest}"


def github_number_of(key: str) -> str | None:
    """The alias by ids of an issue, pull request or discussion, made from its key."""
    match = _NUMBERED.match(key)
    return f"github:ref:{match[1]}" if match else None


@fits_an_index
def github_short_sha(sha: str) -> str:
    """Alias of a commit by the first 7 to 39 digits of its id."""
    return f"github:ref:sha:{sha.lower()}"


@fits_an_index
def github_user_by_login(login: str, host: str = GITHUB) -> str:
    """Alias of an account by its login, which can be renamed and taken over by another account."""
    return f"github:ref:{name_prefix(host)}@{login.lower()}"


@fits_an_index
def vercel_deployment_at(host: str) -> str:
    """Alias of a deployment by the host that belongs only to it: `shop-22yqytk1v-acme.vercel.app`."""
    return f"vercel:ref:{host.lower()}"


@fits_an_index
def vercel_deployment_page(name: str) -> str:
    """Alias of a deployment by its page; the address ends in the id without `dpl_`."""
    return f"vercel:ref:page:{name.removeprefix('dpl_')}"


@fits_an_index
def linear_issue_by_identifier(identifier: str) -> str:
    """Alias of a Linear issue by its identifier (`ENG-12`), which changes when the team's key changes."""
    return f"linear:ref:{identifier.upper()}"


@fits_an_index
def linear_issue_by_address(organization: str, identifier: str) -> str:
    """Alias of a Linear issue by its address, because two organisations can have the same team key."""
    return f"linear:ref:{organization.lower()}/{identifier.upper()}"


@fits_an_index
def linear_page(organization: str, kind: str, page_id: str) -> str:
    """Alias of a project, initiative or document by its address: `linear.app/acme/project/shop-1f2e`."""
    return f"linear:ref:{organization.lower()}/{kind.lower()}/{page_id.lower()}"


@fits_an_index
def linear_issue_by_branch(branch: str) -> str:
    """Alias of a Linear issue by the branch name that Linear proposes for it."""
    return f"linear:ref:branch:{branch.lower()}"


@fits_an_index
def candidate_name(name: str) -> str:
    """A word that is an issue's identifier only if an issue claims it: `K8S-12`."""
    return f"candidate:name:{name.upper()}"


@fits_an_index
def candidate_address(alias: str) -> str:
    """An address that counts only if an entity claims `alias`."""
    return f"candidate:address:{alias}"


@fits_an_index
def candidate_branch(branch: str) -> str:
    """A branch's name, which means an issue only if the issue claims the name or the identifier in it."""
    return f"candidate:branch:{branch.lower()}"


@fits_an_index
def candidate_number(full_name: str, number: int | str, host: str) -> str:
    """A number in an address at another host, which counts only if deliveries of that host come in."""
    return f"candidate:number:{host}/{full_name.lower()}#{number}"


@fits_an_index
def sentry_issue_by_short_id(short_id: str) -> str:
    """Alias of a Sentry issue by its short id (`SHOP-1A`), which pages and commits use."""
    return f"sentry:ref:{short_id.upper()}"


SENTRY_CLOUD = "sentry.io"


def sentry_site(host: str) -> str:
    """`sentry.io` for all of its regions and organisations, otherwise the server itself."""
    host = host.lower()
    return SENTRY_CLOUD if host == SENTRY_CLOUD or host.endswith(f".{SENTRY_CLOUD}") else host


def at_sentry_site(number: int | str, site: str) -> str:
    """A number of Sentry's with its server, because each server counts from 1; sentry.io's stay bare."""
    return str(number) if site == SENTRY_CLOUD else f"{number}@{site}"


@fits_an_index
def sentry_issue_by_address(site: str, issue_id: int | str) -> str:
    """Alias of a Sentry issue by an address with its number, which is unique only on its server."""
    return f"sentry:ref:{site}/issue:{issue_id}"


@fits_an_index
def sentry_issue_in(site: str, organization: str, short_id: str) -> str:
    """Alias of a Sentry issue by an address with its short id, which is unique in an organisation."""
    return f"sentry:ref:{site}/{organization.lower()}/{short_id.upper()}"


@fits_an_index
def sentry_merged_issue(issue_id: int | str) -> str:
    """Alias of the issue that another one was merged into, by the number (`at_sentry_site`) of the
    merged issue.

    It begins with that number, as aliases made of ids do, so it takes precedence over the merged
    issue's own claim.
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
def service(name: str) -> str:
    """A service by the name that texts use.

    >>> service("Payment Gateway")
    'service:payment-gateway'
    """
    return f"service:{'-'.join(name.lower().split())}"


@fits_an_index
def source_id(entity_key: str, transition: str, discriminator: str | int | None = None) -> str:
    """Identity of an observation: its subject, what happened, and a discriminator for repetitions.

    >>> source_id("github:pr:1#2", "reopened", "2024-05-01T10:00:00Z")
    'github:pr:1#2|reopened|2024-05-01T10:00:00Z'
    """
    parts = [entity_key, transition]
    if discriminator is not None:
        parts.append(str(discriminator))
    return "|".join(parts)


@fits_an_index
def telling(source_id: str) -> str:
    """An observation as an entity, which another observation of the same event can supersede."""
    return f"observation:{source_id}"


def external_id(org_id: str, workspace_slug: str, source_id: str) -> str:
    """21 URL-safe characters, the same in any database."""
    digest = hashlib.sha256(
        "\x1f".join((org_id, workspace_slug, source_id)).encode("utf-8", "replace")
    ).digest()
    return urlsafe_b64encode(digest)[:21].decode()


@fits_an_index
def git_identity(name: str | None, email: str | None) -> str:
    """`Name <address>` with the address in lower case, as a commit names its author."""
    return f"{(name or '').strip()} <{(email or '').strip().lower()}>"
