"""The conditions of a search as SQL, the same for every path, and as marks of the index of words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, LiteralString

_MOST_MONTHS = 36

ALLOWED: LiteralString = """
f.workspace_id = %(workspace)s AND NOT f.is_deleted AND f.id <= %(until)s
AND (%(sources)s::text[] IS NULL OR f.source = ANY(%(sources)s))
AND (%(types)s::text[] IS NULL OR f.source_type = ANY(%(types)s)
     OR split_part(f.source_type, '.', 1) = ANY(%(types)s))
AND (%(identities)s::bigint[] IS NULL OR f.author_identity_id = ANY(%(identities)s)
     OR f.actor_identity_id = ANY(%(identities)s))
AND (%(since)s::timestamptz IS NULL OR f.occurred_at >= %(since)s)
AND (%(before)s::timestamptz IS NULL OR f.occurred_at < %(before)s)
AND (%(significance)s::int IS NULL OR f.significance_score >= %(significance)s)
AND (%(as_known)s::timestamptz IS NULL OR f.recorded_at <= %(as_known)s)
AND (%(phrases)s::text[] IS NULL OR NOT EXISTS (
  SELECT FROM unnest(%(phrases)s::text[]) p
  WHERE position(lower(p) IN lower(f.title || ' ' || f.content)) = 0))
"""
"""Whether an observation `f` may be a hit, with the parameters of `Conditions.parameters`."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What every hit meets. `until` is the last observation that the first page could see."""

    workspace: int
    until: int
    sources: Sequence[str] = ()
    types: Sequence[str] = ()
    identities: Sequence[int] | None = None
    since: datetime | None = None
    before: datetime | None = None
    significance: int | None = None
    as_known: datetime | None = None
    phrases: Sequence[str] = ()

    @property
    def parameters(self) -> dict[str, Any]:
        return {
            "workspace": self.workspace,
            "until": self.until,
            "sources": list(self.sources) or None,
            "types": list(self.types) or None,
            "identities": None if self.identities is None else list(self.identities),
            "since": self.since,
            "before": self.before,
            "significance": self.significance,
            "as_known": self.as_known,
            "phrases": list(self.phrases) or None,
        }

    @property
    def is_restricted(self) -> bool:
        """Whether there is more than the workspace and the snapshot."""
        return any(
            value is not None
            for name, value in self.parameters.items()
            if name not in {"workspace", "until"}
        )

    def marks(self) -> list[str]:
        """Conditions on the index of words, all of which hold; some conditions have none."""
        groups = [
            [self._mark(source) for source in self.sources],
            [self._mark(name) + ("" if "." in name else ".") for name in self.types],
            [self._mark(f"by {identity}") for identity in self.identities or ()],
            [self._mark(month) for month in self._months()],
        ]
        return [
            "("
            + " | ".join(_lexeme(mark) + (":*" if mark.endswith(".") else "") for mark in group)
            + ")"
            for group in groups
            if group
        ]

    def _mark(self, name: str) -> str:
        return f"{self.workspace}:@{name}"

    def _months(self) -> Iterator[str]:
        """The months of the time asked for; none if it is open or they are too many to be of use."""
        if self.since is None or self.before is None:
            return
        first, last = month_number(self.since), month_number(self.before)
        if 0 < last - first + 1 <= _MOST_MONTHS:
            for month in range(first, last + 1):
                yield name_of_month(month)


def month_number(moment: datetime) -> int:
    """Counts the months of UTC, so that the next month is one more."""
    moment = moment.astimezone(UTC)
    return moment.year * 12 + moment.month - 1


def name_of_month(number: int) -> str:
    """The month as the index marks it: 2026-05."""
    return f"{number // 12:04}-{number % 12 + 1:02}"


def lexeme_of(workspace: int, word: str) -> str:
    """The word as a query of the index writes it."""
    return _lexeme(f"{workspace}:{word}")


def _lexeme(text: str) -> str:
    quoted = text.replace("\\", "\\\\").replace("'", "''")
    return f"'{quoted}'"
