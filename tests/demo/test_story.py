"""The story is the same on the same day, and its deliveries end as it says."""

from __future__ import annotations

import io
from collections import Counter
from datetime import UTC, date, datetime
from itertools import product

from lightfast_pipelines.capture.queue.batches import capture
from lightfast_pipelines.demo.playing import Played, surprises
from lightfast_pipelines.demo.sending import request_of
from lightfast_pipelines.demo.stage import Scene, Stage
from lightfast_pipelines.demo.story import ORG, PROVIDERS, as_lines, tell
from lightfast_pipelines.inbox.files import ingest
from lightfast_pipelines.inbox.jsonlines import read_lines
from lightfast_pipelines.people.actors import decide_actors
from lightfast_pipelines.providers import discover
from lightfast_pipelines.providers.webhook_contract import Accepted, Secret
from lightfast_pipelines.store import chain
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.deliveries import Delivery, insert_deliveries
from lightfast_pipelines.store.linked_resources import Workspace, add_workspace

TODAY = date(2026, 5, 20)
NOW = datetime(2026, 5, 20, 9, tzinfo=UTC)
SECRETS = {name: name.encode() for name in PROVIDERS}


def test_the_story_is_long_enough_and_has_every_kind_of_delivery() -> None:
    scenes = tell(TODAY).scenes
    assert len(scenes) >= 60
    assert Counter(scene.trick for scene in scenes if scene.trick) == {
        "forged": 2,
        "malformed": 1,
        "repeated": 2,
        "stale": 1,
    }
    assert {(s.provider, s.door) for s in scenes} == set(product(PROVIDERS, ("file", "webhook")))
    assert {scene.fate for scene in scenes} == {"delivered", "filtered", "parked", "refused"}
    assert {scene.event for scene in scenes} >= {
        "push",
        "pull_request",
        "issues",
        "release",
        "discussion",
        "ping",
    }
    assert len({scene.received_at.date() for scene in scenes}) >= 5


def test_the_same_day_has_the_same_bytes_and_another_day_another_story() -> None:
    first, again, tomorrow = tell(TODAY), tell(TODAY), tell(date(2026, 5, 21))
    assert first.scenes == again.scenes
    assert not {s.delivery_id for s in first.scenes} & {s.delivery_id for s in tomorrow.scenes}
    assert first.shop.id != tomorrow.shop.id
    assert max(s.received_at for s in first.scenes) <= datetime(2026, 5, 20, 0, 5, tzinfo=UTC)


def play(conn: Connection) -> Played:
    """Plays the story without HTTP: webhooks are stored as the receiver stores them."""
    stage = tell(TODAY)
    workspace = add_workspace(conn, stage.workspace, ORG)
    conn.commit()
    for name in PROVIDERS:
        ingest(
            conn,
            workspace,
            discover()[name],
            read_lines(io.BytesIO(as_lines(stage.scenes, name)), name, max_bytes=1 << 20),
            start=date(2008, 1, 1),
            now=NOW,
            on_problem=lambda line, reason: None,
        )
    insert_deliveries(
        conn, [_received(s) for s in stage.scenes if s.door == "webhook" and s.fate != "refused"]
    )
    conn.commit()
    capture(conn, days=None, max_rows=10_000, batch_rows=7, now=NOW)
    return _played(conn, stage, workspace)


def _received(scene: Scene) -> Delivery:
    """The delivery as the receiver verifies and stores it."""
    provider = discover()[scene.provider]
    body, headers = request_of(scene, SECRETS, NOW)
    secret = Secret(f"env:{provider.secret_settings[0]}", SECRETS[scene.provider])
    accepted = provider.accept(body, headers, [secret], now=NOW)
    assert isinstance(accepted, Accepted)
    assert accepted.delivery_id == scene.delivery_id
    return Delivery(
        provider=scene.provider,
        delivery_id=accepted.delivery_id,
        event_type=accepted.event_type,
        body=body,
        headers={name: headers[name] for name in provider.kept_headers if name in headers},
        received_at=NOW,
        partition_date=TODAY,
        ingestion_source="webhook",
        verified_by=accepted.verified_by,
    )


def _played(conn: Connection, stage: Stage, workspace: Workspace) -> Played:
    fates: dict[str, str] = dict(
        conn.execute("SELECT delivery_id, status FROM lightfast.deliveries").fetchall()
    )
    answers = [(s, s.status, s.trick == "repeated") for s in stage.scenes if s.door == "webhook"]
    return Played(stage, workspace, answers, fates)


def test_every_delivery_of_the_story_ends_as_the_story_says(conn: Connection) -> None:
    assert surprises(play(conn)) == []


def test_every_surprise_is_named(conn: Connection) -> None:
    played = play(conn)
    merged = next(s for s in played.stage.scenes if s.name == "#51 merged by Mira")
    played.fates[merged.delivery_id] = "dlq"
    posted = len(played.answers)
    forged = next(s for s in played.stage.scenes if s.trick == "forged")
    played.answers = [
        (s, 200 if s is forged else status, repeated and s.provider != "github")
        for s, status, repeated in played.answers[:-1]
    ]
    assert surprises(played) == [
        "#51 merged by Mira, once more: was not recognised as a repetition",
        "a forged push: answered 200, not 401",
        f"{posted - 1} of {posted} deliveries were posted",
        "#51 merged by Mira: dlq, not delivered",
        "#51 merged by Mira, once more: dlq, not delivered",
    ]


def test_the_late_report_and_the_two_fixes_have_the_right_states(conn: Connection) -> None:
    played = play(conn)
    fixed = conn.execute(
        """
        SELECT s.key, t.key FROM lightfast.relationships r
        JOIN lightfast.entities s ON s.id = r.subject_id JOIN lightfast.entities t ON t.id = r.object_id
        WHERE r.type = 'fixes' AND s.category = 'pull_request' AND s.key LIKE '%#51' ORDER BY 2
        """
    ).fetchall()
    shop, payments = played.stage.shop.id, played.stage.payments.id
    pull = f"github:pr:{shop}#51"
    assert fixed[:2] == [(pull, f"github:issue:{shop}#47"), (pull, f"github:issue:{payments}#7")]
    states = conn.execute(
        """
        SELECT state_value, valid_from FROM lightfast.temporal_states
        WHERE entity_id = %s AND superseded_at IS NULL ORDER BY valid_from
        """,
        (f"github:issue:{payments}#7",),
    ).fetchall()
    assert states == [
        ("open", played.stage.at(3, "08:30")),
        ("closed", played.stage.at(1, "23:31")),
    ]


def test_the_chain_leads_from_the_alert_to_the_change_and_to_the_fix(
    conn: Connection,
) -> None:
    played = play(conn)
    shop, workspace = played.stage.shop.id, played.workspace.id
    alert = chain.last_alert(conn, workspace)
    assert alert is not None
    cause = chain.walk(conn, workspace, alert, chain.TO_THE_CAUSE)
    assert [(link.depth, link.type, link.category) for link in cause] == [
        (0, "", "alert"),
        (1, "references", "issue"),
        (2, "caused_by", "release"),
        (3, "contains", "commit"),
        (4, "deploys", "deployment"),
        (4, "merges_as", "pull_request"),
        (5, "fixes", "issue"),
        (5, "tracked_in", "issue"),
    ]
    assert cause[5].key == f"github:pr:{shop}#43"
    assert (cause[4].status, cause[5].status, cause[7].status) == (
        "promoted",
        "merged",
        "completed",
    )
    end = chain.walk(conn, workspace, cause[1].key, chain.TO_THE_END)
    assert [(link.depth, link.type, link.status) for link in end] == [
        (0, "", "resolved"),
        (1, "resolves", "merged"),
        (2, "merges_as", None),
        (3, "deploys", "promoted"),
        (2, "tracked_in", "completed"),
    ]
    assert end[1].key == f"github:pr:{shop}#51"
    assert chain.cause_stated_by(conn, workspace, cause[1].key) == f"{cause[1].key}|created"
    # Linear's ticket, which nothing but its link leads to the pull request.
    ticket = chain.walk(conn, workspace, cause[7].key, chain.TO_THE_END)
    assert [(link.depth, link.type, link.category) for link in ticket] == [
        (0, "", "issue"),
        (1, "tracked_in", "pull_request"),
        (2, "merges_as", "commit"),
        (3, "deploys", "deployment"),
    ]


def test_a_deployment_leads_to_its_change_and_its_author(
    conn: Connection,
) -> None:
    played = play(conn)
    workspace = played.workspace.id
    alert = chain.last_alert(conn, workspace)
    assert alert is not None
    cause = chain.walk(conn, workspace, alert, chain.TO_THE_CAUSE)
    deployment = next(link.key for link in cause if link.category == "deployment")
    from_there = chain.walk(conn, workspace, deployment, chain.TO_THE_CAUSE)
    assert [(link.depth, link.type) for link in from_there][:3] == [
        (0, ""),
        (1, "deploys"),
        (2, "merges_as"),
    ]
    assert from_there[2].author == cause[5].author


def test_whoever_deploys_is_shown_by_name(conn: Connection) -> None:
    """Vercel names an account by its id alone; its commits name it only if one person wrote them."""
    decide_actors(conn, play(conn).workspace.org_id, now=NOW)
    names = conn.execute(
        """
        SELECT DISTINCT a.display_name FROM lightfast.actors a
        JOIN lightfast.actor_identities i ON i.actor_id = a.id AND i.source = 'vercel'
        """
    ).fetchall()
    assert {name for (name,) in names} == {"Jonas Lind", "Mira Okafor", "Priya Raman", "Tomás Vega"}


def test_a_walk_ends_if_edges_form_a_circle(conn: Connection) -> None:
    played = play(conn)
    workspace = played.workspace.id
    alert = chain.last_alert(conn, workspace)
    assert alert is not None
    there_and_back = (
        *chain.TO_THE_CAUSE,
        chain.Step("issue", "references", False, "alert"),
        chain.Step("release", "caused_by", False, "issue"),
    )
    links = chain.walk(conn, workspace, alert, there_and_back)
    assert max(link.depth for link in links) <= chain.LONGEST_WALK
    assert [link.key for link in links].count(alert) == 1
