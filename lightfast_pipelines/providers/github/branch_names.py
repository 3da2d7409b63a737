"""What a branch's name means: an issue of Linear's (`mira/chk-12-guest-checkout`), or a revert.

Only the forms that Linear itself proposes for an issue's branch and that GitHub's Revert button makes:
many others have a hyphen and a number.
"""

from __future__ import annotations

import re

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import Thing

_OF_LINEAR = re.compile(r"[\w.-]+/([a-z]{2,10})-([1-9]\d{0,5})-[a-z]", re.IGNORECASE)
# What stands before the number of one of GitHub's own issues, or of a version.
_NO_TEAMS = (
    "bug bugfix doc docs feat feature fix fixes fixup gh hotfix issue issues no node pep pr pull py python "
    "release revert task test tests ticket update upgrade wip"
)
_NO_TEAM = frozenset(_NO_TEAMS.split())

_OF_A_REVERT = re.compile(r"revert-([1-9]\d{0,8})-.")


def reverted_pull_request(branch: str, title: str) -> int | None:
    """The number of the pull request that GitHub's Revert button made this branch for."""
    match = _OF_A_REVERT.match(branch)
    return int(match[1]) if match and title.startswith("Revert ") else None


def linear_issue_of(branch: str) -> Thing | None:
    """A stub for the issue, by its identifier; it stands for it once Linear has told of it."""
    match = _OF_LINEAR.match(branch)
    if match is None or match[1].lower() in _NO_TEAM:
        return None
    identifier = f"{match[1]}-{match[2]}".upper()
    return Thing(keys.linear_issue_by_identifier(identifier), identifier)
