"""Bodies of Vercel's webhooks, as far as the story needs them (vercel.com/docs, "Webhooks API")."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lightfast_pipelines.demo.cast import Person, Site, name_uuid
from lightfast_pipelines.demo.payloads import Commit, Numbered


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment of a commit; `pull` where it is a preview of a pull request."""

    site: Site
    commit: Commit
    branch: str
    by: Person
    target: str | None = "production"
    pull: Numbered | None = None

    @property
    def id(self) -> str:
        what = f"deployment {self.commit.sha} {self.target}"
        return f"dpl_{name_uuid(what).replace('-', '')[:24]}"

    @property
    def json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "customEnvironmentId": None,
            "meta": self._meta,
            "name": self.site.name,
            "url": f"{self.site.name}-{self.id[4:13]}-harbor-shop.vercel.app",
            "inspectorUrl": f"https://vercel.com/harbor-shop/{self.site.name}/{self.id[4:]}",
        }

    @property
    def _meta(self) -> dict[str, str]:
        place, author = self.commit.place, self.commit.author
        owner, _, repository = place.full_name.partition("/")
        found = {
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
        return {**found, "githubPrId": str(self.pull.number)} if self.pull else found


def deployment(
    thing: Deployment, transition: str, at: datetime, *, error: str | None = None
) -> dict[str, Any]:
    """`transition`: created, succeeded, error, promoted, ...; `error` is what the build said."""
    site = thing.site
    body = {**thing.json, "errorMessage": error} if error else thing.json
    inner = {
        "team": {"id": site.team_id},
        "user": {"id": name_uuid(f"vercel {thing.by.login}").replace("-", "")[:24]},
        "project": {"id": site.project_id},
        "deployment": body,
        "links": {
            "deployment": thing.json["inspectorUrl"],
            "project": f"https://vercel.com/harbor-shop/{site.name}",
        },
        "name": site.name,
        "plan": "pro",
        "regions": ["iad1"],
        "target": thing.target,
    }
    return {
        "id": f"evt_{name_uuid(f'{thing.id} {transition}').replace('-', '')[:24]}",
        "type": f"deployment.{transition}",
        "createdAt": int(at.timestamp() * 1000),
        "region": "iad1",
        "payload": inner,
    }
