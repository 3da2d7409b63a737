"""Profiles as rows: for whom something changed and for nobody else, and whom they work with."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from lightfast_pipelines.people.actors import decide_actors
from lightfast_pipelines.people.profiles import ProfileReport, update_profiles, workspaces_due
from lightfast_pipelines.store.database import Connection
from tests.capture.rows import Memory, hours

NOW = datetime(2024, 6, 1, tzinfo=UTC)
LATER = datetime(2024, 6, 2, tzinfo=UTC)


@pytest.fixture
def memory(conn: Connection) -> Memory:
    return Memory(conn)


def person(memory: Memory, name: str, kind: str = "person") -> int:
    return memory.identity("github", name, source_username=name, kind=kind)


def update(memory: Memory, *, now: datetime = NOW, force: bool = False) -> ProfileReport:
    """Does what the schedules do: decides actors, then writes profiles."""
    memory.touch()
    decide_actors(memory.conn, memory.org_id, now=now)
    memory.conn.commit()
    return update_profiles(memory.conn, now=now, force=force)


def profiles(conn: Connection) -> dict[str, dict[str, Any]]:
    """Display name -> row."""
    rows = conn.execute(
        """
        SELECT a.display_name, to_jsonb(p) FROM lightfast.actor_profiles p
        JOIN lightfast.actors a ON a.id = p.actor_id
        """
    ).fetchall()
    conn.rollback()
    return dict(rows)


def collaborators(conn: Connection) -> dict[str, dict[str, dict[str, int]]]:
    return {
        name: {each["display_name"]: each["kinds"] for each in row["frequent_collaborators"]}
        for name, row in profiles(conn).items()
    }


def test_a_profile_counts_what_its_person_did(conn: Connection, memory: Memory) -> None:
    ann = person(memory, "ann")
    for number in range(3):
        memory.observation(
            f"github:commit:{number:040}",
            "Retry",
            at=hours(number),
            author=ann,
            files=["src/cart/a.py"],
        )
    report = update(memory)
    assert (report.workspaces, report.profiles, report.written, report.observations) == (1, 1, 1, 3)
    row = profiles(conn)["ann"]
    assert row["observation_count"] == 3
    assert row["expertise_domains"] == {"directory:src/cart": 1.0}
    assert row["contribution_types"] == {"code": 1.0}
    assert datetime.fromisoformat(row["last_active_at"]) == hours(2)
    assert datetime.fromisoformat(row["updated_at"]) == NOW


def test_nothing_is_done_again_until_something_changes(memory: Memory) -> None:
    memory.observation("github:commit:a", "Retry", author=person(memory, "ann"))
    assert update(memory).written == 1
    assert workspaces_due(memory.conn) == 0
    assert update_profiles(memory.conn, now=LATER).workspaces == 0
    assert update(memory, now=LATER).written == 0
    assert update(memory, now=LATER, force=True).written == 1


def test_only_profiles_whose_evidence_changed_are_written_again(
    conn: Connection, memory: Memory
) -> None:
    ann, ben = person(memory, "ann"), person(memory, "ben")
    first = memory.observation("github:commit:a", "Retry", author=ann)
    memory.observation("github:commit:b", "Refund", author=ben)
    update(memory)
    memory.observation("github:commit:c", "Refund more", author=ben)
    report = update(memory, now=LATER)
    assert (report.profiles, report.written, report.observations) == (2, 1, 2)
    made = {n: datetime.fromisoformat(r["updated_at"]) for n, r in profiles(conn).items()}
    assert made == {"ann": NOW, "ben": LATER}
    # A payload that came later says which files it was.
    memory.mention(first, "file:src/a.py", "file")
    assert update(memory).written == 1
    assert profiles(conn)["ann"]["expertise_domains"] == {"directory:src": 1.0}


def test_people_who_turn_out_to_be_the_same_have_one_profile(
    conn: Connection, memory: Memory
) -> None:
    memory.observation("github:commit:a", "Retry", author=person(memory, "7"))
    git = memory.identity(
        "git", "Ann <7+7@users.noreply.github.com>", source_name="Ann",
        source_email="7+7@users.noreply.github.com",
    )  # fmt: skip
    assert update(memory).profiles == 1
    memory.observation("github:commit:b", "Refund", author=git)
    report = update(memory)
    assert (report.profiles, len(profiles(conn))) == (1, 1)
    (row,) = profiles(conn).values()
    assert row["observation_count"] == 2


def test_somebody_without_any_observation_has_no_profile(conn: Connection, memory: Memory) -> None:
    observation = memory.observation("github:commit:a", "Retry", author=person(memory, "ann"))
    update(memory)
    conn.execute("DELETE FROM lightfast.observation_facts WHERE id = %s", (observation,))
    assert update(memory).removed == 1
    assert profiles(conn) == {}


def test_a_profile_counts_only_its_workspace_and_a_better_name_reaches_all_workspaces(
    conn: Connection, memory: Memory
) -> None:
    other = Memory(conn, slug="other")
    ann, ben = person(memory, "ann"), person(memory, "ben")
    memory.observation("github:commit:a", "Retry", author=ann)
    for number in range(2):
        shared = other.observation(f"github:commit:{number}", "Refund", author=ben)
        other.takes_part(shared, ann, "co_author")
        other.takes_part(shared, ben, "author")
    update(memory)
    rows = conn.execute(
        """
        SELECT p.workspace_id, a.display_name, p.observation_count
        FROM lightfast.actor_profiles p JOIN lightfast.actors a ON a.id = p.actor_id ORDER BY 1, 2
        """
    ).fetchall()
    assert rows == [
        (memory.workspace_id, "ann", 1), (other.workspace_id, "ann", 2), (other.workspace_id, "ben", 2),
    ]  # fmt: skip
    conn.execute(
        "UPDATE lightfast.actor_identities SET source_name = 'Ann Lee' WHERE id = %s", (ann,)
    )
    # Only the first workspace has changed; the name stands in the other's profiles.
    update(memory)
    named = conn.execute(
        """
        SELECT frequent_collaborators -> 0 ->> 'display_name' FROM lightfast.actor_profiles
        WHERE workspace_id = %s AND frequent_collaborators <> '[]' ORDER BY 1
        """,
        (other.workspace_id,),
    ).fetchall()
    assert [name for (name,) in named] == ["Ann Lee", "ben"]


def test_people_who_review_or_merge_each_others_work_are_collaborators(
    conn: Connection, memory: Memory
) -> None:
    ann, ben, cat = (person(memory, name) for name in ("ann", "ben", "cat"))
    for number in range(2):
        pull = f"github:pr:1#{number}"
        memory.observation(
            pull, "Retry", author=ann, transition="opened", source_type="pull-request.opened"
        )
        memory.observation(
            pull,
            "Retry",
            author=ann,
            actor=ben,
            transition="merged",
            source_type="pull-request.merged",
        )
    # Reviewing what one merges as well is one pull request in common, not two.
    memory.observation(
        "github:pr:1#1", "Approved", author=ben, transition="review",
        source_type="review.submitted", observation_type="review",
    )  # fmt: skip
    # Whose pull request it is says the review itself, where the opening was never captured.
    review = memory.observation(
        "github:pr:1#9", "Approved", author=cat, transition="review",
        source_type="review.submitted", observation_type="review",
    )  # fmt: skip
    memory.takes_part(review, ann, "subject_author")
    update(memory)
    assert collaborators(conn) == {
        "ann": {"ben": {"reviewed": 2}, "cat": {"reviewed": 1}},
        "ben": {"ann": {"reviewed": 2}},
        "cat": {"ann": {"reviewed": 1}},
    }


def test_people_who_write_or_discuss_something_together_are_collaborators(
    conn: Connection, memory: Memory
) -> None:
    ann, ben, cat = (person(memory, name) for name in ("ann", "ben", "cat"))
    shared = memory.observation("github:commit:a", "Retry", author=ann)
    memory.takes_part(shared, ann, "author")
    memory.takes_part(shared, ben, "co_author")
    memory.observation(
        "github:issue:1#1", "It fails", author=ann, transition="opened",
        source_type="issue.opened", observation_type="issue",
    )  # fmt: skip
    for number, who in enumerate((cat, cat, ann)):
        memory.observation(
            "github:issue:1#1", "So it does", author=who, transition=f"comment-{number}",
            source_type="comment.created", observation_type="discussion",
        )  # fmt: skip
    update(memory)
    assert collaborators(conn) == {
        "ann": {"ben": {"co_authored": 1}, "cat": {"discussed": 1}},
        "ben": {"ann": {"co_authored": 1}},
        "cat": {"ann": {"discussed": 1}},
    }


def test_neither_bots_nor_mentions_nor_crowds_are_collaboration(
    conn: Connection, memory: Memory
) -> None:
    ann, bot = person(memory, "ann"), person(memory, "bumper", kind="bot")
    memory.observation(
        "github:pr:1#1", "Bump", author=bot, actor=ann, transition="merged",
        source_type="pull-request.merged",
    )  # fmt: skip
    mentioned = memory.observation("github:commit:a", "Retry, thanks @ben", author=ann)
    memory.takes_part(mentioned, person(memory, "ben"), "assignee")
    for number in range(21):
        memory.observation(
            "github:issue:1#1", "+1", author=person(memory, f"p{number}"), transition=f"c{number}",
            source_type="comment.created", observation_type="discussion",
        )  # fmt: skip
    # A squashed commit may name thousands of authors, and pairs grow as their square.
    squashed = memory.observation("github:commit:b", "Import", author=ann)
    memory.takes_part(squashed, ann, "author")
    for number in range(20):
        memory.takes_part(squashed, person(memory, f"w{number}"), "co_author")
    update(memory)
    profile_rows = profiles(conn)
    assert "ben" not in profile_rows
    assert profile_rows["bumper"]["observation_count"] == 1
    assert all(row["frequent_collaborators"] == [] for row in profile_rows.values())


def test_somebody_who_assigns_work_to_another_is_a_collaborator(
    conn: Connection, memory: Memory
) -> None:
    ann, ben = person(memory, "ann"), person(memory, "ben")
    for number, assignee in enumerate((ben, ben, ann)):
        assigned = memory.observation(
            f"github:issue:1#{number}", "It fails", author=ann, transition="assigned",
            source_type="issue.assigned", observation_type="issue",
        )  # fmt: skip
        memory.takes_part(assigned, assignee, "assignee")
    update(memory)
    assert collaborators(conn) == {"ann": {"ben": {"assigned": 2}}}


def test_a_profile_has_the_time_zone_of_its_commits_and_a_bot_has_none(
    conn: Connection, memory: Memory
) -> None:
    ann, bot = person(memory, "ann"), person(memory, "bumper", kind="bot")
    for author in (ann, bot):
        for number in range(4):
            memory.observation(f"github:commit:{author}{number}", "Retry", author=author)
    conn.execute("""UPDATE lightfast.observation_facts SET metadata = '{"utcOffset": 330}'""")
    update(memory)
    guesses = {
        name: (row["time_zone_guess"], row["time_zone_evidence"])
        for name, row in profiles(conn).items()
    }
    assert guesses == {"ann": ("UTC+05:30", "commits"), "bumper": (None, None)}
