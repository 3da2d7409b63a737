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

# key prefix -> category of the entity; the longest matching prefix decides.
_CATEGORIES = {
    "github:pr": "pull_request",
    "github:issue": "issue",
    "github:commit": "commit",
    "github:branch": "branch",
    "github:tag": "tag",
    "github:release": "release",
    "github:discussion": "discussion",
    "github:repository": "repository",
    "github:deployment": "deployment",
    "github:workflow-run": "workflow_run",
    "github:milestone": "milestone",
    "github:comment": "comment",
    "github:label": "label",
    "github:review-thread": "review_thread",
    "github:alert": "security_alert",
    "github:project": "project",
    "github:project-item": "project_item",
    "github:ref": "reference",
    "vercel:deployment": "deployment",
    "vercel:project": "project",
    "vercel:ref": "reference",
    "linear:issue": "issue",
    "linear:project": "project",
    "linear:cycle": "cycle",
    "linear:team": "team",
    "linear:comment": "comment",
    "linear:milestone": "milestone",
    "linear:label": "label",
    "linear:reaction": "reaction",
    "linear:attachment": "attachment",
    "linear:project-update": "project_update",
    "linear:initiative": "initiative",
    "linear:initiative-update": "initiative_update",
    "linear:document": "document",
    "linear:release": "release",
    "linear:release-note": "release_note",
    "linear:customer": "customer",
    "linear:customer-need": "customer_need",
    "linear:issue-relation": "issue_relation",
    "linear:ref": "reference",
    "sentry:issue": "issue",
    "sentry:project": "project",
    "sentry:release": "release",
    "sentry:alert": "alert",
    "sentry:comment": "comment",
    "sentry:team": "team",
    "sentry:seer-run": "agent_run",
    "sentry:ref": "reference",
    "candidate:name": "reference",
    "candidate:branch": "reference",
    "candidate:number": "reference",
    "candidate:address": "reference",
    "observation": "observation",
    "user": "user",
    "file": "file",
    "endpoint": "endpoint",
    "error": "error",
    "config": "config",
    "service": "service",
}

# An index row of Postgres's holds 2,700 bytes, and the widest of ours two keys and some short columns.
LONGEST_KEY = 700
_BEGINNING = 300
_BEFORE_A_KEY = ("observation:", "candidate:address:")
_BREAKS = re.compile(r"[/:#\s](?=[^/:#\s]*$)")

_Parameters = ParamSpec("_Parameters")


def bounded(key: str) -> str:
    """The key, or where it is longer than LONGEST_KEY bytes its beginning and a hash of the whole.

    Everything that stands in an index goes through here where it is made (`_fits_an_index`), and once
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


def _fits_an_index(make: Callable[_Parameters, str]) -> Callable[_Parameters, str]:
    @wraps(make)
    def bounded_key(*args: _Parameters.args, **named: _Parameters.kwargs) -> str:
        return bounded(make(*args, **named))

    return bounded_key


_BY_ID = re.compile(r"^github:ref:\d+(?:@[^#:]+)?#")
_NAMED_NUMBER = re.compile(r"^(github:ref:[^#:@]+/[^#:@]+)(#\d+)$")
_NUMBERED = re.compile(r"^github:(?:pr|issue|discussion):([^:#]+#\d+)$")


def category_of(key: str) -> str:
    """The category of an entity, read off its key; `other` for a prefix nobody declared."""
    first, _, rest = key.partition(":")
    return _CATEGORIES.get(f"{first}:{rest.partition(':')[0]}") or _CATEGORIES.get(first, "other")


def categories() -> dict[str, str]:
    """Beginning of a key -> category, for all that are declared."""
    return dict(_CATEGORIES)


def is_stub(key: str) -> bool:
    """Whether the key is an alias that waits for the thing it names."""
    return category_of(key) == "reference"


def is_candidate(key: str) -> bool:
    """Whether the key only may be a name: it stands for a thing that claims it, and for nothing else."""
    return key.startswith("candidate:")


def github_pull_request(repository_id: int | str, number: int | str) -> str:
    return f"github:pr:{repository_id}#{number}"


def github_issue(repository_id: int | str, number: int | str) -> str:
    return f"github:issue:{repository_id}#{number}"


@_fits_an_index
def github_commit(sha: str) -> str:
    return f"github:commit:{sha.lower()}"


@_fits_an_index
def github_branch(repository_id: int | str, ref: str) -> str:
    """`ref` is the branch's name without `refs/heads/`."""
    return f"github:branch:{repository_id}:{ref}"


@_fits_an_index
def github_tag(repository_id: int | str, tag: str) -> str:
    return f"github:tag:{repository_id}:{tag}"


@_fits_an_index
def github_release(repository_id: int | str, tag: str) -> str:
    return f"github:release:{repository_id}:{tag}"


def github_discussion(repository_id: int | str, number: int | str) -> str:
    return f"github:discussion:{repository_id}#{number}"


@_fits_an_index
def github_repository(repository_id: int | str) -> str:
    return f"github:repository:{repository_id}"


@_fits_an_index
def github_label(repository_id: int | str, name: str) -> str:
    return f"github:label:{repository_id}:{name}"


def github_milestone(repository_id: int | str, number: int | str) -> str:
    return f"github:milestone:{repository_id}#{number}"


def github_deployment(repository_id: int | str, deployment_id: int | str) -> str:
    return f"github:deployment:{repository_id}:{deployment_id}"


@_fits_an_index
def github_comment(kind: str, comment_id: int | str) -> str:
    """Key of a comment's own state: it is no entity. `kind` (`comment`, `review-comment`,
    `discussion-comment`, `commit-comment`), as each kind's ids count apart."""
    return f"github:comment:{kind}:{comment_id}"


def github_review_thread(repository_id: int | str, comment_id: int | str) -> str:
    """`comment_id` is that of the thread's first comment: the API's number of the thread is another."""
    return f"github:review-thread:{repository_id}:{comment_id}"


def github_alert(kind: str, repository_id: int | str, number: int | str) -> str:
    """`kind` (`dependabot`, `code-scanning`, `secret-scanning`), as each kind's numbers count apart."""
    return f"github:alert:{kind}:{repository_id}#{number}"


@_fits_an_index
def github_project(node_id: str) -> str:
    """A board of an organisation or a person, by GitHub's global id: webhooks name no other."""
    return f"github:project:{node_id}"


@_fits_an_index
def github_project_item(item_id: int | str) -> str:
    return f"github:project-item:{item_id}"


def github_workflow_run(run_id: int | str) -> str:
    return f"github:workflow-run:{run_id}"


def at_host(number: int | str, host: str) -> str:
    """An id of GitHub's with the host that gave it: a server of one's own counts from 1 as well."""
    return str(number) if host == GITHUB else f"{number}@{host}"


def host_of(number: str) -> str:
    """The host in an id that `at_host` made."""
    return number.partition("@")[2] or GITHUB


def bare_number(number: str) -> str:
    """The id without its host, as the host's own API knows it."""
    return number.partition("@")[0]


def _at(host: str) -> str:
    return "" if host == GITHUB else f"{host}/"


@_fits_an_index
def github_number_by_name(full_name: str, number: int | str, host: str = GITHUB) -> str:
    """Alias of an issue, pull request or discussion by its repository's name (names ignore case)."""
    return f"github:ref:{_at(host)}{full_name.lower()}#{number}"


@_fits_an_index
def github_number_by_id(repository_id: int | str, number: int | str) -> str:
    """Alias of an issue, pull request or discussion by its repository's id: survives a rename."""
    return f"github:ref:{repository_id}#{number}"


@_fits_an_index
def github_repository_by_name(full_name: str, host: str = GITHUB) -> str:
    return f"github:ref:{_at(host)}{full_name.lower()}"


@_fits_an_index
def github_place(repository_id: int | str) -> str:
    """A repository as the holder of names: with `#5` after it, the alias of its number 5."""
    return f"github:ref:{repository_id}"


@_fits_an_index
def github_owner_by_name(login: str, host: str = GITHUB) -> str:
    """An owner as the first part of the names of its repositories."""
    return f"github:ref:{_at(host)}{login.lower()}/"


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


@_fits_an_index
def moved(alias: str) -> str:
    """Claimed by what a thing (alias by its ids) became when it was moved to another place."""
    first, _, rest = alias.partition(":ref:")
    return f"{first}:ref:moved:{rest}"


def github_number_of(key: str) -> str | None:
    """Alias by ids of an issue, pull request or discussion, from its own key."""
    match = _NUMBERED.match(key)
    return f"github:ref:{match[1]}" if match else None


@_fits_an_index
def github_short_sha(sha: str) -> str:
    """Alias of a commit by the first 7 to 39 digits of its id."""
    return f"github:ref:sha:{sha.lower()}"


@_fits_an_index
def github_user_by_login(login: str, host: str = GITHUB) -> str:
    """Alias of an account by its login, which can be renamed and taken over: never a stable id."""
    return f"github:ref:{_at(host)}@{login.lower()}"


@_fits_an_index
def vercel_deployment(deployment_id: str) -> str:
    return f"vercel:deployment:{deployment_id}"


@_fits_an_index
def vercel_deployment_at(host: str) -> str:
    """Alias of a deployment by the host under which it alone is reached: `shop-22yqytk1v-acme.vercel.app`."""
    return f"vercel:ref:{host.lower()}"


@_fits_an_index
def vercel_deployment_page(name: str) -> str:
    """Alias of a deployment by its page, whose address ends in its id without `dpl_`."""
    return f"vercel:ref:page:{name.removeprefix('dpl_')}"


@_fits_an_index
def vercel_project(project_id: str) -> str:
    return f"vercel:project:{project_id}"


@_fits_an_index
def linear_issue(issue_id: str) -> str:
    return f"linear:issue:{issue_id}"


@_fits_an_index
def linear_project(project_id: str) -> str:
    return f"linear:project:{project_id}"


@_fits_an_index
def linear_cycle(cycle_id: str) -> str:
    return f"linear:cycle:{cycle_id}"


@_fits_an_index
def linear_team(team_id: str) -> str:
    return f"linear:team:{team_id}"


def linear_organization(organization_id: str) -> str:
    """Linear's own word for a customer's account; only a resource, never a thing of the memory."""
    return f"linear:organization:{organization_id}"


@_fits_an_index
def linear_milestone(milestone_id: str) -> str:
    return f"linear:milestone:{milestone_id}"


@_fits_an_index
def linear_label(label_id: str) -> str:
    return f"linear:label:{label_id}"


@_fits_an_index
def linear_comment(comment_id: str) -> str:
    return f"linear:comment:{comment_id}"


@_fits_an_index
def linear_comment_by_id(comment_id: str) -> str:
    """Alias, claimed by what a comment was written on: a reaction names the comment alone."""
    return f"linear:ref:comment:{comment_id}"


@_fits_an_index
def linear_project_update_by_id(update_id: str) -> str:
    """Alias, claimed by the project of an update."""
    return f"linear:ref:project-update:{update_id}"


@_fits_an_index
def linear_project_update(update_id: str) -> str:
    """Begins the ids of its observations: what is remembered is the project."""
    return f"linear:project-update:{update_id}"


@_fits_an_index
def linear_initiative(initiative_id: str) -> str:
    return f"linear:initiative:{initiative_id}"


@_fits_an_index
def linear_initiative_update(update_id: str) -> str:
    """Begins the ids of its observations: what is remembered is the initiative."""
    return f"linear:initiative-update:{update_id}"


@_fits_an_index
def linear_initiative_update_by_id(update_id: str) -> str:
    """Alias, claimed by the initiative of an update."""
    return f"linear:ref:initiative-update:{update_id}"


@_fits_an_index
def linear_document(document_id: str) -> str:
    return f"linear:document:{document_id}"


@_fits_an_index
def linear_release(release_id: str) -> str:
    return f"linear:release:{release_id}"


@_fits_an_index
def linear_release_note(note_id: str) -> str:
    return f"linear:release-note:{note_id}"


@_fits_an_index
def linear_customer(customer_id: str) -> str:
    return f"linear:customer:{customer_id}"


@_fits_an_index
def linear_customer_need(need_id: str) -> str:
    """Begins the ids of its observations: what is remembered is the issue or project it asks for."""
    return f"linear:customer-need:{need_id}"


@_fits_an_index
def linear_issue_relation(relation_id: str) -> str:
    """Begins the ids of its observations: what is remembered is the issue that it starts from."""
    return f"linear:issue-relation:{relation_id}"


@_fits_an_index
def linear_attachment(attachment_id: str) -> str:
    return f"linear:attachment:{attachment_id}"


@_fits_an_index
def linear_reaction(reaction_id: str) -> str:
    return f"linear:reaction:{reaction_id}"


@_fits_an_index
def linear_issue_by_identifier(identifier: str) -> str:
    """Alias of a Linear issue by its identifier (`ENG-12`): it changes when the team's key does."""
    return f"linear:ref:{identifier.upper()}"


@_fits_an_index
def linear_issue_by_address(organization: str, identifier: str) -> str:
    """Alias of a Linear issue by its address: two organisations can have a team of the same key."""
    return f"linear:ref:{organization.lower()}/{identifier.upper()}"


@_fits_an_index
def linear_page(organization: str, kind: str, page_id: str) -> str:
    """Alias of a project, initiative or document by its address: `linear.app/acme/project/shop-1f2e`."""
    return f"linear:ref:{organization.lower()}/{kind.lower()}/{page_id.lower()}"


@_fits_an_index
def linear_issue_by_branch(branch: str) -> str:
    """Alias of a Linear issue by the branch's name that Linear proposes for it."""
    return f"linear:ref:branch:{branch.lower()}"


@_fits_an_index
def candidate_name(name: str) -> str:
    """A word of a text that is an issue's identifier only if some issue says so: `K8S-12`."""
    return f"candidate:name:{name.upper()}"


@_fits_an_index
def candidate_address(alias: str) -> str:
    """An address that is a thing's only if some thing announced it; `alias` is what that would claim."""
    return f"candidate:address:{alias}"


@_fits_an_index
def candidate_branch(branch: str) -> str:
    """A branch's name, which means an issue only if the issue announced the name or what is in it."""
    return f"candidate:branch:{branch.lower()}"


@_fits_an_index
def candidate_number(full_name: str, number: int | str, host: str) -> str:
    """A number in an address at some host, which means something only if that is a GitHub we know."""
    return f"candidate:number:{host}/{full_name.lower()}#{number}"


@_fits_an_index
def sentry_issue(project_id: int | str, issue_id: int | str) -> str:
    """`project_id` carries its server (`at_sentry_site`), as in all keys that are made of one."""
    return f"sentry:issue:{project_id}:{issue_id}"


@_fits_an_index
def sentry_project(project_id: int | str) -> str:
    return f"sentry:project:{project_id}"


@_fits_an_index
def sentry_release(organization: str, version: str) -> str:
    """`organization` is its slug: a release's version is unique in it, and addresses name it."""
    return f"sentry:release:{organization}:{version}"


@_fits_an_index
def sentry_alert(organization: int | str, rule_id: int | str) -> str:
    """A metric rule; `organization` is its number, else its slug or installation."""
    return f"sentry:alert:{organization}:{rule_id}"


@_fits_an_index
def sentry_issue_alert(project_id: int | str, name: str) -> str:
    """An issue rule, by its project and name: its number does not come with every payload."""
    return f"sentry:alert:issues:{project_id}:{name}"


@_fits_an_index
def sentry_team(team_id: int | str) -> str:
    return f"sentry:team:{team_id}"


@_fits_an_index
def sentry_comment(comment_id: int | str) -> str:
    return f"sentry:comment:{comment_id}"


@_fits_an_index
def sentry_project_by_slug(organization: str, slug: str) -> str:
    """Alias of a Sentry project by its address (`acme/shop`), which can be renamed."""
    return f"sentry:ref:project:{organization}/{slug}"


@_fits_an_index
def sentry_release_by_installation(installation: str, version: str) -> str:
    """Alias of a release where a payload tells only the installation, not the organisation."""
    return f"sentry:ref:release:{installation}:{version}"


@_fits_an_index
def sentry_issue_by_short_id(short_id: str) -> str:
    """Alias of a Sentry issue by its short id (`SHOP-1A`), which every page and commit names it by."""
    return f"sentry:ref:{short_id.upper()}"


@_fits_an_index
def sentry_issue_by_id(issue_id: int | str) -> str:
    """Alias of a Sentry issue by its number alone, as a comment on it names it."""
    return f"sentry:ref:issue:{issue_id}"


SENTRY_CLOUD = "sentry.io"


def sentry_site(host: str) -> str:
    """`sentry.io` for all of its regions and organisations, else the server itself."""
    host = host.lower()
    return SENTRY_CLOUD if host == SENTRY_CLOUD or host.endswith(f".{SENTRY_CLOUD}") else host


def at_sentry_site(number: int | str, site: str) -> str:
    """A number of Sentry's with the server that gave it, as each counts from 1; sentry.io's stay bare."""
    return str(number) if site == SENTRY_CLOUD else f"{number}@{site}"


def sentry_organization(site: str, slug: str) -> str:
    """An organisation as keys name it: with its server in front where that is not sentry.io."""
    return slug if site == SENTRY_CLOUD else f"{site}/{slug}"


@_fits_an_index
def sentry_issue_by_address(site: str, issue_id: int | str) -> str:
    """Alias of a Sentry issue by an address with its number: every server counts its own."""
    return f"sentry:ref:{site}/issue:{issue_id}"


@_fits_an_index
def sentry_issue_in(site: str, organization: str, short_id: str) -> str:
    """Alias of a Sentry issue by an address with its short id, which is unique in an organisation."""
    return f"sentry:ref:{site}/{organization.lower()}/{short_id.upper()}"


@_fits_an_index
def sentry_merged_issue(issue_id: int | str) -> str:
    """Alias of the issue that another one was merged into, by the number (`at_sentry_site`) of the one
    that is gone.

    It begins with that number, as aliases made of ids do: so it is believed before the claim of the
    merged issue itself.
    """
    return f"sentry:ref:{issue_id}:merged"


@_fits_an_index
def sentry_seer_run(run_id: int | str) -> str:
    return f"sentry:seer-run:{run_id}"


@_fits_an_index
def user(provider: str, account_id: int | str) -> str:
    return f"user:{provider}:{account_id}"


@_fits_an_index
def file(path: str) -> str:
    return f"file:{path}"


@_fits_an_index
def endpoint(method: str, path: str) -> str:
    return f"endpoint:{method.upper()} {path}"


@_fits_an_index
def error(name: str) -> str:
    return f"error:{name}"


@_fits_an_index
def config(name: str) -> str:
    return f"config:{name}"


@_fits_an_index
def service(name: str) -> str:
    return f"service:{name.lower()}"


@_fits_an_index
def source_id(entity_key: str, transition: str, discriminator: str | int | None = None) -> str:
    """Identity of an observation: what it is about, what happened to it, and which time it was.

    >>> source_id("github:pr:1#2", "reopened", "2024-05-01T10:00:00Z")
    'github:pr:1#2|reopened|2024-05-01T10:00:00Z'
    """
    parts = [entity_key, transition]
    if discriminator is not None:
        parts.append(str(discriminator))
    return "|".join(parts)


@_fits_an_index
def telling(source_id: str) -> str:
    """An observation as something that can itself be superseded: another tells the same from now on."""
    return f"observation:{source_id}"


def external_id(org_id: str, workspace_slug: str, source_id: str) -> str:
    """21 URL-safe characters, the same in any database."""
    digest = hashlib.sha256(
        "\x1f".join((org_id, workspace_slug, source_id)).encode("utf-8", "replace")
    ).digest()
    return urlsafe_b64encode(digest)[:21].decode()


_NOREPLY = re.compile(
    r"^(?:(?P<id>\d+)\+)?(?P<login>[A-Za-z0-9][A-Za-z0-9_-]*(?:\[bot\])?)@users\.noreply\.(?P<host>[a-z0-9.-]+)$",
    re.IGNORECASE,
)
_PLACEHOLDER_HOSTS = frozenset(
    {
        *("localhost", "none", "(none)", "example.com", "example.org", "example.net"),
        *("example.edu", "domain.com", "mydomain.com", "yourdomain.com", "yourcompany.com"),
        *("email.com", "test.com"),
    }
)
# Names that a machine has in its own network, so that there are many of each.
_MACHINE_HOSTS = (
    *(".local", ".localhost", ".localdomain", ".internal", ".lan", ".home", ".intranet"),
    *(".(none)", ".invalid", ".example", ".home.arpa", ".fritz.box", ".amazonaws.com"),
    *(".cloudapp.net", ".cloudapp.azure.com"),
)
_ADDRESS_OF_A_NETWORK = re.compile(r"\[?(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f]*:[0-9a-f:.]*)\]?")
_PLACEHOLDER_LOCALS = frozenset(
    {
        *("none", "root", "noreply", "no-reply", "donotreply", "do-not-reply", "unknown"),
        *("nobody", "you", "devnull", "your.email", "youremail", "your-email", "your_email"),
        *("your.name", "yourname", "your-name", "your_name", "email", "username", "example"),
    }
)
# What several people of a team or of a machine write as.
_SHARED_LOCALS = frozenset(
    {
        *("admin", "administrator", "sysadmin", "webmaster", "postmaster", "hostmaster"),
        *("dev", "devs", "developer", "developers", "development", "team", "engineering"),
        *("eng", "tech", "it", "ops", "devops", "sre", "security", "support", "help", "info"),
        *("hello", "hi", "contact", "office", "mail", "staff", "all", "everyone", "code"),
        *("ci", "cd", "build", "builds", "builder", "deploy", "deployer", "release"),
        *("releases", "jenkins", "runner", "git", "github", "gitlab", "svn", "bot", "user"),
        *("ubuntu", "debian", "centos", "fedora", "ec2-user", "azureuser", "vagrant"),
        *("docker", "pi", "codespace", "gitpod", "vscode", "app", "www-data", "test"),
    }
)
_LIST_HOSTS = ("googlegroups.com", "groups.io", "vger.kernel.org", "lists.sourceforge.net")
_LIST_HOST = re.compile(r"(?:lists?|groups|mailman|listserv)\d*\.")
_LIST_LOCAL = re.compile(r".*-(?:list|lists|devel|announce|commits|discuss|users|patches)")


@_fits_an_index
def git_identity(name: str | None, email: str | None) -> str:
    """`Name <address>` with the address in lower case: what a commit says of who wrote it."""
    return f"{(name or '').strip()} <{(email or '').strip().lower()}>"


def noreply_account(email: str | None) -> tuple[str | None, str] | None:
    """(account id or None, login) of a GitHub noreply address, which only GitHub hands out.

    Both carry the host where it is a server of one's own: `users.noreply.HOST`. Format:
    docs.github.com, "Setting your commit email address".
    """
    match = _NOREPLY.match((email or "").strip())
    if match is None:
        return None
    host = match["host"].lower()
    number = at_host(match["id"], host) if match["id"] else None
    return number, login_at_host(match["login"], host)


def login_at_host(login: str, host: str) -> str:
    """A login in lower case, with its host where that is not github.com."""
    return at_host(login.lower(), host)


def is_placeholder_email(email: str | None) -> bool:
    """Whether an address says nothing of who wrote: blank, a well-known filler, or a machine's own."""
    local, at, host = (email or "").strip().lower().rpartition("@")
    if not at or not local or not host:
        return True
    if noreply_account(email):
        return False
    return (
        host in _PLACEHOLDER_HOSTS
        or host.endswith(_MACHINE_HOSTS)
        or _ADDRESS_OF_A_NETWORK.fullmatch(host) is not None
        or local in _PLACEHOLDER_LOCALS
    )


def is_shared_email(email: str | None) -> bool:
    """Whether several people may write with an address: a team's (`dev@`), a list's, or `name@machine`."""
    local, _, host = (email or "").strip().lower().rpartition("@")
    if local in _SHARED_LOCALS or "." not in host:
        return True
    is_list = host.endswith(_LIST_HOSTS) or _LIST_HOST.match(host) or _LIST_LOCAL.fullmatch(local)
    return bool(is_list)
