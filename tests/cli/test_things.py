"""A thing is found by whatever people call it; what may mean several things is never guessed."""

from __future__ import annotations

import pytest

from lightfast_pipelines.store.database import Database
from lightfast_pipelines.store.linked_resources import add_workspace, list_workspaces
from lightfast_pipelines.store.things import NamedThing, things_named
from tests.capture.deliveries import capture_all, delivery, receive
from tests.capture.provider_deliveries import linked, provider_delivery
from tests.cli.conftest import STORY, Lightfast
from tests.providers.github import payloads as github
from tests.providers.linear import payloads as linear

SHOP = STORY.shop.id
PULL = f"github:pr:{SHOP}#51"


def _found(database: Database, text: str) -> list[NamedThing]:
    with database.connect() as conn:
        return things_named(conn, text, list_workspaces(conn))


def _keys(database: Database, text: str) -> list[str]:
    return [each.key for each in _found(database, text)]


@pytest.mark.parametrize(
    "text",
    [
        PULL,
        f"github:ref:{SHOP}#51",
        f"{STORY.shop.full_name}#51",
        "storefront#51",
        "#51",
        "51",
        "GH-51",
        f"https://github.com/{STORY.shop.full_name}/pull/51",
        f"https://github.com/{STORY.shop.full_name}/pull/51/files?w=1#diff-1",
        f"  github.com/{STORY.shop.full_name}/pull/51  ",
    ],
)
def test_a_pull_request_is_found_in_every_form_that_people_write(
    story_database: Database, text: str
) -> None:
    assert _keys(story_database, text) == [PULL]


@pytest.mark.parametrize(
    ("text", "category", "name"),
    [
        ("CHK-31", "issue", "CHK-31 Guests are charged twice"),
        ("chk-31", "issue", "CHK-31 Guests are charged twice"),
        ("STOREFRONT-1C", "issue", "DuplicateCharge: the cart has a charge already"),
        ("storefront-1c", "issue", "DuplicateCharge: the cart has a charge already"),
        (STORY.shop.full_name, "repository", STORY.shop.full_name),
        (f"https://github.com/{STORY.shop.full_name}/", "repository", STORY.shop.full_name),
        ("v1.4.1", "release", "1.4.1: charged once"),
        (
            f"https://github.com/{STORY.shop.full_name}/releases/tag/v1.4.1",
            "release",
            "1.4.1: charged once",
        ),
        ("priya/chk-31-double-charge", "branch", "priya/chk-31-double-charge"),
        ("failed checkouts", "alert", "Failed checkouts"),
        (
            "./api/carts/migrations/0012_guest_email.py",
            "file",
            "api/carts/migrations/0012_guest_email.py",
        ),
        ("get /carts/{id}/totals", "endpoint", "GET /carts/{id}/totals"),
    ],
)
def test_each_kind_of_thing_is_found_by_its_name(
    story_database: Database, text: str, category: str, name: str
) -> None:
    [thing] = _found(story_database, text)
    assert (thing.category, thing.name) == (category, name)


def test_a_commit_is_found_by_the_beginning_of_its_sha_and_a_deployment_by_its_addresses(
    story_database: Database,
) -> None:
    with story_database.connect() as conn:
        [(commit,)] = conn.execute(
            "SELECT key FROM lightfast.entities WHERE category = 'commit' ORDER BY key LIMIT 1"
        ).fetchall()
        [(deployment, host)] = conn.execute(
            "SELECT key, value FROM lightfast.entities WHERE category = 'deployment'"
            " AND key LIKE 'vercel:%' ORDER BY key LIMIT 1"
        ).fetchall()
    sha = commit.removeprefix("github:commit:")
    for text in (sha, sha[:12], sha[:12].upper(), f"https://github.com/a/b/commit/{sha}"):
        assert _keys(story_database, text) == [commit]
    page = f"https://vercel.com/harbor/storefront/{deployment.rpartition('_')[2]}"
    for text in (host, f"https://{host}/cart?x=1", deployment.rpartition(":")[2], page):
        assert _keys(story_database, text) == [deployment]


def test_an_observation_stands_for_what_it_is_about(story_database: Database) -> None:
    with story_database.connect() as conn:
        row = conn.execute(
            "SELECT external_id, source_id FROM lightfast.observations"
            " WHERE subject_key = %s AND source_type = 'pull-request.merged'",
            (PULL,),
        ).fetchone()
    assert row is not None
    assert [_keys(story_database, text) for text in row] == [[PULL], [PULL]]


@pytest.mark.parametrize("text", ["#99999", "nothing of that name", "https://example.com/1", "%"])
def test_what_nothing_is_called_is_not_found(story_database: Database, text: str) -> None:
    assert _found(story_database, text) == []


def test_a_name_of_several_things_lists_them_and_ends_with_1(told: Lightfast) -> None:
    for command in ("chain", "state", "why"):
        stderr = told(command, "storefront", exits=1).stderr
        assert "may mean one of these" in stderr
        assert f"github:repository:{SHOP}" in stderr
        assert "vercel:project:" in stderr


def test_each_command_takes_what_people_write_without_a_workspace(told: Lightfast) -> None:
    assert told.json("chain", "#51")["end"][0]["key"] == PULL
    assert {row["entity"] for row in told.json("state", "#51")} == {PULL}
    assert told.json("why", "#51")["entities"][0]["key"] == PULL
    stderr = told("chain", "#4711", exits=1).stderr
    assert f"nothing is known about '#4711' in {STORY.workspace}" in stderr
    assert "acme/shop#43" in stderr


def test_a_number_of_two_repositories_is_told_apart(lightfast: Lightfast) -> None:
    with lightfast.database.connect() as conn:
        linked(conn, "shop", ("github", "1"), ("github", "2"))
        for repo_id, repo in ((1, "acme/shop"), (2, "acme/till")):
            pull_request = github.pull_request(repo=repo, repo_id=repo_id, number=7)
            receive(conn, [delivery("pull_request", pull_request)])
        capture_all(conn)
        conn.commit()
    assert _keys(lightfast.database, "#7") == ["github:pr:1#7", "github:pr:2#7"]
    assert _keys(lightfast.database, "till#7") == ["github:pr:2#7"]


def test_a_thing_of_two_workspaces_asks_for_the_workspace(lightfast: Lightfast) -> None:
    with lightfast.database.connect() as conn:
        linked(conn, "shop", ("github", "1"))
        linked(conn, "lab", ("github", "1"))
        receive(conn, [delivery("pull_request", github.pull_request(number=7))])
        capture_all(conn)
        add_workspace(conn, "empty", "default")
        conn.commit()
    stderr = lightfast("chain", "#7", exits=1).stderr
    assert "say --workspace lab or shop" in stderr
    assert lightfast.json("chain", "#7", "-w", "lab")["cause"][0]["key"] == "github:pr:1#7"
    assert {row["workspace"] for row in lightfast.json("state", "#7")} == {"lab", "shop"}
    assert "nothing is known" in lightfast("chain", "#7", "-w", "empty", exits=1).stderr


def test_what_was_only_mentioned_is_found_and_a_name_that_two_claim_is_told_apart(
    lightfast: Lightfast,
) -> None:
    with lightfast.database.connect() as conn:
        linked(conn, "shop", ("github", "1"), ("linear", "team-1"))
        body = "Part of #8 and of ENG-8"
        receive(conn, [delivery("pull_request", github.pull_request(body=body))])
        issues = [linear.issue(number=8, id=issue_id) for issue_id in ("one", "two")]
        receive(conn, [provider_delivery("linear", "Issue", issue) for issue in issues])
        capture_all(conn)
        conn.commit()
    [stub] = _found(lightfast.database, "#8")
    assert stub.is_stub
    assert _keys(lightfast.database, "ENG-8") == ["linear:issue:one", "linear:issue:two"]
