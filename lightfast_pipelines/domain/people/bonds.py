"""A piece of evidence with all identities that share it, and the confidence of each rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lightfast_pipelines.domain.people.identities import Evidence, EvidenceKind

CERTAIN = 0.85
"""Evidence from here on joins identities; weaker evidence makes a doubtful pair."""

CONFIDENCE: dict[str, float] = {
    "decision": 1.0,
    # Providers vouch for these.
    "account_id": 1.0,
    "verified_email": 1.0,
    "provider_login": 1.0,
    "noreply_login": 0.95,
    # Commits claim these.
    "name_and_handle": 0.97,
    "full_name": 0.96,
    "name_spelling": 0.95,
    "name_order": 0.94,
    "middle_name": 0.93,
    "commit_address": 0.92,
    "name_and_company": 0.91,
    "name_and_site": 0.91,
    "login_at_company": 0.9,
    "machine_address": 0.9,
    "login": 0.9,
    "name_is_login": 0.89,
    "whole_name_form": 0.88,
    "short_name_supported": 0.88,
    "misspelled_supported": 0.87,
    "initial_supported": 0.87,
    "longer_name_supported": 0.87,
    "common_name_and_handle": 0.87,
    "initial_form": 0.86,
    "cut_form": 0.85,
    # Not certain enough.
    "short_name": 0.84,
    "common_short_name_supported": 0.8,
    "account_name": 0.8,
    "stated_address": 0.8,
    "account_login": 0.75,
    "misspelled": 0.75,
    "contested_address": 0.7,
    "longer_name": 0.7,
    "open_form": 0.65,
    "initial": 0.6,
    "open_middle_name": 0.6,
    "handle_only": 0.55,
    "same_word": 0.5,
    "common_name": 0.5,
    "common_short_name": 0.4,
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


def bond(rule: str, kind: EvidenceKind, members: Sequence[int], detail: str) -> Bond:
    return Bond(Evidence(rule, kind, CONFIDENCE[rule], detail), tuple(dict.fromkeys(members)))
