"""The report of a stage that does the work of one workspace after the other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

# Rows that a run's metadata shows.
SHOWN_ROWS = 10


@dataclass(slots=True)
class WorkspacesReport:
    """Counts over the workspaces that were due; `failures` are failed attempts."""

    workspaces: int = 0
    written: int = 0
    removed: int = 0
    observations: int = 0
    failures: int = 0
    seconds: float = 0.0
    preview: list[dict[str, object]] = field(default_factory=list)

    def add(self, workspace_report: Self) -> None:
        """Adds what was done in one workspace."""
        self.workspaces += workspace_report.workspaces
        self.written += workspace_report.written
        self.removed += workspace_report.removed
        self.observations += workspace_report.observations
        self.preview += workspace_report.preview[: SHOWN_ROWS - len(self.preview)]
