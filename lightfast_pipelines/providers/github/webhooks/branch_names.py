"""Finds what a branch's name refers to: a Linear issue (`mira/chk-12-guest-checkout`), or a revert.

Only two forms are certain: the one that Linear proposes for an issue's branch, and the one that
GitHub's Revert button makes. Many other names have a hyphen and a number; they refer to an issue only
if that issue claims the name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import Thing

_OF_LINEAR = re.compile(r"[\w.-]+/([a-z]{2,10})-([1-9]\d{0,5})-[a-z]", re.IGNORECASE)
# Words before the number of a GitHub issue or of a version.
_NO_TEAMS = (
    "bug bugfix doc docs feat feature fix fixes fixup gh hotfix issue issues no node pep pr pull py python "
    "release revert task test tests ticket update upgrade wip"
)
_NO_TEAM = frozenset(_NO_TEAMS.split())

_OF_A_REVERT = re.compile(r"revert-([1-9]\d{0,8})-.")


def reverted_pull_request(branch: str, title: str) -> int | None:
    """The number of the pull request for which GitHub's Revert button made this branch."""
    match = _OF_A_REVERT.match(branch)
    return int(match[1]) if match and title.startswith("Revert ") else None


def linear_issues_of(branch: str) -> Sequence[Thing]:
    """Stubs for the issue: the branch as a candidate, and the identifier if the form is certain.

    In every format that a Linear workspace can choose, the branch's name contains the issue's number.
    The branch of a revert only quotes another branch's name.
    """
    if _OF_A_REVERT.match(branch) or not any(letter.isdecimal() for letter in branch):
        return ()
    candidate = Thing(keys.candidate_branch(branch), branch)
    match = _OF_LINEAR.match(branch)
    if match is None or match[1].lower() in _NO_TEAM:
        return (candidate,)
    identifier = f"{match[1]}-{match[2]}".upper()
    return (Thing(keys.linear_issue_by_identifier(identifier), identifier), candidate)
