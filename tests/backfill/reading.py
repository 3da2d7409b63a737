"""Backfills of one linked resource from a server that speaks its provider's API."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from lightfast_pipelines.backfill.request import BackfillListener, BackfillRequest
from lightfast_pipelines.backfill.run import run_backfill
from lightfast_pipelines.backfill.units import UnitReport
from lightfast_pipelines.providers.api_contract import discover_apis
from lightfast_pipelines.store import coverage
from lightfast_pipelines.store.database import Database
from lightfast_pipelines.store.linked_resources import add_workspace, link_resource
from lightfast_pipelines.store.sources import find_sources
from tests.backfill.conftest import PlainApis
from tests.servers.serving import Served

SINCE, UNTIL = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)


class Reading:
    """Backfills of one linked resource."""

    def __init__(
        self, database: Database, provider: str, resource: str, token: str, **link: Any
    ) -> None:
        self._database, self._provider, self._token = database, provider, token
        with database.connect("pipeline") as conn:
            link_resource(conn, add_workspace(conn, "shop"), provider, resource, **link)
            conn.execute(
                "INSERT INTO lightfast.tokens (installation_id, kind, key_id) "
                "SELECT id, 'token', 'none' FROM lightfast.installations"
            )
            conn.commit()

    def read(
        self, served: Served, kind: str, since: datetime = SINCE, until: datetime = UNTIL
    ) -> UnitReport:
        with self._database.connect("pipeline") as conn:
            sources = find_sources(conn)
        request = BackfillRequest(sources, since, until, entity_types=[kind])
        provider_api = discover_apis()[self._provider]
        apis = PlainApis(self._database, served.url, provider_api, token=self._token)
        result = run_backfill(
            self._database, apis, request, first_day=date(2008, 1, 1), listener=BackfillListener()
        )
        [unit] = result.units
        return unit

    def covered(self) -> list[coverage.TimeSpan]:
        with self._database.connect("pipeline") as conn:
            [row] = coverage.list_coverage(conn)
        assert row.status == "completed"
        return list(row.covered)
