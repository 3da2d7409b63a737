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
# Words that one person chooses for an address and another one too.
_CHOSEN_LOCALS = frozenset(
    {
        *("linux", "kernel", "python", "opensource", "oss", "foss", "software", "coding", "spam"),
        *("lists", "mailinglists", "maillist", "subscriptions", "patches", "bugs", "gitlist"),
        *("public", "private", "personal", "work", "home", "web", "www", "social", "email"),
        *("kontakt", "me", "myself", "contato", "contacto", "hey", "ich", "moi", "post"),
    }
)
# Where everybody has an address, or many who do not work together.
_PUBLIC_HOSTS = frozenset(
    {
        *("gmail.com", "googlemail.com", "google.mail.com", "outlook.com", "hotmail.com"),
        *("live.com", "msn.com", "icloud.com", "me.com", "mac.com", "qq.com", "foxmail.com"),
        *("163.com", "126.com", "139.com", "sina.com", "sina.cn", "sohu.com", "aliyun.com"),
        *("web.de", "mail.ru", "bk.ru", "inbox.ru", "list.ru", "ya.ru", "rambler.ru", "ukr.net"),
        *("protonmail.com", "protonmail.ch", "proton.me", "pm.me", "aol.com", "zoho.com"),
        *("fastmail.com", "fastmail.fm", "mailbox.org", "posteo.de", "posteo.net", "riseup.net"),
        *("tutanota.com", "tuta.io", "hey.com", "duck.com", "mail.com", "email.cz", "seznam.cz"),
        *("t-online.de", "freenet.de", "arcor.de", "online.de", "free.fr", "orange.fr", "sfr.fr"),
        *("laposte.net", "wanadoo.fr", "libero.it", "tin.it", "alice.it", "comcast.net"),
        *("verizon.net", "att.net", "sbcglobal.net", "bellsouth.net", "cox.net", "earthlink.net"),
        *("rogers.com", "shaw.ca", "btinternet.com", "ntlworld.com", "telia.com", "xs4all.nl"),
        *("naver.com", "daum.net", "hanmail.net", "rediffmail.com", "wp.pl", "o2.pl", "op.pl"),
        *("iki.fi", "acm.org", "ieee.org", "alum.mit.edu", "debian.org", "kernel.org", "gnu.org"),
        *("apache.org", "gentoo.org", "freebsd.org", "users.sourceforge.net", "kde.org"),
        *("github.com", "users.noreply.github.com", "users.noreply.gitlab.com", "pobox.com"),
    }
)
# Providers with an ending for every country: `yahoo.co.uk`, `gmx.net`.
_PUBLIC_NAMES = re.compile(r"(?:yahoo|ymail|hotmail|live|outlook|gmx|yandex|rocketmail)\.[a-z.]+")
# Whose subdomains belong to different people.
_DYNAMIC_DOMAINS = frozenset(
    {
        *("dyndns.org", "no-ip.org", "homeip.net", "ath.cx", "duckdns.org", "github.io"),
        *("users.noreply.github.com", "eu.org", "us.to", "co.uk", "herokuapp.com", "appspot.com"),
    }
)
_LIST_HOSTS = ("googlegroups.com", "groups.io", "vger.kernel.org", "lists.sourceforge.net")
_LIST_HOST = re.compile(r"(?:lists?|groups|mailman|listserv)\d*\.")
# `checkout-team@`, `acme.devs@`, `ops_support@`.
_OF_A_TEAM = re.compile(
    r"(?:.*[-_.])?(?:teams?|group|devs|developers|engineering|support|admins?|staff|maintainers)(?:[-_.].*)?"
)
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
    local, at, host = _parts(email)
    if not at or not local or not host:
        return True
    if noreply_account(email):
        return False
    return local in _PLACEHOLDER_LOCALS or _is_host_of_nobody(host)


def _parts(email: str | None) -> tuple[str, str, str]:
    """(local part, `@` or nothing, host) in lower case."""
    return (email or "").strip().lower().rpartition("@")


def _is_host_of_nobody(host: str) -> bool:
    """Whether a host is a placeholder or a machine, not somebody's domain."""
    return (
        host in _PLACEHOLDER_HOSTS
        or host.endswith(_MACHINE_HOSTS)
        or _ADDRESS_OF_A_NETWORK.fullmatch(host) is not None
    )


def _is_host_of_lists(host: str) -> bool:
    return host.endswith(_LIST_HOSTS) or _LIST_HOST.match(host) is not None


def is_machine_email(email: str | None) -> bool:
    """Whether an address is somebody's on a machine with a name of its own: `alee@build7.lan`."""
    local, _, host = _parts(email)
    has_name = not host.startswith(("localhost", "(none)"))
    return host.endswith(_MACHINE_HOSTS) and has_name and is_telling_local(local)


def is_shared_email(email: str | None) -> bool:
    """Whether several people may use an address: a team's (`dev@`), a mailing list's, `name@machine`."""
    local, _, host = _parts(email)
    if local in _SHARED_LOCALS or "." not in host or _OF_A_TEAM.fullmatch(local):
        return True
    return _is_host_of_lists(host) or _LIST_LOCAL.fullmatch(local) is not None


def mailbox(email: str | None) -> str:
    """An address without what its provider ignores: `ann+git@` is `ann@`; at Gmail, `a.nn@` is too."""
    local, at, host = _parts(email)
    if not at or noreply_account(email):
        return local + at + host
    local = local.partition("+")[0] or local
    if host in ("gmail.com", "googlemail.com"):
        local, host = local.replace(".", "") or local, "gmail.com"
    return f"{local}@{host}"


def local_part(email: str | None) -> str:
    """What stands before the `@`, without a tag: `ann` of `Ann+git@acme.dev`."""
    return _parts(email)[0].partition("+")[0]


def is_telling_local(local: str) -> bool:
    """Whether a local part may name a person, and not a role, a machine's user or nobody."""
    return not (local in _SHARED_LOCALS or local in _PLACEHOLDER_LOCALS or local in _CHOSEN_LOCALS)


def company_domain(email: str | None) -> str | None:
    """The domain that people of one company or institute have, without hosts; None for public ones.

    `ann@build7.acme.co.uk` is of `acme.co.uk`.
    """
    host = _parts(email)[2]
    labels = host.split(".")
    if len(labels) < 2 or _is_host_of_lists(host) or _is_host_of_nobody(host):
        return None
    is_second_level = len(labels) > 2 and len(labels[-1]) == 2 and len(labels[-2]) <= 3
    domain = ".".join(labels[-3 if is_second_level else -2 :])
    if {host, domain} & _PUBLIC_HOSTS or _PUBLIC_NAMES.fullmatch(host):
        return None
    return None if domain in _DYNAMIC_DOMAINS else domain
