"""Each share is whole on a memory that lives, and falls when its feature is dead."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from lightfast_pipelines.assets.liveness import result
from lightfast_pipelines.clustering.consolidation import consolidate
from lightfast_pipelines.clustering.summaries import summarize_clusters
from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
from lightfast_pipelines.people.actors import decide_actors
from lightfast_pipelines.people.profiles import update_profiles
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.linked_resources import add_workspace, link_resource
from lightfast_pipelines.store.liveness import SHARES, THRESHOLDS, Share, ShareName, share
from tests.capture.deliveries import capture_all, delivery, receive, workspace_with
from tests.capture.rows import Memory, hours
from tests.providers.github.payloads import pull_request
from tests.providers.vercel import payloads as vercel

NOW = datetime(2024, 6, 1, tzinfo=UTC)
# What tests write is captured now: everything counts.
ALL = datetime.now(UTC) + timedelta(days=1)


def settle(conn: Connection, *, profiles: bool = True, summaries: bool = True) -> None:
    """What the schedules do."""
    conn.commit()
    consolidate(conn, WordLlamaEmbedder(), now=NOW)
    if profiles:
        update_profiles(conn, now=NOW)
    if summaries:
        summarize_clusters(conn, now=NOW)


def story(conn: Connection) -> Memory:
    """A pull request of six commits, and a deployment that succeeded and one a moment ago."""
    memory = Memory(conn)
    ann = memory.identity("github", "ann", source_username="ann", kind="person")
    for number in range(6):
        key = f"github:commit:{number:040}"
        memory.observation(key, f"Retry the payment {number}", at=hours(number), author=ann)
        memory.edge("github:pr:1#1", "contains", key)
    for number, at in enumerate((hours(0), hours(40))):
        memory.observation(
            f"vercel:deployment:{number}", "Deployed", at=at, source="vercel",
            source_type="deployment.created", observation_type="deployment",
        )  # fmt: skip
    conn.execute(
        """
        INSERT INTO lightfast.temporal_states (workspace_id, entity_type, entity_id, state_type,
          state_value, valid_from, is_current, recorded_at)
        VALUES (%s, 'deployment', 'vercel:deployment:0', 'status', 'succeeded', %s, true, %s)
        """,
        (memory.workspace_id, hours(0), hours(0)),
    )
    return memory


def closing(conn: Connection) -> None:
    """Pull requests captured from deliveries: one closes an issue, others only seem to."""
    workspace_with(conn)
    bodies = {
        1: "Fixes #7",
        2: "See #7",
        3: "```\nfixes #7\n```",
        4: "> fixes #7\n\nThat one is not ours.",
        5: "<!-- fixes #7 -->",
        6: "This prefixes #7 with a word.",
    }
    receive(
        conn,
        [
            delivery("pull_request", pull_request(number=number, body=body), f"d{number}")
            for number, body in bodies.items()
        ],
    )
    capture_all(conn)


@pytest.mark.parametrize("name", SHARES)
def test_an_empty_memory_is_healthy_and_says_that_there_is_nothing_to_count(
    conn: Connection, name: ShareName
) -> None:
    found = share(conn, name, before=ALL)
    assert found == Share(0, 0)
    checked = result(name, found)
    assert checked.passed
    assert checked.metadata["note"].value == "nothing to count yet"


def test_a_living_memory_has_full_shares(conn: Connection) -> None:
    story(conn)
    closing(conn)
    settle(conn)
    assert {name: share(conn, name, before=ALL) for name in SHARES} == {
        "clusters_have_a_summary": Share(1, 1),
        "profiles_count": Share(2, 2),
        "closing_words_fix": Share(1, 1),
        "deployments_end": Share(1, 1),
    }


def deployments(conn: Connection) -> None:
    """Of Vercel's deployments one succeeded, one is older than a day and silent, one has just begun."""
    link_resource(conn, add_workspace(conn, "shop"), "vercel", "prj_1")
    day = 24 * 60 * vercel.MINUTE
    payloads = (
        vercel.deployment("created", "dpl_1"),
        vercel.deployment("succeeded", "dpl_1", at=vercel.AT + vercel.MINUTE),
        vercel.deployment("created", "dpl_2"),
        vercel.deployment("created", "dpl_3", at=vercel.AT + 2 * day),
    )
    receive(
        conn,
        [
            replace(
                delivery(payload["type"], vercel.encoded(payload), f"v{number}"), provider="vercel"
            )
            for number, payload in enumerate(payloads)
        ],
    )
    capture_all(conn)


def test_a_deployment_that_never_ends_counts_once_it_has_had_a_day(conn: Connection) -> None:
    deployments(conn)
    assert share(conn, "deployments_end", before=ALL) == Share(
        1, 2, ("deployment vercel:deployment:dpl_2",)
    )


def _not_summarized(conn: Connection) -> None:
    story(conn)
    settle(conn, summaries=False)


def _unlinked_members(conn: Connection) -> None:
    story(conn)
    settle(conn)
    conn.execute("DELETE FROM lightfast.cluster_members")
    conn.commit()
    summarize_clusters(conn, now=NOW, force=True)


def _blank_summaries(conn: Connection) -> None:
    story(conn)
    settle(conn)
    conn.execute("UPDATE lightfast.clusters SET summary = ''")
    conn.commit()


def _no_profiles(conn: Connection) -> None:
    story(conn)
    settle(conn, profiles=False)


def _zero_counts(conn: Connection) -> None:
    story(conn)
    settle(conn)
    conn.execute("UPDATE lightfast.actor_profiles SET observation_count = 0")
    conn.commit()


def _unlinked_actors(conn: Connection) -> None:
    memory = story(conn)
    settle(conn)
    conn.execute("UPDATE lightfast.actor_identities SET actor_id = NULL")
    memory.touch()
    conn.commit()
    update_profiles(conn, now=NOW)


def _no_fixes(conn: Connection) -> None:
    closing(conn)
    # As when a label is trimmed: `fixes` becomes something that no rule knows.
    conn.execute("UPDATE lightfast.relationships SET type = 'fixe' WHERE type = 'fixes'")
    conn.commit()


def _no_states(conn: Connection) -> None:
    story(conn)
    conn.execute("DELETE FROM lightfast.temporal_states")
    conn.commit()


def _still_building(conn: Connection) -> None:
    story(conn)
    conn.execute("UPDATE lightfast.temporal_states SET state_value = 'building'")
    conn.commit()


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("clusters_have_a_summary", _not_summarized),
        ("clusters_have_a_summary", _unlinked_members),
        ("clusters_have_a_summary", _blank_summaries),
        ("profiles_count", _no_profiles),
        ("profiles_count", _zero_counts),
        ("profiles_count", _unlinked_actors),
        ("closing_words_fix", _no_fixes),
        ("deployments_end", _no_states),
        ("deployments_end", _still_building),
    ],
)
def test_a_dead_feature_turns_its_check_red(
    conn: Connection, name: ShareName, fault: Callable[[Connection], None]
) -> None:
    fault(conn)
    found = share(conn, name, before=ALL)
    assert (found.part, found.whole) == (0, 1)
    assert len(found.examples) == 1
    checked = result(name, found)
    assert not checked.passed
    assert checked.metadata["share"].value == 0.0
    assert checked.metadata["threshold"].value == THRESHOLDS[name]


def test_recent_arrivals_are_given_time(conn: Connection) -> None:
    story(conn)
    conn.commit()
    decide_actors(conn, "default", now=NOW)
    conn.commit()
    assert share(conn, "profiles_count", before=datetime.now(UTC) - timedelta(hours=2)).whole == 0
    consolidate(conn, WordLlamaEmbedder(), now=ALL)
    assert share(conn, "clusters_have_a_summary", before=NOW).whole == 0


@pytest.mark.parametrize(("part", "passes"), [(95, True), (94, False)])
def test_a_share_equal_to_the_threshold_passes(part: int, passes: bool) -> None:
    assert Share(part, 100).reaches(0.95) is passes
