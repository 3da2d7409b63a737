"""The people of the story, its repositories, and its projects at the other providers."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

OWNER = "harbor-shop"
OWNER_ID = 5_200_000


@dataclass(frozen=True, slots=True)
class Person:
    """`email` is the address in their commits; GitHub links it to the account if `linked`."""

    login: str
    id: int
    name: str
    email: str
    linked: bool = True
    kind: str = "User"

    @property
    def account(self) -> dict[str, Any]:
        """An account in GitHub's payloads."""
        return {
            "login": self.login,
            "id": self.id,
            "avatar_url": f"https://avatars.githubusercontent.com/u/{self.id}?v=4",
            "html_url": f"https://github.com/{self.login.removesuffix('[bot]')}",
            "type": self.kind,
            "site_admin": False,
        }

    @property
    def signature(self) -> dict[str, Any]:
        """The author or committer of a commit in a push."""
        signature = {"name": self.name, "email": self.email}
        return {**signature, "username": self.login} if self.linked else signature

    @property
    def work_email(self) -> str:
        """The address with which they sign in to Linear and Sentry."""
        return f"{self.name.split()[0].lower().replace('á', 'a')}@harborshop.dev"

    @property
    def member(self) -> dict[str, Any]:
        """A member in Linear's payloads."""
        return {
            "id": name_uuid(f"linear {self.login}"),
            "name": self.name,
            "email": self.work_email,
            "url": f"https://linear.app/{OWNER}/profiles/{self.login}",
        }


def name_uuid(name: str) -> str:
    """An id like Linear's, always the same for a name."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"lightfast demo {name}"))


MIRA = Person("mira-okafor", 5_100_001, "Mira Okafor", "mira@harborshop.dev")
JONAS = Person("jonaslind", 5_100_002, "Jonas Lind", "5100002+jonaslind@users.noreply.github.com")
# Priya's laptop commits under a private address that GitHub does not know.
PRIYA = Person("priya-raman", 5_100_003, "Priya Raman", "priya.raman@posteo.test", linked=False)
TOMAS = Person("tvega", 5_100_004, "Tomás Vega", "tomas@harborshop.dev")
HANNE = Person("hanne-berg", 5_100_005, "Hanne Berg", "hanne@harborshop.dev")
ROBOT = Person(
    "harbor-deps[bot]",
    5_100_090,
    "harbor-deps[bot]",
    "5100090+harbor-deps[bot]@users.noreply.github.com",
    kind="Bot",
)


@dataclass(frozen=True, slots=True)
class StoryRepository:
    """A repository of the story."""

    name: str
    id: int

    @property
    def full_name(self) -> str:
        return f"{OWNER}/{self.name}"

    @property
    def url(self) -> str:
        return f"https://github.com/{self.full_name}"

    @property
    def repository(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "name": self.name,
            "full_name": self.full_name,
            "private": False,
            "owner": {"login": OWNER, "id": OWNER_ID, "type": "Organization"},
            "html_url": self.url,
            "url": self.url,
            "default_branch": "main",
            "archived": False,
        }


@dataclass(frozen=True, slots=True)
class Board:
    """A team of Linear's; the identifiers of its issues begin with `key`."""

    day: str
    key: str = "CHK"
    name: str = "Checkout"

    @property
    def organization_id(self) -> str:
        return name_uuid(f"linear organization {self.day}")

    @property
    def team(self) -> dict[str, Any]:
        return {"id": name_uuid(f"linear team {self.day}"), "key": self.key, "name": self.name}


@dataclass(frozen=True, slots=True)
class Site:
    """A project of Vercel's, which deploys the shop."""

    day: str
    name: str = "storefront"

    @property
    def project_id(self) -> str:
        return f"prj_{name_uuid(f'vercel project {self.day}').replace('-', '')[:28]}"

    @property
    def team_id(self) -> str:
        return f"team_{name_uuid(f'vercel team {self.day}').replace('-', '')[:24]}"


@dataclass(frozen=True, slots=True)
class Watch:
    """A project of Sentry's, which receives the shop's errors."""

    day: str
    number: int
    slug: str = "storefront"

    @property
    def organization(self) -> str:
        """Its slug, which includes the day: alerts name a project only by organisation and slug."""
        return f"{OWNER}-{self.day}"

    @property
    def installation(self) -> str:
        return name_uuid(f"sentry installation {self.day}")

    @property
    def project(self) -> dict[str, Any]:
        return {"id": str(self.number), "name": "Storefront", "slug": self.slug}
