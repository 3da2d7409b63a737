"""What was done to connections and histories, and by whom: rows that an operator reads.

Inserted beside the change itself, in its transaction. No secret stands in any of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lightfast_pipelines.store.database import Connection


def record(  # noqa: PLR0913 - what a row says, each by its name
    conn: Connection,
    action: str,
    actor: str,
    message: str,
    *,
    org_id: str | None = None,
    workspace_id: int | None = None,
    provider: str | None = None,
    subject: str | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """A row, written now. `actor` is `operator:NAME`, `dagster:RUN` or `schedule:NAME`. Does not commit."""
    conn.execute(
        """
        INSERT INTO lightfast.activity
          (at, org_id, workspace_id, provider, subject, action, actor, message, detail)
        VALUES (clock_timestamp(), %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        (
            *(org_id, workspace_id, provider, subject, action, actor, message),
            json.dumps(dict(detail or {}), default=str),
        ),
    )
