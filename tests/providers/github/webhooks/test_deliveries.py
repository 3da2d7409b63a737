"""Deployments, checks, and branches that are created and deleted."""

from __future__ import annotations

import pytest

from lightfast_pipelines.domain.events import ENDING_REASON, Filtered, Parked
from tests.providers.github.more_payloads import (
    check_suite,
    deployment,
    deployment_status,
    ref,
    workflow_run,
)
from tests.providers.github.payloads import CHANGED_AT, sha
from tests.providers.github.readings import edges, mentioned, read, statement

DEPLOYMENT, RUN, COMMIT = "github:deployment:1:40", "github:workflow-run:30", sha("c")


def test_a_deployment_deploys_its_commit() -> None:
    result = statement("deployment", deployment())
    assert result.source_id == f"{DEPLOYMENT}|created"
    assert edges(result) == {(DEPLOYMENT, "deploys", f"github:commit:{COMMIT}")}
    assert [state.value for state in result.states] == ["building"]


@pytest.mark.parametrize(
    ("state", "source_type", "value"),
    [
        ("success", "deployment.succeeded", "succeeded"),
        ("failure", "deployment.error", "failed"),
        ("error", "deployment.error", "failed"),
        ("in_progress", "deployment.in-progress", "building"),
        ("waiting", "deployment.waiting", "waiting"),
        ("queued", "deployment.queued", "building"),
        ("pending", "deployment.pending", "building"),
        ("inactive", "deployment.inactive", "inactive"),
    ],
)
def test_a_status_moves_the_deployment(state: str, source_type: str, value: str) -> None:
    result = statement("deployment_status", deployment_status(state, environment="qa"))
    assert result.source_type == source_type
    assert [each.value for each in result.states if each.state_type == "status"] == [value]


def test_two_reports_of_one_state_are_two_observations() -> None:
    ids = {
        statement("deployment_status", deployment_status(status_id=number)).source_id
        for number in (90, 91)
    }
    assert ids == {f"{DEPLOYMENT}|succeeded|90", f"{DEPLOYMENT}|succeeded|91"}


def test_production_that_succeeded_is_live_in_its_repository() -> None:
    result = statement("deployment_status", deployment_status())
    assert [(state.thing.key, state.state_type, state.value) for state in result.states][1:] == [
        ("github:repository:1", "live_deployment:production", DEPLOYMENT)
    ]
    assert isinstance(read("deployment_status", deployment_status("paused")), Parked)


def live(state: str, environment: str, **flags: object) -> list[tuple[str, str, str | None]]:
    payload = deployment_status(state, environment=environment)
    payload["deployment"].update(flags)
    return [
        (each.state_type, each.value, each.reason)
        for each in statement("deployment_status", payload).states
        if each.thing.key == "github:repository:1"
    ]


def test_the_last_success_is_live_only_in_its_own_environment() -> None:
    assert live("success", "staging") == [("live_deployment:staging", DEPLOYMENT, "succeeded")]
    blue = live("success", "blue", production_environment=True)
    assert [each[:2] for each in blue] == [("live_deployment:blue", DEPLOYMENT)]


def test_a_task_that_serves_nothing_does_not_make_a_deployment_live() -> None:
    for task, serves in (("deploy", 1), ("deploy:web", 1), ("deploy:migrations", 0), ("unlock", 0)):
        payload = deployment_status("success")
        payload["deployment"]["task"] = task
        types = [state.state_type for state in statement("deployment_status", payload).states]
        assert types.count("live_deployment:production") == serves, task


@pytest.mark.parametrize(
    "state", ["failure", "error", "in_progress", "queued", "pending", "waiting"]
)
def test_a_failure_does_not_change_what_is_live(state: str) -> None:
    assert live(state, "production") == []


@pytest.mark.parametrize(
    "environment", ["Preview", "preview/pr-12", "pr-12", "review/cart", "PR 12"]
)
def test_a_preview_is_never_live(environment: str) -> None:
    assert live("success", environment, production_environment=False) == []


def test_a_transient_environment_is_never_live() -> None:
    flags = {"transient_environment": True, "production_environment": False}
    assert live("success", "shop-12", **flags) == []


def test_an_inactive_or_deleted_deployment_is_no_longer_live() -> None:
    assert live("inactive", "production") == [
        ("live_deployment:production", DEPLOYMENT, ENDING_REASON)
    ]
    gone = statement("deployment", {**deployment(), "action": "deleted"})
    assert [state.reason for state in gone.states] == ["deleted", ENDING_REASON]


def test_a_failed_run_is_significant_and_a_successful_one_is_not() -> None:
    failed = statement("workflow_run", workflow_run("failure"))
    good = statement("workflow_run", workflow_run("success"))
    assert failed.base_significance >= 50
    assert good.base_significance <= 10
    assert failed.title == "[Workflow Failed] CI on main"
    assert failed.source_id == f"{RUN}|completed|1"
    assert edges(failed) == {
        (RUN, "references", f"github:commit:{COMMIT}"),
        ("github:pr:1#1", "contains", f"github:commit:{sha('d')}"),
        ("github:pr:1#1", "on_branch", "github:branch:2:cart"),
    }
    assert "github:pr:1#1" in mentioned(failed, "reference")
    assert [state.value for state in failed.states] == ["failed"]
    assert failed.branch == "main"


def test_a_run_that_is_tried_again_is_another_observation() -> None:
    again = statement("workflow_run", workflow_run("success", attempt=2))
    assert again.source_id == f"{RUN}|completed|2"


def test_only_the_conclusion_is_kept() -> None:
    assert isinstance(read("workflow_run", workflow_run(None, "requested")), Filtered)
    assert isinstance(read("workflow_run", workflow_run(None)), Parked)
    assert isinstance(read("workflow_run", workflow_run("puzzled")), Parked)


def test_the_branch_of_a_fork_is_not_a_branch_of_the_repository() -> None:
    result = statement("workflow_run", workflow_run(head_repository={"id": 2}))
    assert not any(key.startswith("github:branch") for key in mentioned(result, "reference"))


def test_the_subject_of_a_check_suite_is_its_commit_unless_a_run_reports_it() -> None:
    result = statement("check_suite", check_suite())
    assert result.subject.key == f"github:commit:{COMMIT}"
    assert result.source_id == f"{result.subject.key}|check-suite.completed|31@{CHANGED_AT}"
    assert result.title == "[Checks Failed] circleci on main"
    assert isinstance(read("check_suite", check_suite(app="github-actions")), Filtered)


def test_a_new_branch_is_remembered_and_nothing_that_a_push_reports_twice() -> None:
    made = statement("create", ref())
    assert made.source_id == f"github:branch:1:cart|created|{CHANGED_AT}"
    assert made.branch == "cart"
    for event, kind in (("create", "tag"), ("delete", "branch"), ("delete", "tag")):
        assert isinstance(read(event, ref(event, kind)), Filtered)
    assert isinstance(read("create", ref(kind="worktree")), Parked)
