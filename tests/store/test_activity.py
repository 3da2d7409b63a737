"""What was done to connections is read newest first, with who did it."""

from __future__ import annotations

from lightfast_pipelines.store.activity import list_activity, record
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.linked_resources import (
    add_workspace,
    find_integration,
    link_resource,
    remove_integration,
    set_active,
)


def test_links_and_their_ends_are_recorded_once_each_with_who_did_it(conn: Connection) -> None:
    shop = add_workspace(conn, "shop")
    for _ in range(2):
        link_resource(conn, shop, "github", "1", name="acme/shop", connected_by="operator:mira")
    set_active(
        conn, find_integration(conn, shop, "github", "1"), False, "paused", actor="operator:mira"
    )
    for _ in range(2):
        set_active(conn, find_integration(conn, shop, "github", "1"), True, None, actor="dagster:1")
    remove_integration(conn, find_integration(conn, shop, "github", "1"), actor="operator:tom")
    link_resource(conn, shop, "github", "1")
    told = [(one.action, one.actor, one.message) for one in reversed(list_activity(conn))]
    assert told == [
        ("integration.linked", "operator:mira", "github acme/shop was linked to shop"),
        ("integration.paused", "operator:mira", "github acme/shop was paused in shop"),
        ("integration.resumed", "dagster:1", "github acme/shop was resumed in shop"),
        ("integration.unlinked", "operator:tom", "github acme/shop was unlinked in shop"),
        ("integration.linked", "operator", "github 1 was linked to shop"),
    ]
    assert {one.workspace for one in list_activity(conn)} == {"shop"}


def test_a_workspace_sees_its_own_activity_and_its_organisations(conn: Connection) -> None:
    shop, other = add_workspace(conn, "shop", "acme"), add_workspace(conn, "shop", "globex")
    record(conn, "backfill.started", "a", "own", org_id="acme", workspace_id=shop.id)
    record(conn, "backfill.started", "a", "theirs", org_id="globex", workspace_id=other.id)
    record(conn, "credential.given", "a", "org", org_id="acme", provider="linear")
    record(conn, "credential.given", "a", "their org", org_id="globex")
    record(conn, "keys.rotated", "a", "all", detail={"sealed": 3})

    def messages(**only: object) -> list[str]:
        return [one.message for one in list_activity(conn, **only)]  # type: ignore[arg-type]

    assert messages(workspace_id=shop.id) == ["all", "org", "own"]
    assert messages(limit=2) == ["all", "their org"]
    assert messages(provider="linear") == ["org"]
    assert messages(action="credential") == ["their org", "org"]
    assert messages(action="cred") == []
    assert list_activity(conn, limit=1)[0].detail == {"sealed": 3}


def test_an_analyst_may_read_the_activity(database: Database, conn: Connection) -> None:
    record(conn, "keys.rotated", "a", "all")
    conn.commit()
    with database.connect("analyst") as analyst:
        rows = analyst.execute("SELECT message FROM lightfast.activity").fetchall()
    assert rows == [("all",)]
