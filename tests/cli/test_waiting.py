"""`lightfast waiting` shows commands that can be pasted, and says when nothing waits any more."""

from __future__ import annotations

import shlex

from lightfast_pipelines.store.waiting import waiting_for_you
from tests.capture.deliveries import capture_all, workspace_with
from tests.cli.conftest import Lightfast
from tests.store.test_waiting import SOON, park


def test_the_command_shown_links_what_waits(lightfast: Lightfast) -> None:
    with lightfast.database.connect() as conn:
        workspace_with(conn, "shop", 99)
        park(conn)
    [shown] = [row["command"] for row in lightfast.json("waiting")["unlinked"]]
    words = shlex.split(shown)
    assert words[0] == "lightfast"
    lightfast(*words[1:])
    with lightfast.database.connect() as conn:
        assert waiting_for_you(conn, now=SOON).unlinked == []
        capture_all(conn)
        again = waiting_for_you(conn, now=SOON)
        assert again.unlinked == []
        assert again.deliveries == {"parked": 1, "dlq": 1}
    assert "dead" in lightfast("waiting").stdout
