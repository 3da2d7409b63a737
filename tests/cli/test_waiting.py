"""`lightfast waiting` shows commands that can be pasted, and whether anything still waits."""

from __future__ import annotations

import shlex

from lightfast_pipelines.inbox.waiting import waiting_for_you
from tests import poison
from tests.capture.deliveries import capture_all, workspace_with
from tests.cli.conftest import Lightfast
from tests.depth import size
from tests.inbox.test_waiting import SOON, park


def test_the_shown_command_links_what_waits(lightfast: Lightfast) -> None:
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


def test_process_captures_all_but_the_poison_which_waiting_lists_and_replay_retries(
    lightfast: Lightfast,
) -> None:
    with lightfast.database.connect() as conn:
        poison.tenants(conn)
        poison.arrive(conn, list(poison.KINDS), poison=size(1, 5), every=size(4, 100))
    poison.refuse(lightfast.database)
    dead = size(1, 5) * len(poison.KINDS)
    done = lightfast.json("process")
    assert done["outcomes"] == {"delivered": dead * (size(4, 100) - 1), "dlq": dead}
    causes = [row["cause"] for row in lightfast.json("waiting")["dead"]]
    assert all(any(reason in cause for cause in causes) for _, reason in poison.KINDS.values())
    with lightfast.database.connect("migrator", autocommit=True) as owner:
        owner.execute("DROP TRIGGER refuse ON lightfast.observation_facts")
    assert lightfast.json("replay", "--status", "dlq") == {"queued": dead}
    assert lightfast.json("process")["outcomes"] == {"delivered": dead}
    assert lightfast.json("waiting")["dead"] == []


def test_process_succeeds_despite_what_later_stages_give_up_which_waiting_lists_and_replay_retries(
    lightfast: Lightfast,
) -> None:
    with lightfast.database.connect() as conn:
        poison.tenants(conn)
        poison.arrive(conn, ["constraint"], poison=2, every=4)
        capture_all(conn)
    tables = ("observation_vectors", "cluster_members")
    for table in tables:
        poison.refuse_in(lightfast.database, table, "constraint")
    done = lightfast.json("process")
    assert (done["embedded"], done["assigned"]) == (6, 6)
    stuck = lightfast.json("waiting")["stuck"]
    assert {(row["stage"], row["observations"], row["attempts"]) for row in stuck} == {
        ("embeddings", 2, 4),
        ("clusters", 2, 4),
    }
    counted = lightfast.json("status")["given_up_by_stages"]
    assert (counted["embeddings"], counted["clusters"], counted["tried_again"]) == (2, 2, 0)
    assert "given up by stages" in lightfast("status").stdout
    assert lightfast.json("process")["embedded"] == 0
    poison.allow_again(lightfast.database, *tables)
    other = lightfast.json("replay", "--stage", "embeddings", "-w", "tenant-2")
    assert other == {"queued": 0, "again": {"embeddings": 0}}
    command = next(row["command"] for row in stuck if row["stage"] == "embeddings")
    assert (
        "taken up again by the stages: 2 of embeddings"
        in lightfast(*shlex.split(command)[1:]).stdout
    )
    assert lightfast.json("replay", "--stage", "clusters")["again"] == {"clusters": 2}
    done = lightfast.json("process")
    assert (done["embedded"], done["assigned"]) == (2, 2)
    assert lightfast.json("waiting")["stuck"] == []
