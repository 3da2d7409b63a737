"""Classifies e-mail addresses: GitHub's noreply addresses, placeholders, shared addresses."""

from __future__ import annotations

import re

from lightfast_pipelines.domain.keys import at_host

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
# Endings of host names inside private networks, where many machines have the same name.
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
# Names that several people of a team or on a machine use.
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


def noreply_account(email: str | None) -> tuple[str | None, str] | None:
    """(account id or None, login) of a noreply address, which only GitHub assigns.

    Both carry the host of an Enterprise Server (`users.noreply.HOST`). Format:
    docs.github.com, "Setting your commit email address".
    """
    match = _NOREPLY.match((email or "").strip())
    if match is None:
        return None
    host = match["host"].lower()
    number = at_host(match["id"], host) if match["id"] else None
    return number, login_at_host(match["login"], host)


def login_at_host(login: str, host: str) -> str:
    """A login in lower case, with its host unless that is github.com."""
    return at_host(login.lower(), host)


def is_placeholder_email(email: str | None) -> bool:
    """Whether an address identifies nobody: blank, a well-known placeholder, or a machine's."""
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
    """Whether several people may use an address: a team's (`dev@`), a mailing list's, `name@machine`."""
    local, _, host = (email or "").strip().lower().rpartition("@")
    if local in _SHARED_LOCALS or "." not in host:
        return True
    is_list = host.endswith(_LIST_HOSTS) or _LIST_HOST.match(host) or _LIST_LOCAL.fullmatch(local)
    return bool(is_list)
