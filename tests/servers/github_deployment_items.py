"""Deployments, their statuses and workflow runs, as GitHub's REST API encodes them."""

from __future__ import annotations

from datetime import datetime

from tests.servers.github_parts import Json, Parts, iso, node_id
from tests.servers.github_records import Deployment, DeploymentStatus, WorkflowRun, sha


class DeploymentItems(Parts):
    """One world's deployments and runs."""

    def deployment(self, one: Deployment, at: datetime | None = None) -> Json:
        told = [each for each in one.statuses if at is None or each.created_at <= at]
        url = f"{self.api}/deployments/{one.id}"
        return {
            "url": url,
            "id": one.id,
            "node_id": node_id("DE", one.id),
            "task": "deploy",
            "original_environment": one.environment,
            "environment": one.environment,
            "description": None,
            "created_at": iso(one.created_at),
            "updated_at": iso(told[-1].created_at if told else one.created_at),
            "statuses_url": f"{url}/statuses",
            "repository_url": self.api,
            "creator": self.user(one.creator),
            "sha": one.sha,
            "ref": one.ref,
            "payload": {},
            "transient_environment": False,
            "production_environment": one.environment == "production",
            "performed_via_github_app": None,
        }

    def deployment_status(self, one: DeploymentStatus, of: Deployment) -> Json:
        deployment = f"{self.api}/deployments/{of.id}"
        target = f"https://{of.environment}.{self.world.owner}.test"
        return {
            "url": f"{deployment}/statuses/{one.id}",
            "id": one.id,
            "node_id": node_id("DES", one.id),
            "state": one.state,
            "creator": self.user(one.creator),
            "description": "",
            "environment": of.environment,
            "target_url": target,
            "created_at": iso(one.created_at),
            "updated_at": iso(one.created_at),
            "deployment_url": deployment,
            "repository_url": self.api,
            "environment_url": target,
            "log_url": target,
            "performed_via_github_app": None,
        }

    def run(self, one: WorkflowRun) -> Json:
        url = f"{self.api}/actions/runs/{one.id}"
        suite, workflow = one.id + 1_000_000, 159_038
        tails = ("jobs", "logs", "artifacts", "cancel", "rerun")
        person = self.world.person(one.actor)
        author = {"name": person.name, "email": person.email}
        return {
            "id": one.id,
            "name": "CI",
            "node_id": node_id("WFR", one.id),
            "head_branch": one.branch,
            "head_sha": one.sha,
            "path": ".github/workflows/ci.yml",
            "display_title": one.title,
            "run_number": one.number,
            "event": one.event,
            "status": one.status,
            "conclusion": one.conclusion,
            "workflow_id": workflow,
            "check_suite_id": suite,
            "check_suite_node_id": node_id("CS", suite),
            "url": url,
            "html_url": f"{self.site}/actions/runs/{one.id}",
            "pull_requests": [],
            "created_at": iso(one.created_at),
            "updated_at": iso(one.updated_at),
            "actor": self.user(one.actor),
            "run_attempt": one.attempt,
            "referenced_workflows": [],
            "run_started_at": iso(one.created_at),
            "triggering_actor": self.user(one.actor),
            **{f"{tail}_url": f"{url}/{tail}" for tail in tails},
            "check_suite_url": f"{self.api}/check-suites/{suite}",
            "previous_attempt_url": None,
            "workflow_url": f"{self.api}/actions/workflows/{workflow}",
            "head_commit": {
                "id": one.sha,
                "tree_id": sha("tree", one.sha),
                "message": one.title,
                "timestamp": iso(one.created_at),
                "author": author,
                "committer": author,
            },
            "repository": self.repository(),
            "head_repository": self.repository(),
        }
