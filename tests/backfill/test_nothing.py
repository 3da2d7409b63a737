"""A unit is complete if the provider has nothing or the feature is off, and the next run brings what
has come since. What is forbidden or gone is a failure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lightfast_pipelines.store import coverage
from lightfast_pipelines.store.database import Database
from tests.backfill.reading import SINCE, UNTIL, Reading
from tests.servers import sentry as sentry_server
from tests.servers import vercel as vercel_server
from tests.servers.github import TOKEN, GitHubServer
from tests.servers.github_records import Commit, sha
from tests.servers.github_world import World
from tests.servers.linear import Linear
from tests.servers.linear import app as linear_app
from tests.servers.linear_life import lived
from tests.servers.serving import Fault, Served, serve

ALWAYS = 10**6


@pytest.fixture
def world() -> World:
    return World.synthetic(seed=7, pulls=3, commits=3, issues=4, since=SINCE, until=UNTIL)


@pytest.fixture
def github(database: Database, world: World) -> Iterator[tuple[Reading, Served]]:
    meta = {"default_branch": world.default_branch}
    with serve(GitHubServer(world)) as served:
        yield (
            Reading(database, "github", str(world.id), TOKEN, name=world.full_name, meta=meta),
            served,
        )


def said(message: str) -> dict[str, Any]:
    return {"message": message, "documentation_url": "https://docs.github.com/rest"}


def test_an_empty_repository_is_read_in_full_and_its_first_commits_afterwards(
    database: Database,
) -> None:
    """The first commits may be older than the run that found none."""
    world = World()
    meta = {"default_branch": world.default_branch}
    reading = Reading(database, "github", str(world.id), TOKEN, name=world.full_name, meta=meta)
    with serve(GitHubServer(world)) as served:
        first = reading.read(served, "commit")
        assert (first.status, first.error, first.items) == ("completed", None, 0)
        assert "empty" in (first.nothing or "")
        assert reading.covered() == [coverage.TimeSpan(SINCE, UNTIL)]
        again = reading.read(served, "commit")
        assert (again.status, again.items) == ("completed", 0)
        assert served.count("/commits?") == 2
        world.commits += [
            Commit(
                sha("c", n), f"Commit {n}", "Mira", "mira@acme.test", SINCE + timedelta(days=30 * n)
            )
            for n in (1, 2, 4)
        ]
        world.touch()
        second = reading.read(served, "commit", until=UNTIL + timedelta(days=60))
        assert (second.status, second.stored, second.nothing) == ("completed", 3, None)
        asked = served.count()
        reading.read(served, "commit", until=UNTIL + timedelta(days=60))
        assert served.count() == asked


GRAPHQL_OFF = {"type": "UNPROCESSABLE", "message": "Discussions are disabled for this repository."}


@pytest.mark.parametrize(
    ("kind", "match", "status", "body"),
    [
        ("issue", "/issues?", 410, said("Issues are disabled for this repo")),
        ("issue", "/issues?", 410, said("Issues has been disabled in this repository.")),
        ("issue", "/issues?", 404, said("Not Found")),
        ("issue_comment", "/issues/comments?", 410, said("Issues are disabled for this repo")),
        ("pull_request", "/pulls?", 403, said("Pull requests are disabled for this repository.")),
        ("deployment", "/deployments?", 204, b""),
        ("workflow_run", "/actions/runs?", 404, said("Not Found")),
        ("workflow_run", "/actions/runs?", 403, said("Actions has been disabled for this user.")),
        ("workflow_run", "/actions/runs?", 403, said("GitHub Actions is not enabled here.")),
        (
            "discussion",
            "discussions(",
            200,
            {"data": {"repository": None}, "errors": [GRAPHQL_OFF]},
        ),
        (
            "discussion",
            "discussions(",
            200,
            {"data": {"repository": {"discussions": None}}, "errors": [GRAPHQL_OFF]},
        ),
        ("discussion", "discussions(", 200, {"data": {"repository": {"discussions": None}}}),
    ],
)
def test_a_feature_that_is_off_at_github_has_nothing_to_read_until_it_is_on_again(
    github: tuple[Reading, Served], kind: str, match: str, status: int, body: Any
) -> None:
    reading, served = github
    served.faults.append(Fault(match, ALWAYS, status, body=body))
    off = reading.read(served, kind)
    assert (off.status, off.error, off.items) == ("completed", None, 0)
    assert off.nothing
    assert reading.covered() == [coverage.TimeSpan(SINCE, UNTIL)]
    served.faults.clear()
    on = reading.read(served, kind)
    assert (on.status, on.nothing) == ("completed", None)
    assert on.stored > 0
    assert reading.read(served, kind).requests == 0


FORBIDDEN = {"type": "FORBIDDEN", "message": "Resource not accessible by integration"}
NOT_FOUND = {
    "type": "NOT_FOUND",
    "message": "Could not resolve to a Repository with the name 'x/y'.",
}


@pytest.mark.parametrize(
    ("kind", "match", "status", "body", "message"),
    [
        ("issue", "/issues?", 403, said("Resource not accessible by integration"), "issues=read"),
        ("issue", "/repositories/", 404, said("Not Found"), "not there, or not to be seen"),
        ("issue", "/issues?", 451, said("Repository access blocked"), "legal reasons"),
        (
            "issue",
            "/issues?",
            403,
            said(
                "Although you appear to have the correct authorization "
                "credentials, the organization has an IP allow list enabled."
            ),
            "does not let",
        ),
        ("commit", "/commits?", 409, said("Conflict"), "refuses"),
        ("commit", "/commits?", 404, said("Not Found"), "not there, or not to be seen"),
        ("deployment", "/deployments?", 404, said("Not Found"), "not there, or not to be seen"),
        (
            "discussion",
            "discussions(",
            200,
            {"data": {"repository": {"discussions": None}}, "errors": [FORBIDDEN]},
            "not accessible",
        ),
        (
            "discussion",
            "discussions(",
            200,
            {"data": {"repository": None}, "errors": [NOT_FOUND]},
            "Could not resolve",
        ),
    ],
)
def test_what_is_forbidden_or_gone_at_github_is_a_failure(
    github: tuple[Reading, Served], kind: str, match: str, status: int, body: Any, message: str
) -> None:
    reading, served = github
    headers = {"x-accepted-github-permissions": "issues=read"} if status == 403 else {}
    served.faults.append(Fault(match, ALWAYS, status, headers, body))
    unit = reading.read(served, kind)
    assert (unit.status, unit.nothing) == ("failed", None)
    assert message in (unit.error or "")


def _linear_error(message: str, code: str) -> dict[str, Any]:
    extensions = {"code": code, "userPresentableMessage": message}
    return {"errors": [{"message": message, "extensions": extensions}], "data": None}


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, _linear_error("Feature not accessible", "FEATURE_NOT_ACCESSIBLE"), "completed"),
        (200, _linear_error("Cycles are not enabled for this team", "INPUT_ERROR"), "completed"),
        (400, _linear_error("Cycles feature is disabled for the team", "INPUT_ERROR"), "completed"),
        (403, _linear_error("Your plan does not include cycles", "INPUT_ERROR"), "completed"),
        (400, _linear_error("You do not have access", "FORBIDDEN"), "failed"),
        (400, _linear_error("Entity not found: Team", "INPUT_ERROR"), "failed"),
    ],
)
def test_a_feature_that_is_not_in_linears_plan_has_nothing_to_read(
    database: Database, status: int, body: Any, expected: str
) -> None:
    reading = Reading(database, "linear", "team-1", "live-token", name="Engineering")
    life = lived(5, 120, teams=1)
    since, until = datetime(2024, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
    with serve(linear_app(Linear(life, tokens={"live-token"}))) as served:
        served.faults.append(Fault("cycles", ALWAYS, status, body=body))
        unit = reading.read(served, "cycle", since, until)
        assert (unit.status, unit.items) == (expected, 0)
        served.faults.clear()
        assert reading.read(served, "cycle", since, until).stored > 0


def test_a_team_without_cycles_is_read_in_full(database: Database) -> None:
    reading = Reading(database, "linear", "team-1", "live-token", name="Engineering")
    life = lived(5, 20, teams=1)
    life.cycles.clear()
    with serve(linear_app(Linear(life, tokens={"live-token"}))) as served:
        unit = reading.read(served, "cycle")
    assert (unit.status, unit.items) == ("completed", 0)


@pytest.mark.parametrize(
    ("status", "detail", "expected"),
    [
        (404, "The requested resource does not exist", "completed"),
        (403, "Your organization does not have access to this feature.", "completed"),
        (400, "This feature is not enabled for your organization", "completed"),
        (404, "Feature not available", "completed"),
        (403, "You do not have permission to perform this action.", "failed"),
    ],
)
def test_metric_alerts_that_are_not_in_sentrys_plan_have_nothing_to_read(
    database: Database, status: int, detail: str, expected: str
) -> None:
    alert = sentry_server.Incident(
        1, SINCE + timedelta(days=1), [("critical", SINCE + timedelta(days=1))]
    )
    errors = sentry_server.World(incidents=[alert])
    reading = Reading(database, "sentry", "42", sentry_server.TOKEN, name="acme/shop")
    with serve(sentry_server.application(errors)) as served:
        served.faults.append(Fault("/incidents/", ALWAYS, status, body={"detail": detail}))
        unit = reading.read(served, "metric_alert")
        assert (unit.status, unit.items) == (expected, 0)
        served.faults.clear()
        assert reading.read(served, "metric_alert").stored > 0


def test_an_organization_that_is_gone_is_not_taken_for_a_feature_that_is_off(
    database: Database,
) -> None:
    errors = sentry_server.World()
    reading = Reading(database, "sentry", "42", sentry_server.TOKEN, name="acme/shop")
    with serve(sentry_server.application(errors)) as served:
        served.faults.append(Fault("", ALWAYS, 404, body={"detail": "does not exist"}))
        assert reading.read(served, "metric_alert").status == "failed"


@pytest.mark.parametrize("kind", ["issue", "error", "metric_alert"])
def test_an_empty_sentry_project_is_read_in_full(database: Database, kind: str) -> None:
    reading = Reading(database, "sentry", "42", sentry_server.TOKEN, name="acme/shop")
    with serve(sentry_server.application(sentry_server.World())) as served:
        unit = reading.read(served, kind)
    assert (unit.status, unit.error, unit.items) == ("completed", None, 0)


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (None, "completed"),
        (Fault("/v7/deployments", ALWAYS, 204), "completed"),
        (
            Fault(
                "/v7/deployments",
                ALWAYS,
                403,
                body={"error": {"code": "forbidden", "message": "Not authorized: scope acme"}},
            ),
            "failed",
        ),
        (Fault("/v7/deployments", ALWAYS, 410, body={"error": {"code": "gone"}}), "failed"),
    ],
)
def test_a_vercel_project_without_deployments_is_read_in_full(
    database: Database, fault: Fault | None, status: str
) -> None:
    meta = {"teamId": "team_1"}
    reading = Reading(database, "vercel", "prj_1", vercel_server.TOKEN, name="shop", meta=meta)
    with serve(vercel_server.application(vercel_server.World())) as served:
        served.faults += [fault] if fault else []
        unit = reading.read(served, "deployment")
    assert (unit.status, unit.items) == (status, 0)
    assert bool(unit.error) is (status == "failed")
