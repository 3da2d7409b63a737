"""From which significance an observation counts as significant in its workspace, as SQL.

Only significant observations are sent to services that cost money. `domain/significance.py` scores them.
"""

from __future__ import annotations

from typing import LiteralString

DEFAULT_THRESHOLD = 30
"""Holds where the workspace's settings have no `significance_threshold`."""

THRESHOLD: LiteralString = (
    f"coalesce((w.settings ->> 'significance_threshold')::integer, {DEFAULT_THRESHOLD})"
)
"""The threshold of the workspace `w`."""
