"""Compares the test server with GitHub's API, as far as tests of the history rely on it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from lightfast_pipelines.domain.events import Filtered, Understood
from lightfast_pipelines.providers.github import PROVIDER
from tests.servers.github import TOKEN, GitHubServer
from tests.servers.github_items import Items
from tests.servers.github_log import Delivery, GitHubLog
from tests.servers.github_records import Change
from tests.servers.github_state import state_of
from tests.servers.github_webhooks import webhooks
from tests.servers.github_world import World
from tests.servers.serving import serve

AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def world() -> World:
    return World.synthetic(7, pulls=120, commits=200, issues=60)


@pytest.fixture
def server(world: World) -> GitHubServer:
    return GitHubServer(world)


@pytest.fixture
def github(server: GitHubServer) -> Iterator[httpx.Client]:
    with serve(server) as served, httpx.Client(base_url=served.url, headers=AUTHORIZED) as client:
        yield client


def _all(client: httpx.Client, path: str) -> list[Any]:
    found: list[Any] = []
    following: str | None = path
    while following is not None:
        answer = client.get(following)
        assert answer.status_code == 200, answer.text
        found += answer.json()
        following = answer.links.get("next", {}).get("url")
    return found


def test_a_list_is_divided_into_pages_that_name_the_next_and_the_last(
    github: httpx.Client, world: World
) -> None:
    first = github.get("/repos/acme/shop/pulls", params={"state": "all", "per_page": "50"})
    assert len(first.json()) == 50
    assert first.links["last"]["url"].endswith("page=3")
    assert "/repositories/1/pulls?state=all&per_page=50&page=2" in first.links["next"]["url"]
    assert len(github.get("/repositories/1/pulls?state=all").json()) == 30
    pulls = _all(github, "/repositories/1/pulls?state=all&sort=updated&direction=desc&per_page=500")
    assert sorted(pull["number"] for pull in pulls) == [pull.number for pull in world.pulls]
    moments = [pull["updated_at"] for pull in pulls]
    assert moments == sorted(moments, reverse=True)


def test_issues_are_paged_by_a_cursor_that_no_change_can_move(
    github: httpx.Client, world: World
) -> None:
    order = "state=all&sort=updated&direction=desc&per_page=50"
    first = github.get(f"/repositories/1/issues?{order}")
    assert set(first.links) == {"next"}
    world.issues[-1].changes.append(Change("closed", datetime(2026, 2, 1, tzinfo=UTC), "ada"))
    world.touch()
    following = github.get(first.links["next"]["url"]).json()
    assert not {one["number"] for one in following} & {one["number"] for one in first.json()}
    deep = github.get(f"/repositories/1/issues?{order}&page=200")
    assert deep.status_code == 422
    assert "cursor based pagination" in deep.json()["message"]


def test_since_leaves_out_earlier_changes(github: httpx.Client, world: World) -> None:
    since = "2025-06-01T00:00:00Z"
    for path in ("issues?state=all", "issues/comments?sort=updated", "pulls/comments?sort=updated"):
        items = _all(github, f"/repositories/1/{path}&per_page=100&since={since}")
        assert items
        assert all(one["updated_at"] >= since for one in items)
    commits = _all(github, f"/repositories/1/commits?per_page=100&since={since}")
    assert len(commits) == sum(
        one.landed_at >= datetime(2025, 6, 1, tzinfo=UTC) for one in world.commits
    )


def test_a_merge_makes_two_events_in_the_same_second(github: httpx.Client) -> None:
    events = _all(github, "/repositories/1/issues/events?per_page=100")
    moments = [event["created_at"] for event in events]
    assert moments == sorted(moments, reverse=True)
    merged = {
        (event["issue"]["number"], event["created_at"])
        for event in events
        if event["event"] == "merged"
    }
    closed = {
        (event["issue"]["number"], event["created_at"])
        for event in events
        if event["event"] == "closed"
    }
    assert merged
    assert merged <= closed
    assert all(
        event["issue"]["pull_request"]["merged_at"] == event["created_at"]
        for event in events
        if event["event"] == "merged"
    )


def test_an_unchanged_list_costs_nothing(github: httpx.Client, world: World) -> None:
    path = "/repositories/1/releases"
    first = github.get(path)
    again = github.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["x-ratelimit-used"] == first.headers["x-ratelimit-used"] == "1"
    world.delete_release(world.releases[0].tag)
    changed = github.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert changed.status_code == 200


def test_each_pool_has_a_limit_of_its_own_and_says_when_it_is_refilled(
    github: httpx.Client, server: GitHubServer
) -> None:
    server.bucket().used = 4_999
    last = github.get("/repositories/1")
    assert last.headers["x-ratelimit-remaining"] == "0"
    refused = github.get("/repositories/1")
    assert refused.status_code == 403
    assert float(refused.headers["x-ratelimit-reset"]) > datetime.now(UTC).timestamp()
    query = {"query": "{ rateLimit { cost remaining } }"}
    points = github.post("/graphql", json=query)
    assert points.json() == {"data": {"rateLimit": {"cost": 1, "remaining": 4_999}}}
    assert points.headers["x-ratelimit-resource"] == "graphql"


def test_an_unknown_or_expired_token_is_refused(github: httpx.Client, server: GitHubServer) -> None:
    server.tokens["ghs_ended"] = datetime(2025, 1, 1, tzinfo=UTC)
    for token in ("nobody", "ghs_ended"):
        answer = github.get("/repositories/1", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 401
        assert answer.json()["message"] == "Bad credentials"


def test_a_renamed_repository_leads_to_its_number(github: httpx.Client, world: World) -> None:
    world.rename("store")
    moved = github.get("/repos/acme/shop/pulls")
    assert moved.status_code == 301
    assert moved.headers["location"] == str(github.base_url.join("/repositories/1/pulls"))
    assert github.get("/repositories/1").json()["full_name"] == "acme/store"


def test_a_deleted_item_is_not_found_anywhere(github: httpx.Client, world: World) -> None:
    issue, comment = world.issues[0].number, world.review_comments[0].id
    deployment = world.deployments[0].id
    world.delete_issue(issue)
    world.delete_comment(comment)
    world.delete_deployment(deployment)
    assert github.get(f"/repositories/1/issues/{issue}").status_code == 410
    assert github.get(f"/repositories/1/pulls/comments/{comment}").status_code == 404
    assert github.get(f"/repositories/1/deployments/{deployment}").status_code == 404
    listed = _all(github, "/repositories/1/issues?state=all&per_page=100")
    assert issue not in {one["number"] for one in listed}


def test_graphql_pages_by_cursors_and_refuses_unknown_fields(
    github: httpx.Client, world: World
) -> None:
    query = """
      query($after: String) { repository(owner: "acme", name: "shop") {
        issues(first: 40, after: $after, orderBy: {field: CREATED_AT, direction: ASC}) {
          totalCount nodes { number } pageInfo { hasNextPage endCursor } } } }
    """
    found: list[int] = []
    after = None
    while True:
        answer = github.post("/graphql", json={"query": query, "variables": {"after": after}})
        issues = answer.json()["data"]["repository"]["issues"]
        found += [one["number"] for one in issues["nodes"]]
        after = issues["pageInfo"]["endCursor"]
        if not issues["pageInfo"]["hasNextPage"]:
            break
    assert found == [one.number for one in world.issues]
    wrong = github.post("/graphql", json={"query": "{ viewer { password } }"}).json()
    assert "data" not in wrong
    gone = {"query": '{ repository(owner: "acme", name: "nothing") { name } }'}
    assert github.post("/graphql", json=gone).json()["errors"][0]["type"] == "NOT_FOUND"


def _proof(key: rsa.RSAPrivateKey, **claims: Any) -> dict[str, str]:
    now = int(datetime.now(UTC).timestamp())
    told = {"iss": "1234", "iat": now - 60, "exp": now + 540, **claims}
    return {"Authorization": f"Bearer {jwt.encode(told, key, algorithm='RS256')}"}


def test_an_app_authenticates_and_gets_tokens_and_its_log_of_deliveries(world: World) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    server = GitHubServer(world)
    again: list[Delivery] = []

    def redeliver(delivery: Delivery) -> int:
        again.append(delivery)
        return 202

    log = GitHubLog(server.tokens, public_key=public, on_redeliver=redeliver)
    server.app = log
    now = datetime.now(UTC)
    made = [
        log.add(event, payload, now - timedelta(minutes=n), guid=guid, status=502 if n else 200)
        for n, (event, payload, guid, _) in zip(range(25), webhooks(world), strict=False)
    ]
    with serve(server) as served, httpx.Client(base_url=served.url) as client:
        other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        late = int((now + timedelta(minutes=20)).timestamp())
        mint = "/app/installations/7/access_tokens"
        for proof in (_proof(other), _proof(key, exp=late), AUTHORIZED):
            assert client.post(mint, headers=proof).status_code == 401
        token = client.post(mint, headers=_proof(key)).json()["token"]
        assert log.minted == {7: 1}
        minted = {"Authorization": f"Bearer {token}"}
        assert client.get("/repositories/1", headers=minted).status_code == 200
        server.tokens[token] = now
        assert client.get("/repositories/1", headers=minted).status_code == 401

        first = client.get("/app/hook/deliveries?per_page=10", headers=_proof(key))
        assert [one["guid"] for one in first.json()] == [one.guid for one in made[:10]]
        second = client.get(first.links["next"]["url"], headers=_proof(key)).json()
        assert [one["guid"] for one in second] == [one.guid for one in made[10:20]]
        lost = f"/app/hook/deliveries/{second[0]['id']}"
        detail = client.get(lost, headers=_proof(key)).json()
        assert detail["request"]["payload"] == made[10].payload
        assert client.post(f"{lost}/attempts", headers=_proof(key)).status_code == 202
        assert [one.guid for one in again] == [made[10].guid]
        newest = client.get("/app/hook/deliveries", headers=_proof(key)).json()[0]
        assert (newest["guid"], newest["redelivery"]) == (made[10].guid, True)


def test_webhooks_come_in_order_and_show_the_state_of_their_moment(world: World) -> None:
    moments = []
    for event, payload, _, moment in webhooks(world):
        moments.append(moment)
        reading = PROVIDER.read(event, payload)
        known = isinstance(reading, Understood) or payload["action"] in ("released", "prereleased")
        assert known, (event, reading)
        assert isinstance(reading, Understood | Filtered)
        thing = payload.get(event if event == "pull_request" else "issue") or {}
        if event == "pull_request" and payload["action"] == "opened":
            assert (thing["labels"], thing["closed_at"], thing["merged"]) == ([], None, False)
        if event in ("pull_request", "issues"):
            assert thing["updated_at"] == moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert moments == sorted(moments)
    assert list(webhooks(world)) == list(webhooks(world))


_DEVLAKE = {
    "pull_requests": "pull",
    "issues": "issue",
    "events": "event",
    "comments": "comment",
    "pull_request_review_comments": "review_comment",
    "pull_request_reviews": "review",
    "runs": "run",
}
_EXAMPLES = {
    "repos.list-commits": "commit",
    "repos.list-releases": "release",
    "repos.list-deployments": "deployment",
    "repos.list-deployment-statuses": "deployment_status",
}
# Newer than the server, or added by whoever recorded them.
_NEWER = frozenset({"pinned_comment", "minimized", "in_reply_to_id", "previous_attempt_url"})


def test_items_have_the_fields_of_recorded_ones(shared: Path, world: World) -> None:
    recorded = shared / "payloads" / "github" / "api"
    items, pull = Items(world), next(one for one in world.pulls if one.reviews)
    deployment = next(one for one in world.deployments if one.statuses)
    told = {
        "pull": items.pull(pull, state_of(pull)),
        "issue": items.issue(world.issues[0], state_of(world.issues[0])),
        "event": items.event(Change("closed", pull.created_at, "ada"), {}),
        "comment": items.comment(world.comments[0], of_pull=False),
        "review_comment": items.review_comment(world.review_comments[0]),
        "review": items.review(pull.reviews[0], pull.number),
        "run": items.run(world.runs[0]),
        "commit": items.commit(world.commits[0]),
        "release": items.release(world.releases[0]),
        "deployment": items.deployment(deployment),
        "deployment_status": items.deployment_status(deployment.statuses[0], deployment),
    }
    files = {recorded / "_devlake" / f"api_{name}.json": kind for name, kind in _DEVLAKE.items()}
    examples = recorded / "_openapi-examples"
    files |= {examples / f"{name}.200.default.json": kind for name, kind in _EXAMPLES.items()}
    for file, kind in files.items():
        # The fields that all of them have: some events and pull requests have more.
        common = set.intersection(*(set(one) for one in json.loads(file.read_text())))
        assert common - _NEWER <= set(told[kind]), file.name
