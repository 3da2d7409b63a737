"""Who is in the story and where it happens, in the shape in which GitHub's webhooks name them."""

from __future__ import annotations

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
        """As author or committer of a commit in a push."""
        found = {"name": self.name, "email": self.email}
        return {**found, "username": self.login} if self.linked else found


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
class Place:
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
