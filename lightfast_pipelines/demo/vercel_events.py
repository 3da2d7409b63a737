"""Vercel's webhooks, as far as the story needs them (vercel.com/docs, "Webhooks API")."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lightfast_pipelines.demo.cast import Person, Site, name_uuid
from lightfast_pipelines.demo.github_events import Commit, NumberedItem
from lightfast_pipelines.demo.stage import StoryEvent


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment of a commit; `pull` is set for a preview of a pull request."""

    site: Site
    commit: Commit
    branch: str
    by: Person
    target: str | None = "production"
    pull: NumberedItem | None = None

    @property
    def id(self) -> str:
        return f"dpl_{_short_id(f'deployment {self.commit.sha} {self.target}')}"

    @property
    def page(self) -> str:
        return f"https://vercel.com/harbor-shop/{self.site.name}/{self.id[4:]}"

    @property
    def json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "customEnvironmentId": None,
            "meta": self._meta,
            "name": self.site.name,
            "url": f"{self.site.name}-{self.id[4:13]}-harbor-shop.vercel.app",
            "inspectorUrl": self.page,
        }

    @property
    def _meta(self) -> dict[str, str]:
        place, author = self.commit.place, self.commit.author
        owner, _, repository = place.full_name.partition("/")
        meta = {
            "githubCommitAuthorName": author.name,
            "githubCommitAuthorEmail": author.email,
            "githubCommitAuthorLogin": author.login,
            "githubCommitMessage": self.commit.message,
            "githubCommitOrg": owner,
            "githubCommitRef": self.branch,
            "githubCommitRepo": repository,
            "githubCommitRepoId": str(place.id),
            "githubCommitSha": self.commit.sha,
            "githubDeployment": "1",
            "githubOrg": owner,
            "githubRepo": repository,
            "githubRepoId": str(place.id),
            "githubHost": "github.com",
        }
        return {**meta, "githubPrId": str(self.pull.number)} if self.pull else meta


def deployment(
    subject: Deployment, transition: str, at: datetime, *, error: str | None = None
) -> StoryEvent:
    """`transition`: created, succeeded, error, promoted, ...; `error` is what the build printed."""
    site = subject.site
    name = f"deployment.{transition}"
    payload = {
        "id": f"evt_{_short_id(f'{subject.id} {transition}')}",
        "type": name,
        "createdAt": int(at.timestamp() * 1000),
        "region": "iad1",
        "payload": {
            "team": {"id": site.team_id},
            "user": {"id": _short_id(f"vercel {subject.by.login}")},
            "project": {"id": site.project_id},
            "deployment": {**subject.json, "errorMessage": error} if error else subject.json,
            "links": {
                "deployment": subject.page,
                "project": f"https://vercel.com/harbor-shop/{site.name}",
            },
            "name": site.name,
            "plan": "pro",
            "regions": ["iad1"],
            "target": subject.target,
        },
    }
    return StoryEvent("vercel", name, at, payload)


def _short_id(name: str) -> str:
    return name_uuid(name).replace("-", "")[:24]
