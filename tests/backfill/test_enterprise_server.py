"""GitHub Enterprise Server: REST at https://HOST/api/v3, GraphQL at https://HOST/api/graphql."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from lightfast_pipelines.backfill.request import BackfillListener, BackfillRequest
from lightfast_pipelines.backfill.run import run_backfill
from lightfast_pipelines.providers.api_contract import discover_apis
from lightfast_pipelines.providers.github.api import API
from lightfast_pipelines.recovery.sweep_cycle import SweepCycle
from lightfast_pipelines.recovery.sweeps import sweep
from lightfast_pipelines.store.database import Database
from lightfast_pipelines.store.linked_resources import add_workspace, link_resource
from lightfast_pipelines.store.sources import find_sources
from tests.backfill.conftest import PlainApis
from tests.capture.deliveries import capture_all
from tests.servers.github import ENTERPRISE_HOST, TOKEN, GitHubServer
from tests.servers.github_world import World
from tests.servers.serving import serve

SINCE, UNTIL = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)


def test_an_enterprise_server_is_read_and_swept(database: Database) -> None:
    world = World.synthetic(seed=7, pulls=8, commits=8, issues=120, since=SINCE, until=UNTIL)
    with database.connect("pipeline") as conn:
        # Its numbers are its own: the link and the keys name the host.
        link_resource(
            conn,
            add_workspace(conn, "shop"),
            "github",
            f"{world.id}@{ENTERPRISE_HOST}",
            name=world.full_name,
        )
        conn.execute(
            "INSERT INTO lightfast.tokens (installation_id, kind, key_id) "
            "SELECT id, 'personal', 'none' FROM lightfast.installations"
        )
        conn.commit()
        sources = find_sources(conn)
    with serve(GitHubServer(world, is_enterprise=True)) as served:
        apis = PlainApis(database, f"{served.url}/api/v3", API, token=TOKEN)
        result = run_backfill(
            database,
            apis,
            BackfillRequest(sources, SINCE, UNTIL),
            first_day=date(2008, 1, 1),
            listener=BackfillListener(),
        )
        assert [
            (report.unit.entity_type, report.error) for report in result.units if report.error
        ] == []
        assert {report.unit.entity_type for report in result.units if not report.stored} == set()
        cycle = SweepCycle(
            database, apis, lambda: datetime.now(UTC), date(2008, 1, 1), 0.05, "schedule:test"
        )
        with database.connect("pipeline") as conn:
            capture_all(conn)
            world.delete_issue(world.issues[0].number)
            world.delete_discussion(world.discussions[0].number)
            talk = next(each for each in world.discussions if each.comments)
            world.delete_comment(talk.comments[-1].id)
            reports = sweep(cycle, sources)
        results = {report.kind: (report.status, len(report.gone)) for report in reports}
        assert (results["issue"], results["discussion"]) == (("whole", 1), ("whole", 1))
        assert {status for status, _ in results.values()} == {"whole"}
        assert results["discussion-comment"][1] >= 1
        assert [report.error for report in reports if report.error] == []


@pytest.mark.parametrize(
    ("name", "written", "asked"),
    [
        ("GITHUB_API_URL", "https://git.acme.test/api/v3/", "https://git.acme.test/api/v3"),
        ("GITHUB_API_URL", "https://git.acme.test/api", "https://git.acme.test/api/v3"),
        ("GITHUB_API_URL", "https://git.acme.test/api/graphql", "https://git.acme.test/api/v3"),
        ("GITHUB_API_URL", "https://api.acme.ghe.com", "https://api.acme.ghe.com"),
        ("GITHUB_API_URL", "https://github.com", "https://api.github.com"),
        ("LINEAR_API_URL", "https://api.linear.app/graphql", "https://api.linear.app"),
        ("SENTRY_API_URL", "https://sentry.acme.test/api/0/", "https://sentry.acme.test"),
    ],
)
def test_an_address_is_understood_as_people_write_it(name: str, written: str, asked: str) -> None:
    provider_api = discover_apis()[name.partition("_")[0].lower()]
    assert provider_api.base_url({name: written}) == asked


@pytest.mark.parametrize(
    ("base", "asked"),
    [
        ("https://git.acme.test/api/v3", "https://git.acme.test/api/graphql"),
        ("https://api.github.com", "https://api.github.com/graphql"),
        ("https://api.acme.ghe.com", "https://api.acme.ghe.com/graphql"),
        ("https://proxy.acme.test/github", "https://proxy.acme.test/github/graphql"),
    ],
)
def test_graphql_stands_beside_the_rest_api_of_an_enterprise_server(base: str, asked: str) -> None:
    assert API.address(base, "graphql") == asked
