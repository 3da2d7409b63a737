"""Each check finds what it is there for."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from lightfast_pipelines.capture.queue.batches import capture
from lightfast_pipelines.store import checks
from lightfast_pipelines.store.database import Connection, Database
from tests.arriving import arrive, link

DAY = date(2024, 5, 1)


@pytest.fixture
def raw_ids(conn: Connection) -> list[int]:
    """Two captured deliveries."""
    link(conn)
    arrive(conn, [DAY, DAY])
    now = datetime(2024, 6, 1, tzinfo=UTC)
    return capture(conn, days=None, max_rows=10, batch_rows=10, now=now).raw_ids


def test_after_a_capture_only_the_later_stages_are_behind(
    conn: Connection, raw_ids: list[int]
) -> None:
    assert checks.delivered_without_observation(conn, raw_ids).rows == 0
    assert checks.observations_without_payload(conn).rows == 0
    assert checks.outcomes_without_reason(conn, raw_ids).rows == 0
    assert checks.states_current_twice(conn, raw_ids).rows == 0
    assert checks.observations_behind(conn, [DAY]).rows == 2
    assert checks.observations_behind(conn, [date(2024, 5, 2)]).rows == 0


def test_a_delivered_payload_without_observation_is_found(
    conn: Connection, raw_ids: list[int]
) -> None:
    conn.execute("DELETE FROM lightfast.observation_sources WHERE raw_payload_id = %s", raw_ids[:1])
    conn.commit()
    assert checks.delivered_without_observation(conn, raw_ids).examples == (
        f"payload {raw_ids[0]}",
    )
    assert checks.observations_without_payload(conn).rows == 1


def test_an_outcome_without_a_reason_is_found(conn: Connection, raw_ids: list[int]) -> None:
    conn.execute("UPDATE lightfast.outcomes SET status = 'parked', reason = NULL")
    conn.commit()
    assert checks.outcomes_without_reason(conn, raw_ids).rows == 2


def test_two_current_states_of_a_thing_are_found(
    conn: Connection, database: Database, raw_ids: list[int]
) -> None:
    conn.execute(
        """
        INSERT INTO lightfast.temporal_states (workspace_id, entity_type, entity_id, state_type,
          state_value, valid_from, is_current, recorded_at)
        SELECT workspace_id, entity_type, entity_id, state_type, 'merged', valid_from, false, now()
        FROM lightfast.temporal_states WHERE is_current LIMIT 1
        """
    )
    conn.commit()
    assert checks.states_current_twice(conn, raw_ids).rows == 1
