"""Deployments, their statuses and workflow runs, as GitHub's REST API encodes them."""

from __future__ import annotations

from datetime import datetime

from tests.servers.github_parts import Json, Parts, iso, node_id
from tests.servers.github_records import Deployment, DeploymentStatus, WorkflowRun, sha


class DeploymentItems(Parts):
    """One world's deployments and runs."""

    def deployment(self, deployment: Deployment, at: datetime | None = None) -> Json:
        told = [status for status in deployment.statuses if at is None or status.created_at <= at]
        url = f"{self.api}/deployments/{deployment.id}"
        return {
            "url": url,
            "id": deployment.id,
            "node_id": node_id("DE", deployment.id),
            "task": "deploy",
            "original_environment": deployment.environment,
            "environment": deployment.environment,
            "description": None,
            "created_at": iso(deployment.created_at),
            "updated_at": iso(told[-1].created_at if told else deployment.created_at),
            "statuses_url": f"{url}/statuses",
            "repository_url": self.api,
            "creator": self.user(deployment.creator),
            "sha": deployment.sha,
            "ref": deployment.ref,
            "payload": {},
            "transient_environment": False,
            "production_environment": deployment.environment == "production",
            "performed_via_github_app": None,
        }

    def deployment_status(self, deployment_status: DeploymentStatus, of: Deployment) -> Json:
        deployment = f"{self.api}/deployments/{of.id}"
        target = f"https://{of.environment}.{self.world.owner}.test"
        return {
            "url": f"{deployment}/statuses/{deployment_status.id}",
            "id": deployment_status.id,
            "node_id": node_id("DES", deployment_status.id),
            "state": deployment_status.state,
            "creator": self.user(deployment_status.creator),
            "description": "",
            "environment": of.environment,
            "target_url": target,
            "created_at": iso(deployment_status.created_at),
            "updated_at": iso(deployment_status.created_at),
            "deployment_url": deployment,
            "repository_url": self.api,
            "environment_url": target,
            "log_url": target,
            "performed_via_github_app": None,
        }

    def run(self, workflow_run: WorkflowRun) -> Json:
        url = f"{self.api}/actions/runs/{workflow_run.id}"
        suite, workflow = workflow_run.id + 1_000_000, 159_038
        tails = ("jobs", "logs", "artifacts", "cancel", "rerun")
        person = self.world.person(workflow_run.actor)
        author = {"name": person.name, "email": person.email}
        return {
            "id": workflow_run.id,
            "name": "CI",
            "node_id": node_id("WFR", workflow_run.id),
            "head_branch": workflow_run.branch,
            "head_sha": workflow_run.sha,
            "path": ".github/workflows/ci.yml",
            "display_title": workflow_run.title,
            "run_number": workflow_run.number,
            "event": workflow_run.event,
            "status": workflow_run.status,
            "conclusion": workflow_run.conclusion,
            "workflow_id": workflow,
            "check_suite_id": suite,
            "check_suite_node_id": node_id("CS", suite),
            "url": url,
            "html_url": f"{self.site}/actions/runs/{workflow_run.id}",
            "pull_requests": [],
            "created_at": iso(workflow_run.created_at),
            "updated_at": iso(workflow_run.updated_at),
            "actor": self.user(workflow_run.actor),
            "run_attempt": workflow_run.attempt,
            "referenced_workflows": [],
            "run_started_at": iso(workflow_run.created_at),
            "triggering_actor": self.user(workflow_run.actor),
            **{f"{tail}_url": f"{url}/{tail}" for tail in tails},
            "check_suite_url": f"{self.api}/check-suites/{suite}",
            "previous_attempt_url": None,
            "workflow_url": f"{self.api}/actions/workflows/{workflow}",
            "head_commit": {
                "id": workflow_run.sha,
                "tree_id": sha("tree", workflow_run.sha),
                "message": workflow_run.title,
                "timestamp": iso(workflow_run.created_at),
                "author": author,
                "committer": author,
            },
            "repository": self.repository(),
            "head_repository": self.repository(),
        }
