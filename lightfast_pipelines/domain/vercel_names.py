"""Addresses of Vercel's deployments in a text: a deployment's own host, and its page on vercel.com.

Hosts below vercel.app also belong to branches and projects, and lead to another deployment every day.
So an address is only a candidate that counts if a deployment claims it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import Thing

_HOST = re.compile(
    r"(?:https?://)?(?<![\w.@-])(?P<host>[a-z0-9-]{1,63}\.vercel\.app)(?![\w.-]*\w)", re.I
)
_PAGE = re.compile(
    r"(?:https?://)?(?<![\w.@-])vercel\.com/[\w-]{1,100}/[\w.-]{1,100}/"
    r"(?P<id>dpl_[A-Za-z0-9]{1,40}|(?=[A-Za-z]*\d)[A-Za-z0-9]{6,40})(?![\w-])",
)  # fmt: skip


def find_deployments(text: str) -> Iterator[tuple[int, int, Thing]]:
    """Every address that may belong to a deployment."""
    if "vercel." not in text:
        return
    for match in _HOST.finditer(text):
        yield match.start(), match.end(), _candidate(keys.vercel_deployment_at(match["host"]))
    for match in _PAGE.finditer(text):
        yield match.start(), match.end(), _candidate(keys.vercel_deployment_page(match["id"]))


def _candidate(alias: str) -> Thing:
    return Thing(keys.candidate_address(alias), aliases=(alias,))
