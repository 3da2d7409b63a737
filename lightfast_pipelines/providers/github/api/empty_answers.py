"""GitHub's answers that mean "nothing to list".

A plain 404 is not among them, because GitHub answers the same for a repository that is gone. For
features that can be switched off, the walk then asks for the repository itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from lightfast_pipelines.providers.nothing import Nothing, row

_FEATURE = (
    r"issues?|pull requests?|discussions?|projects?|wikis?|(?:github )?actions|workflows?|"
    r"deployments?|environments?|releases?|packages?|"
    r"dependabot alerts?|vulnerability alerts?|secret scanning|code scanning|code security|"
    r"(?:github )?advanced security"
)
_OFF = r"disabled|turned off|switched off|not (?:been )?enabled|not available"
_SAID = (200, 400, 403, 404, 409, 410, 422)

CAN_BE_OFF = re.compile(r"^repositories/\d+/(?:issues|pulls|actions|discussions|projects)\b")
"""Addresses of lists that a repository can switch off; every repository has commits."""

NOTHING: Sequence[Nothing] = (
    # For commits, before anything was pushed.
    row((404, 409), r"git repository is empty"),
    # "Issues are disabled for this repo", "Issues has been disabled in this repository."
    row(_SAID, rf"\b(?:{_FEATURE}) (?:is|are|has been|have been|was|were) (?:{_OFF})\b"),
    # "Advanced Security must be enabled for this repository to use code scanning."
    row((403, 404), rf"\b(?:{_FEATURE}) must be enabled\b"),
    row((404,), r"\bno analysis found\b|\bno default branch\b"),
)
