"""The record of a backfill for operators: its rows, its integrations' state, its activity.

A backfill of several workspaces has one row for each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from typing import Any

from lightfast_pipelines.backfill.estimate import TotalEstimate
from lightfast_pipelines.backfill.request import BackfillRequest, BackfillResult
from lightfast_pipelines.store import activity, backfills
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.locks import job_lock
from lightfast_pipelines.store.sources import Source


class Ledger:
    """Writes the record and commits it."""

    def __init__(self, conn: Connection, request: BackfillRequest) -> None:
        self._conn, self._request = conn, request
        self._by_workspace: dict[int, list[Source]] = {}
        for source in request.sources:
            self._by_workspace.setdefault(source.workspace_id, []).append(source)
        self._ids: dict[int, int] = {}
        self._held = ExitStack()

    @property
    def ids(self) -> list[int]:
        return list(self._ids.values())

    def start(self, now: datetime) -> None:
        backfills.end_dead(self._conn, now)
        request = self._request
        span = f"{request.since:%Y-%m-%d} to {request.until:%Y-%m-%d}"
        for workspace, sources in self._by_workspace.items():
            self._ids[workspace] = backfills.start_backfill(
                self._conn,
                sources,
                provider=request.provider,
                entity_types=request.entity_types,
                since=request.since,
                until=request.until,
                requested_by=request.requested_by,
                dagster_run_id=request.dagster_run_id,
            )
            self._record(workspace, "started", f"{span} of {_names(sources)}", {})
            # Held until the process releases it or dies, to distinguish a dead backfill from a live
            # one.
            self._held.enter_context(
                job_lock(self._conn, backfills.run_lock(self._ids[workspace]), wait=True)
            )
        self._conn.commit()

    def note_estimate(self, estimate: TotalEstimate) -> None:
        for backfill_id in self.ids:
            backfills.note_estimate(self._conn, backfill_id, estimate.shown())
        self._conn.commit()

    def note_progress(self, numbers: Mapping[str, int]) -> None:
        for backfill_id in self.ids:
            backfills.note_progress(self._conn, backfill_id, numbers)
        self._conn.commit()

    def is_cancelled(self) -> bool:
        is_cancelled = any(backfills.cancelled_by(self._conn, number) for number in self.ids)
        self._conn.rollback()
        return is_cancelled

    def end(self, result: BackfillResult, now: datetime) -> None:
        self._conn.rollback()
        actual = result.actual()
        for workspace, backfill_id in self._ids.items():
            errors = self._errors(workspace, result)
            error = "; ".join(filter(None, [result.broken, *sorted(set(errors.values()))]))
            backfills.end_backfill(
                self._conn,
                backfill_id,
                result.status,
                actual=actual,
                error=error or None,
                errors=errors,
                now=now,
            )
            summary = (
                f"{actual['records']:,} records in {actual['requests']:,} requests, "
                f"{result.expected.requests:,} expected"
            )
            self._record(
                workspace, result.status, f"{summary}; {error}" if error else summary, actual
            )
        self._conn.commit()
        self._held.close()

    def _errors(self, workspace: int, result: BackfillResult) -> dict[int, str]:
        """Integration -> why some of its history could not be read."""
        messages: dict[int, list[str]] = {}
        for source in self._by_workspace[workspace]:
            if source.integration_id in result.refused:
                messages[source.integration_id] = [result.refused[source.integration_id]]
        for report in result.units:
            source = report.unit.source
            if report.status == "failed" and source.workspace_id == workspace:
                message = f"{report.unit.entity_type}: {report.error}"
                messages.setdefault(source.integration_id, []).append(message)
        return {number: "; ".join(dict.fromkeys(texts)) for number, texts in messages.items()}

    def _record(
        self, workspace: int, event_type: str, message: str, detail: Mapping[str, Any]
    ) -> None:
        activity.record(
            self._conn,
            f"backfill.{event_type}",
            self._request.requested_by,
            message,
            org_id=self._by_workspace[workspace][0].org_id,
            workspace_id=workspace,
            provider=self._request.provider,
            subject=f"backfill {self._ids[workspace]}",
            detail=dict(detail),
        )


def _names(sources: Sequence[Source]) -> str:
    names = [source.name for source in sources]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
