"""Each provider's sweeps over HTTP: what is deleted in the server's world is marked, the rest is not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from lightfast_pipelines.providers.api_contract import discover_apis
from lightfast_pipelines.recovery.sweep_cycle import SweepCycle, SweepReport
from lightfast_pipelines.recovery.sweeps import sweep
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.deliveries import Delivery
from lightfast_pipelines.store.linked_resources import add_workspace, link_resource
from lightfast_pipelines.store.sources import find_sources
from tests.backfill.conftest import PlainApis
from tests.capture.deliveries import NOW, capture_all, receive, rows
from tests.servers import github_webhooks, linear_world
from tests.servers import sentry as sentry_server
from tests.servers import vercel as vercel_server
from tests.servers.github import TOKEN, GitHubServer
from tests.servers.github_world import World as GitHubWorld
from tests.servers.linear import Linear
from tests.servers.linear import app as linear_app
from tests.servers.linear_life import lived
from tests.servers.serving import App, Fault, Served, serve

Told = Iterable[tuple[str, Mapping[str, Any], Mapping[str, str]]]
BEGIN = datetime(2026, 5, 1, 9, tzinfo=UTC)
_MAKE = (
    "INSERT INTO lightfast.tokens (installation_id, kind, key_id) "
    "SELECT id, 'token', 'none' FROM lightfast.installations"
)


class Memory:
    """One linked resource whose webhooks were captured, and its hourly sweeps."""

    def __init__(
        self, database: Database, provider: str, resource: str, token: str, **link: Any
    ) -> None:
        self._database, self._provider, self._token = database, provider, token
        with database.connect("pipeline") as conn:
            link_resource(conn, add_workspace(conn, "shop"), provider, resource, **link)
            conn.execute(_MAKE)
            conn.commit()

    def hear(self, webhooks: Told) -> None:
        deliveries = [
            Delivery(
                provider=self._provider,
                delivery_id=f"webhooks-{number}",
                event_type=event,
                body=json.dumps(payload).encode(),
                headers=headers,
                received_at=NOW,
                partition_date=NOW.date(),
                ingestion_source="webhook",
                verified_by=f"env:{self._provider}",
                org_id=None,
            )
            for number, (event, payload, headers) in enumerate(webhooks)
        ]
        with self._database.connect("pipeline") as conn:
            receive(conn, deliveries)
            capture_all(conn)

    def sweep(self, served: Served, share: float = 0.05) -> dict[str, SweepReport]:
        """Runs an hour after the sweep before."""
        provider_api = discover_apis()[self._provider]
        cycle = SweepCycle(
            database=self._database,
            apis=PlainApis(self._database, served.url, provider_api, token=self._token),
            clock=lambda: datetime.now(UTC),
            first_day=date(2008, 1, 1),
            share=share,
            actor="schedule:test",
        )
        with self._database.connect("pipeline") as conn:
            conn.execute("UPDATE lightfast.id_sweeps SET hour_from = hour_from - interval '1 hour'")
            conn.commit()
            reports = {report.kind: report for report in sweep(cycle, find_sources(conn))}
            capture_all(conn)
        return reports

    def deleted(self) -> set[str]:
        with self._database.connect("pipeline") as conn:
            return _existing(conn, "= 'deleted'")


def _existing(conn: Connection, value: str) -> set[str]:
    deleted_rows = rows(
        conn,
        "SELECT entity_id FROM lightfast.temporal_states "
        f"WHERE state_type = 'existence' AND state_value {value} AND is_current",
    )
    return {row[0] for row in deleted_rows}


def test_what_is_deleted_at_github_is_marked(database: Database) -> None:
    since = datetime(2026, 1, 1, tzinfo=UTC)
    world = GitHubWorld.synthetic(
        seed=3, pulls=8, commits=8, issues=12, since=since, until=since + timedelta(days=90)
    )
    memory = Memory(database, "github", str(world.id), TOKEN, name=world.full_name)
    with serve(GitHubServer(world)) as served:
        memory.hear(
            (event, payload, {}) for event, payload, _, _ in github_webhooks.webhooks(world)
        )
        before = memory.sweep(served)
        assert {report.status for report in before.values()} == {"whole"}
        assert [report.gone for report in before.values() if report.gone] == []
        assert memory.deleted() == set()
        issue, repository = world.issues[1], world.id
        gone = {f"github:issue:{repository}#{issue.number}"}
        deleted_comments = [item.id for item in world.comments if item.number == issue.number]
        world.delete_issue(issue.number)
        deleted_comments += [world.comments[0].id]
        world.delete_comment(deleted_comments[-1])
        gone |= {f"github:comment:comment:{item}" for item in deleted_comments}
        line = world.review_comments[0].id
        world.delete_comment(line)
        gone.add(f"github:comment:review-comment:{line}")
        discussion, release = world.discussions[0], world.releases[0]
        world.delete_discussion(discussion.number)
        gone.add(f"github:discussion:{repository}#{discussion.number}")
        answers = {item.id for item in discussion.comments}
        talk = next(item for item in world.discussions if len(item.comments) > 1)
        answers.add(talk.comments[-1].id)
        world.delete_comment(talk.comments[-1].id)
        gone |= {f"github:comment:discussion-comment:{item}" for item in answers}
        world.delete_release(release.tag)
        gone.add(f"github:release:{repository}:{release.tag}")
        deployment = world.deployments[0].id
        world.delete_deployment(deployment)
        gone.add(f"github:deployment:{repository}:{deployment}")
        reports = memory.sweep(served)
        assert {key for report in reports.values() for key in report.gone} == gone
        assert memory.deleted() == gone
        assert [report.gone for report in memory.sweep(served).values() if report.gone] == []


def _vercel() -> vercel_server.World:
    first = int(BEGIN.timestamp() * 1000)
    return vercel_server.World(
        [
            vercel_server.Deployment(f"dpl_{n}", first + n * 60_000, ended=first + n * 60_000 + 9)
            for n in range(230)
        ]
    )


def test_what_is_deleted_at_vercel_is_marked(database: Database) -> None:
    world = _vercel()
    meta = {"teamId": "team_1"}
    memory = Memory(database, "vercel", "prj_1", vercel_server.TOKEN, name="shop", meta=meta)
    with serve(vercel_server.application(world)) as served:
        memory.hear((event, body, {}) for event, body in vercel_server.webhooks(world))
        assert memory.sweep(served)["deployment"].gone == []
        gone = {"dpl_0", "dpl_17", "dpl_100", "dpl_229"}
        world.deployments = [item for item in world.deployments if item.uid not in gone]
        report = memory.sweep(served)["deployment"]
        assert (report.status, report.error) == ("whole", None)
        assert memory.deleted() == {f"vercel:deployment:{item}" for item in gone}
        assert memory.sweep(served)["deployment"].gone == []


def test_all_deployments_of_a_project_can_be_deleted_at_once(database: Database) -> None:
    world = _vercel()
    del world.deployments[30:]
    meta = {"teamId": "team_1"}
    memory = Memory(database, "vercel", "prj_1", vercel_server.TOKEN, name="shop", meta=meta)
    with serve(vercel_server.application(world)) as served:
        memory.hear((event, body, {}) for event, body in vercel_server.webhooks(world))
        world.deployments.clear()
        memory.sweep(served)
        assert len(memory.deleted()) == 30


def test_deployments_asked_for_without_their_team_are_not_deleted(database: Database) -> None:
    """Vercel lists and finds none of a team's deployments where the team is not named."""
    world = _vercel()
    memory = Memory(database, "vercel", "prj_1", vercel_server.TOKEN, name="shop")
    with serve(vercel_server.application(world)) as served:
        memory.hear((event, body, {}) for event, body in vercel_server.webhooks(world))
        report = memory.sweep(served)["deployment"]
        assert report.status == "failed"
        assert "Project not found" in (report.error or "")
        assert memory.deleted() == set()


def test_what_is_deleted_at_linear_is_marked(database: Database) -> None:
    world = lived(5, 120, teams=1)
    memory = Memory(database, "linear", "team-1", "live-token", name="Engineering")
    with serve(linear_app(Linear(world, tokens={"live-token"}))) as served:
        memory.hear((event, body, {}) for event, body in linear_world.webhooks(world))
        before = memory.deleted()
        memory.sweep(served)
        assert memory.deleted() == before
        issues = [item for item in world.issues if not item["trashed"]]
        gone = {f"linear:issue:{item['id']}" for item in issues[:3]}
        comment = next(
            item for item in world.comments if item["issue"] and item["issue"] in issues[3:]
        )
        gone.add(f"linear:comment:{comment['id']}")
        lost = {id(item) for item in (*issues[:3], comment)}
        comments = [item for item in world.comments if item["issue"] in issues[:3]]
        lost |= {id(item) for item in comments}
        project = next(item for item in world.projects if not item["trashed"])
        gone.add(f"linear:project:{project['id']}")
        world.projects = [item for item in world.projects if item is not project]
        gone |= {f"linear:comment:{item['id']}" for item in comments}
        world.issues = [item for item in world.issues if id(item) not in lost]
        world.comments = [item for item in world.comments if id(item) not in lost]
        reports = memory.sweep(served)
        assert {report.status for report in reports.values()} == {"whole"}
        assert memory.deleted() - before == gone
        assert [report.gone for report in memory.sweep(served).values() if report.gone] == []


def test_issues_of_a_team_that_the_credential_cannot_see_are_not_deleted(
    database: Database,
) -> None:
    """Linear lists and finds no issue of a team that became private."""
    world = lived(5, 40, teams=1)
    memory = Memory(database, "linear", "team-1", "live-token", name="Engineering")
    with serve(linear_app(Linear(world, tokens={"live-token"}))) as served:
        memory.hear((event, body, {}) for event, body in linear_world.webhooks(world))
        before = memory.deleted()
        world.teams, world.issues, world.comments = [], [], []
        reports = memory.sweep(served)
        assert "does not see the team" in (reports["issue"].error or "")
        assert memory.deleted() == before


def _sentry(issues: int = 130) -> sentry_server.World:
    first = datetime.now(UTC).replace(microsecond=0) - timedelta(days=20)
    return sentry_server.World(
        [sentry_server.Issue(n, [first + timedelta(minutes=n)]) for n in range(1, issues + 1)]
    )


def test_what_is_deleted_at_sentry_is_marked(database: Database) -> None:
    world = _sentry()
    # A second. A twentieth of it is no request a second, and 1,800 an hour.
    world.limit = 10
    memory = Memory(database, "sentry", "42", sentry_server.TOKEN, name="acme/shop")
    with serve(sentry_server.application(world)) as served:
        memory.hear(sentry_server.webhooks(world))
        assert memory.sweep(served)["issue"].gone == []
        gone = {1, 60, 130}
        world.issues = [item for item in world.issues if item.number not in gone]
        report = memory.sweep(served)["issue"]
        assert (report.status, report.error) == ("whole", None)
        assert memory.deleted() == {f"sentry:issue:42:{item}" for item in gone}
        assert memory.sweep(served)["issue"].gone == []


def test_an_issue_that_sentry_answers_with_another_one_was_merged_into_it(
    database: Database,
) -> None:
    world = _sentry(5)
    memory = Memory(database, "sentry", "42", sentry_server.TOKEN, name="acme/shop")
    merged_at = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
    with serve(sentry_server.application(world)) as served:
        memory.hear(sentry_server.webhooks(world))
        world.merge(3, 1, merged_at)
        assert memory.sweep(served)["issue"].gone == ["sentry:issue:42:3"]
        assert memory.sweep(served)["issue"].gone == []
    assert memory.deleted() == set()
    with database.connect("pipeline") as conn:
        deleted_rows = rows(
            conn,
            """
            SELECT state_value, valid_from FROM lightfast.temporal_states
            WHERE entity_id = 'sentry:issue:42:3' AND state_type = 'status' AND is_current
            """,
        )
        assert deleted_rows == [("merged", merged_at)]
        deleted_rows = rows(
            conn,
            """
            SELECT o.key FROM lightfast.relationships r
            JOIN lightfast.entities s ON s.id = r.subject_id
            JOIN lightfast.entities o ON o.id = r.object_id
            WHERE s.key = 'sentry:issue:42:3' AND r.type = 'duplicates'
            """,
        )
        assert deleted_rows == [("sentry:issue:42:1",)]


@pytest.mark.parametrize("provider", ["github", "vercel", "linear", "sentry"])
@pytest.mark.parametrize("status", [403, 404, 410, 451])
def test_a_resource_that_is_gone_or_refused_deletes_nothing(
    new_database: Callable[[], Database], provider: str, status: int
) -> None:
    memory, app, webhooks = _memory_of(provider, new_database())
    with serve(app) as served:
        memory.hear(webhooks)
        before = memory.deleted()
        served.faults.append(Fault("", 10**6, status, body={"message": "Not Found"}))
        reports = memory.sweep(served)
        assert {report.status for report in reports.values()} == {"failed"}
        assert all(report.error for report in reports.values())
        assert memory.deleted() == before


@pytest.mark.parametrize("provider", ["github", "vercel", "linear", "sentry"])
def test_a_sweep_that_asks_first_is_not_starved(database: Database, provider: str) -> None:
    """The limit is unknown before the first answer."""
    memory, app, webhooks = _memory_of(provider, database)
    with serve(app) as served:
        memory.hear(webhooks)
        assert {report.status for report in memory.sweep(served).values()} == {"whole"}


def _memory_of(provider: str, database: Database) -> tuple[Memory, App, Told]:
    webhooks: list[tuple[str, Mapping[str, Any], Mapping[str, str]]]
    if provider == "github":
        since = datetime(2026, 1, 1, tzinfo=UTC)
        world = GitHubWorld.synthetic(
            seed=3, pulls=1, commits=1, issues=3, since=since, until=since + timedelta(days=9)
        )
        memory = Memory(database, provider, str(world.id), TOKEN, name=world.full_name)
        webhooks = [(event, body, {}) for event, body, _, _ in github_webhooks.webhooks(world)]
        return memory, GitHubServer(world), webhooks
    if provider == "vercel":
        deployments = _vercel()
        del deployments.deployments[5:]
        memory = Memory(database, provider, "prj_1", vercel_server.TOKEN, meta={"teamId": "team_1"})
        webhooks = [(event, body, {}) for event, body in vercel_server.webhooks(deployments)]
        return memory, vercel_server.application(deployments), webhooks
    if provider == "linear":
        life = lived(5, 20, teams=1)
        memory = Memory(database, provider, "team-1", "live-token", name="Engineering")
        webhooks = [(event, body, {}) for event, body in linear_world.webhooks(life)]
        return memory, linear_app(Linear(life, tokens={"live-token"})), webhooks
    errors = _sentry(5)
    errors.limit = 5
    memory = Memory(database, provider, "42", sentry_server.TOKEN, name="acme/shop")
    return memory, sentry_server.application(errors), list(sentry_server.webhooks(errors))
