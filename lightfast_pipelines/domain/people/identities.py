"""The identities of an organisation, and the actors and doubtful pairs that are decided from them.

What counts as evidence is in the files beside this one.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from typing import Literal

from lightfast_pipelines.domain import robots

COMMITS = "git"
"""The source of an identity that is a commit's name and address."""


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
    def is_account(self) -> bool:
        return self.source != COMMITS

    @property
    def is_bot(self) -> bool:
        """Whether the provider or its own name says so; its account may say so too."""
        return self.kind == "bot" or robots.is_robot(self.name, self.email, self.username)

    @property
    def address(self) -> str:
        return (self.email or "").strip().lower()


EvidenceKind = Literal["decided", "verified", "claimed"]
"""A person decided it, a provider vouches for it, or a commit's author claims it."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why two identities may be one: `detail` is what a person reads about it."""

    rule: str
    kind: EvidenceKind
    confidence: float
    detail: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided about two identities, named by their keys (`source:source_id`)."""

    left_key: str
    right_key: str
    verdict: Literal["same", "different"]


@dataclass(frozen=True, slots=True)
class Membership:
    """An identity of an actor, and the evidence that joins it to another identity of that actor.

    `evidence` is strongest first; `method` and `confidence` are those of the first. An actor's only
    identity has the method `alone`, no evidence and nothing that it is joined to.
    """

    identity: Identity
    method: str
    confidence: float
    joined_to: str | None = None
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Actor:
    """A person or bot. `members` are sorted by identity key."""

    id: str
    display_name: str
    kind: str
    members: tuple[Membership, ...]


@dataclass(frozen=True, slots=True)
class DoubtfulPair:
    """Identities of two actors that may be one person; `left` has the smaller key."""

    left: Identity
    right: Identity
    confidence: float
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class Decided:
    """Actors sorted by id, and doubtful pairs with the most certain first."""

    actors: list[Actor]
    doubtful: list[DoubtfulPair]


def actor_id(org_id: str, smallest_key: str) -> str:
    """21 URL-safe characters, the same in any database, of an actor's smallest identity key."""
    digest = hashlib.sha256("\x1f".join(("actor", org_id, smallest_key)).encode("utf-8", "replace"))
    return urlsafe_b64encode(digest.digest())[:21].decode()
