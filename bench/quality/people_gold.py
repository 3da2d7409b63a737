"""What is known about identities: whose an alias is, pairs that must never be one, and judged merges."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Hashable, Mapping
from pathlib import Path

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.people.identities import Identity

_GOLD = Path(__file__).parents[1] / "gold"

Alias = tuple[str, str]
"""A name and an address, as commits have them."""

Gold = Mapping[Alias, Hashable]
"""The person of each alias."""


def read_identity(text: str) -> Identity:
    """`Ann Lee <ann@acme.dev>` of a commit; `github:7; login=ann; verified=ann@acme.dev` of an account."""
    if text.endswith(">"):
        name, _, address = text[:-1].rpartition("<")
        return commit_identity(name.strip(), address)
    account, *fields = text.split("; ")
    source, source_id = account.split(":", 1)
    values = dict(field.split("=", 1) for field in fields)
    return Identity(
        source,
        source_id,
        username=values.get("login"),
        email=values.get("verified") or values.get("email"),
        name=values.get("name"),
        kind=values.get("kind", "unknown"),
        email_verified="verified" in values,
    )


def commit_identity(name: str, address: str) -> Identity:
    source_id = keys.git_identity(name, address)
    return Identity("git", source_id, email=address.strip().lower(), name=name)


def never_merged(path: Path = _GOLD / "never_merge.tsv") -> list[tuple[Identity, Identity, str]]:
    """Pairs of identities that are never one person, and why."""
    rows = [line.split("\t") for line in path.read_text().splitlines()[1:]]
    return [(read_identity(left), read_identity(right), why) for left, right, why in rows]


def covered(gold: Gold) -> list[Alias]:
    """The aliases of people who have more than one."""
    aliases = Counter(gold.values())
    return [alias for alias, person in gold.items() if aliases[person] > 1]


def pair_hash(left: Identity, right: Identity) -> str:
    """Names a pair of identities without saying who they are."""
    text = "\x1f".join(sorted((left.key, right.key)))
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


def judged_merges(path: Path = _GOLD / "judged_merges.tsv") -> dict[str, tuple[str, str]]:
    """The verdict (right, wrong or unclear) and the reason for each judged pair, by its hash."""
    rows = [line.split("\t") for line in path.read_text().splitlines()[1:]]
    return {pair: (verdict, reason) for pair, verdict, reason in rows}
