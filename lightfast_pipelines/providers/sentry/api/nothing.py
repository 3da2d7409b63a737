"""Sentry's answers that mean that there is nothing to list.

A list of a feature that the organization has not is a plain 404, as that of an organization that is
gone: whoever walks asks for its issues then.
"""

from __future__ import annotations

from collections.abc import Sequence

from lightfast_pipelines.providers.nothing import Nothing, row

NOTHING: Sequence[Nothing] = (
    row(
        (400, 402, 403, 404),
        r"\bnot have access to (?:this|that) feature\b"
        r"|\bfeature\b.{0,40}\b(?:not (?:enabled|available|supported)|disabled)\b"
        r"|\b(?:plan|subscription) does(?:n't| not) (?:include|support|allow)\b"
        r"|\bnot (?:enabled|available) (?:for|on|in) (?:this|your) (?:organization|project|plan)\b"
        r"|\bdo(?:es)? not have .{0,40}\b(?:feature|alerts?) enabled\b",
    ),
    # The organization has no project that the token may read of, or the project has no releases.
    row((400, 404), r"\bno projects? (?:available|found)\b"),
    row((404,), r"\bno (?:events?|releases?|incidents?) found\b"),
)
