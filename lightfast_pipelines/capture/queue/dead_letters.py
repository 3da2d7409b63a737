"""For whom a payload is dead that could not be captured: the workspaces that it would have reached.

So each can have its own tried again. Who sent it says which, and never a payload that may harm whoever
reads it: then what is known without its body does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lightfast_pipelines.capture.reading import RawPayload, ReadPayload, unreadable
from lightfast_pipelines.capture.routing import Outcome, decide, reach
from lightfast_pipelines.store.database import Connection

_KNOWN = """
SELECT w.id FROM lightfast.workspaces w
WHERE w.id IN (SELECT workspace_id FROM lightfast.outcomes WHERE raw_payload_id = %(id)s)
   OR w.id = (SELECT lane FROM lightfast.raw_queue WHERE raw_payload_id = %(id)s)
ORDER BY w.id
"""


def dead_letters(
    conn: Connection, raw: RawPayload, reason: str, *, is_safe: bool
) -> Sequence[Outcome]:
    """One for each workspace it would have reached, or a single one for none.

    `is_safe`: whether its body can be looked into once more.
    """
    payload = (
        unreadable(raw, reason)
        if is_safe
        else ReadPayload(raw, None, None, raw.event_type, 0, error=reason)
    )
    found = decide(payload, reach(conn, [payload])[raw.id], set())
    if found[0].workspace_id is not None:
        return found
    known = [row[0] for row in conn.execute(_KNOWN, {"id": raw.id})]
    return [replace(found[0], workspace_id=workspace) for workspace in known] or found
