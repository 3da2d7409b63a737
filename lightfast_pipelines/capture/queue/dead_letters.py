"""Makes dead letters of a payload that could not be captured: one for each workspace it would have reached.

So each workspace can replay its own. The workspaces follow from the payload's route or, if reading the body
again may do harm, from what is stored about the payload.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lightfast_pipelines.capture.raw_payloads import RawPayload
from lightfast_pipelines.capture.reading import ReadPayload, unreadable
from lightfast_pipelines.capture.routing import Outcome, route
from lightfast_pipelines.store.database import Connection

_WORKSPACES = """
SELECT w.id FROM lightfast.workspaces w
WHERE w.id IN (SELECT workspace_id FROM lightfast.outcomes WHERE raw_payload_id = %(id)s)
   OR w.id = (SELECT lane FROM lightfast.raw_queue WHERE raw_payload_id = %(id)s)
ORDER BY w.id
"""


def dead_letters(
    conn: Connection, raw: RawPayload, reason: str, *, is_safe: bool
) -> Sequence[Outcome]:
    """One outcome for each workspace that the payload would have reached; a single one if it has none.

    `is_safe`: the body may be read once more.
    """
    payload = (
        unreadable(raw, reason)
        if is_safe
        else ReadPayload(raw, None, None, raw.event_type, 0, error=reason)
    )
    outcomes = route(conn, [payload]).outcomes
    if outcomes[0].workspace_id is not None:
        return outcomes
    workspaces = [row[0] for row in conn.execute(_WORKSPACES, {"id": raw.id})]
    return [replace(outcomes[0], workspace_id=workspace) for workspace in workspaces] or outcomes
