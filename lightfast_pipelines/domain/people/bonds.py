"""A piece of evidence with all identities that share it, and the confidence of each rule."""

from __future__ import annotations

from dataclasses import dataclass

from lightfast_pipelines.domain.people.identities import Evidence, Kind

CERTAIN = 0.85
"""Evidence from here on joins identities; weaker evidence makes a doubtful pair."""

CONFIDENCE: dict[str, float] = {
    "decision": 1.0,
    "account_id": 1.0,
    "verified_email": 1.0,
    "provider_login": 1.0,
    "noreply_login": 0.95,
    "commit_address": 0.9,
}

ALONE = "alone"
"""The method of an identity that nothing joins to another."""


@dataclass(frozen=True, slots=True)
class Bond:
    """Evidence that all `members` share, by position among the identities; the first is the hub.

    It stands for all pairs of its members without listing them.
    """

    evidence: Evidence
    members: tuple[int, ...]


def bond(rule: str, kind: Kind, members: list[int], detail: str) -> Bond:
    return Bond(Evidence(rule, kind, CONFIDENCE[rule], detail), tuple(dict.fromkeys(members)))
