"""Sentry's answers that mean "nothing to list".

The list of a feature that the organization lacks answers a plain 404, just as for an organization that
is gone: `SentryApi.itself` then requests the issues to tell these apart.
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
    # The organization has no project that the token may read, or the project has no releases.
    row((400, 404), r"\bno projects? (?:available|found)\b"),
    row((404,), r"\bno (?:events?|releases?|incidents?) found\b"),
)
