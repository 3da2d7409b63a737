"""GitHub's `Provider`: accepts and routes deliveries, and calls the module that reads each event."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from lightfast_pipelines.domain.events import Filtered, Parked, Reading, Route
from lightfast_pipelines.providers.fields import Missing, child, name_of
from lightfast_pipelines.providers.github import keys as github_keys
from lightfast_pipelines.providers.github.host import identity, localized
from lightfast_pipelines.providers.github.webhooks import (
    alerts,
    checks,
    comments,
    created_refs,
    deployment_reviews,
    deployments,
    discussion,
    issue_links,
    issues,
    lifecycle,
    merge_groups,
    milestones,
    outcomes,
    project_items,
    pull_request,
    push,
    release,
    review_threads,
    reviews,
    signature,
)
from lightfast_pipelines.providers.github.webhooks import body as bodies
from lightfast_pipelines.providers.github.webhooks import claimed_event as fit
from lightfast_pipelines.providers.github.webhooks.moved_files import moves_files, pushed_commit
from lightfast_pipelines.providers.github.webhooks.names import names
from lightfast_pipelines.providers.github.webhooks.repository import (
    full_name,
    repository_id,
    resource_meta,
)
from lightfast_pipelines.providers.malformed_body import MalformedBody
from lightfast_pipelines.providers.webhook_contract import (
    Accepted,
    EventRule,
    Provider,
    Refused,
    Secret,
)

_READERS: Mapping[str, Callable[[Mapping[str, Any]], Reading]] = {
    "check_suite": checks.read_check_suite,
    "code_scanning_alert": alerts.reader("code_scanning_alert"),
    "commit_comment": comments.reader("commit_comment"),
    "create": created_refs.read_create,
    "delete": created_refs.read_delete,
    "dependabot_alert": alerts.reader("dependabot_alert"),
    "deployment": deployments.read_deployment,
    "deployment_protection_rule": deployment_reviews.read_rule,
    "deployment_review": deployment_reviews.read_review,
    "deployment_status": deployments.read_status,
    "discussion": discussion.read,
    "discussion_comment": comments.reader("discussion_comment"),
    "installation": lifecycle.read_installation,
    "installation_repositories": lifecycle.read_installation_repositories,
    "installation_target": lifecycle.read_installation_target,
    "issue_comment": comments.reader("issue_comment"),
    "issue_dependencies": issue_links.reader("issue_dependencies"),
    "issues": issues.read,
    "merge_group": merge_groups.read,
    "milestone": milestones.read,
    "projects_v2_item": project_items.read,
    "pull_request": pull_request.read,
    "pull_request_review": reviews.read,
    "pull_request_review_comment": comments.reader("pull_request_review_comment"),
    "pull_request_review_thread": review_threads.read,
    "push": push.read,
    "release": release.read,
    "repository": lifecycle.read_repository,
    "secret_scanning_alert": alerts.reader("secret_scanning_alert"),
    "sub_issues": issue_links.reader("sub_issues"),
    "workflow_run": checks.read_workflow_run,
}
_RULES = (
    *push.RULES,
    *created_refs.RULES,
    *pull_request.RULES,
    *reviews.RULES,
    *review_threads.RULES,
    *merge_groups.RULES,
    *issues.RULES,
    *issue_links.RULES,
    *milestones.RULES,
    *project_items.RULES,
    *discussion.RULES,
    *comments.RULES,
    *release.RULES,
    *deployments.RULES,
    *deployment_reviews.RULES,
    *checks.RULES,
    *alerts.RULES,
    *lifecycle.RULES,
    *outcomes.RULES,
)
_LONGEST_HEADER = 200
# A delivery without a repository is routed by its installation or organisation; each has its own ids.
_RESOURCE_ID = re.compile(r"((installation|organization):)?[1-9]\d{0,18}")
_NAME = re.compile(r"(?:https?://[^/]+/|git@[^:]+:)?([\w.-]+/[\w.-]+?)(?:\.git)?/?", re.ASCII)


class GitHub(Provider):
    """The `Provider` for github.com and GitHub Enterprise Server."""

    name = "github"
    rule_version = 18
    default_events = frozenset(rule.event for rule in _RULES if rule.outcome == "delivered")
    events: Sequence[EventRule] = _RULES
    kept_headers = frozenset(
        {
            "content-type",
            "user-agent",
            "x-github-delivery",
            "x-github-event",
            "x-github-hook-id",
            "x-github-hook-installation-target-id",
            "x-github-hook-installation-target-type",
            "x-hub-signature-256",
        }
    )
    secret_settings: Sequence[str] = ("GITHUB_WEBHOOK_SECRET",)

    def accept(
        self,
        body: bytes,
        headers: Mapping[str, str],
        secrets: Sequence[Secret],
        *,
        now: datetime,  # GitHub signs no time
    ) -> Accepted | Refused:
        """Verifies the signature before reading anything else in the delivery."""
        verified_by = signature.verified_by(body, headers.get(signature.HEADER), secrets)
        if verified_by is None:
            return Refused(401, "signature missing or not valid")
        event, delivery = headers.get("x-github-event", ""), headers.get("x-github-delivery", "")
        for name, value in (("X-GitHub-Event", event), ("X-GitHub-Delivery", delivery)):
            if not value.strip():
                return Refused(400, f"header {name} is missing")
            if len(value) > _LONGEST_HEADER or not value.isprintable():
                return Refused(400, f"header {name} is not of GitHub's form")
        try:
            bodies.check(body, headers)
        except MalformedBody as error:
            return Refused(400, str(error))
        return Accepted(delivery.strip(), event.strip(), verified_by)

    def decode(self, body: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
        """The payload; its text holds no NUL and no lone surrogate. Raises MalformedBody."""
        return bodies.payload(body)

    def route(
        self,
        event_type: str,
        payload: Mapping[str, Any],
    ) -> Route | None:
        """By the repository, else by the installation, else by the organisation."""
        payload = localized(payload)
        repository = child(payload, "repository")
        installation_id = identity(child(payload, "installation"))
        number = repository_id(payload)
        said = names(payload)
        if number is not None:
            return Route(
                github_keys.repository(number),
                number,
                full_name(repository),
                installation_id,
                resource_meta(repository),
                names=said,
                moves_files=moves_files(event_type, payload),
                pushed=pushed_commit(event_type, payload),
            )
        # Installations have ids of their own: "7" alone could be a linked repository.
        if installation_id is not None:
            login = name_of(child(child(payload, "installation"), "account"), "login")
            of_installation = f"installation:{installation_id}"
            return Route(
                f"github:{of_installation}", of_installation, login, installation_id, names=said
            )
        organization = child(payload, "organization")
        number = identity(organization)
        if number is None:
            return None
        of_organization = f"organization:{number}"
        login = name_of(organization, "login")
        return Route(f"github:{of_organization}", of_organization, login, names=said)

    def read(self, event_type: str, payload: Mapping[str, Any]) -> Reading:
        """Statements for any payload of `decode`, or why there are none. Does not raise."""
        misfit = fit.misfit(event_type, payload)
        if misfit is not None:
            return Parked(misfit)
        why = outcomes.FILTERED.get(event_type)
        if why is not None:
            return Filtered(f"event {event_type} is not kept: {why}")
        reader = _READERS.get(event_type)
        if reader is None:
            return Parked(f"event {event_type[:100]} is not known yet")
        try:
            return reader(localized(payload))
        except Missing as missing:
            return Parked(f"{event_type}: {missing}")

    def resource_id(self, given: str) -> str:
        """A repository's number, as a name would not survive a rename."""
        identity = given.strip()
        if _RESOURCE_ID.fullmatch(identity):
            return identity
        match = _NAME.fullmatch(identity)
        name = match[1] if match else None
        repository_name = name or "OWNER/NAME"
        raise ValueError(
            f"GitHub's webhooks name a repository by its number: `gh api repos/{repository_name} --jq .id` prints it"
            + (f" (and give `--name {name}`)" if name else "")
        )
