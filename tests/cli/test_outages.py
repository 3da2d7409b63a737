"""`lightfast outages` shows what was lost and how far logs were checked."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from lightfast_pipelines.cli import app
from lightfast_pipelines.cli import outages as command
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.outages import add_outage, note_check
from lightfast_pipelines.store.sources import Source
from tests.backfill.conftest import source

__all__ = ["source"]
AT = datetime(2026, 5, 1, 10, tzinfo=UTC)


def test_outages_names_the_outage_and_why_a_log_cannot_be_read(
    database: Database, conn: Connection, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_outage(conn, source.installation_id, "app", AT, AT, ["a", "b"])
    note_check(conn, source.installation_id, "app", until=None, now=AT, error="no right")
    conn.commit()
    monkeypatch.setattr(command, "command_connection", database.connect)
    shown = CliRunner().invoke(app, ["outages", "--provider", "github"])
    assert shown.exit_code == 0, shown.output
    assert "no right" in shown.output
    printed = json.loads(CliRunner().invoke(app, ["outages", "--json"]).output)
    [outage] = printed["outages"]
    assert (outage["missed"], outage["recovered"], outage["deliveries"]) == (2, 0, ["a", "b"])
    assert CliRunner().invoke(app, ["outages", "--provider", "nobody"]).exit_code != 0
