"""Builders of Vercel's webhook payloads: sensible defaults, and every part can be overridden.

Small and written by hand after vercel.com/docs; other tests may use them as well.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from lightfast_pipelines.providers.vercel.webhooks.signature import sign

Json = dict[str, Any]

AT = 1_714_644_000_000  # 2024-05-02T10:00:00Z
MINUTE = 60_000


def sha(seed: object) -> str:
    """A commit id that is the same for the same seed."""
    return hashlib.sha1(str(seed).encode()).hexdigest()


def encoded(payload: Json) -> bytes:
    """A delivery's body as Vercel writes it."""
    return json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode()


def delivery_headers(body: bytes, secret: bytes = b"secret", **more: str) -> dict[str, str]:
    """The headers (lower case) with which Vercel would send `body`."""
    return {"x-vercel-signature": sign(body, secret), "content-type": "application/json", **more}


def envelope(event_type: str, inner: Json, at: int = AT, event_id: str = "evt_1") -> Json:
    """What every delivery is wrapped in."""
    return {"id": event_id, "type": event_type, "createdAt": at, "payload": inner}


def meta(commit_sha: str | None = None, **more: Any) -> Json:
    """A deployment's `meta` as Vercel's GitHub integration fills it: all of it text."""
    return {
        "githubCommitAuthorName": "Ada",
        "githubCommitAuthorEmail": "ada@acme.test",
        "githubCommitAuthorLogin": "ada",
        "githubCommitMessage": "Add a cart\n\nFixes acme/shop#5",
        "githubCommitOrg": "acme",
        "githubCommitRef": "main",
        "githubCommitRepo": "shop",
        "githubCommitRepoId": "1",
        "githubCommitSha": commit_sha or sha("head"),
        "githubOrg": "acme",
        "githubRepo": "shop",
        "githubRepoId": "1",
        "githubHost": "github.com",
        **more,
    }


def deployment(
    transition: str = "created",
    identity: str = "dpl_1",
    *,
    project: str | None = "prj_1",
    team: str | None = "team_1",
    user: str | None = "usr_1",
    target: str | None = "production",
    at: int = AT,
    event_id: str | None = None,
    git: Json | None = None,
    **more: Any,
) -> Json:
    """A `deployment.{transition}` delivery; `more` overrides fields of the inner payload."""
    inner: Json = {
        "team": {"id": team} if team else None,
        "user": {"id": user} if user else None,
        "installationIds": ["icfg_1"],
        "deployment": {
            "id": identity,
            "customEnvironmentId": None,
            "meta": meta() if git is None else git,
            "name": "shop",
            "url": f"shop-{identity.removeprefix('dpl_')}-acme.vercel.app",
            "inspectorUrl": f"https://vercel.com/acme/shop/{identity}",
        },
        "links": {
            "deployment": f"https://vercel.com/acme/shop/{identity}",
            "project": "https://vercel.com/acme/shop",
        },
        "name": "shop",
        "plan": "pro",
        "regions": ["iad1"],
        "target": target,
        **more,
    }
    if project is not None:
        inner["project"] = {"id": project}
    event_type = f"deployment.{transition}"
    return envelope(event_type, inner, at, event_id or f"evt_{identity}_{transition}_{at}")


def rollback(before: str, restored: str, at: int = AT, project: str = "prj_1") -> Json:
    inner = {
        "team": {"id": "team_1"},
        "user": {"id": "usr_1"},
        "project": {"id": project},
        "fromDeploymentId": before,
        "toDeploymentId": restored,
    }
    return envelope("deployment.rollback", inner, at, f"evt_rollback_{at}")


def project(transition: str = "created", identity: str = "prj_1", name: str = "shop") -> Json:
    inner = {
        "team": {"id": "team_1"},
        "user": {"id": "usr_1"},
        "project": {"id": identity, "name": name},
    }
    return envelope(f"project.{transition}", inner)


def configuration(transition: str = "removed", **more: Any) -> Json:
    inner = {"team": {"id": "team_1"}, "configuration": {"id": "icfg_1", "projects": []}, **more}
    return envelope(f"integration-configuration.{transition}", inner)


def rolling_release(
    step: str = "started", target: str = "dpl_2", base: str | None = "dpl_1", at: int = AT
) -> Json:
    """A `project.rolling-release.{step}` delivery: `target` takes over from `base`."""
    inner = {
        "team": {"id": "team_1"},
        "user": {"id": "usr_1"},
        "project": {"id": "prj_1", "name": "shop"},
        "rollingRelease": {
            "projectId": "prj_1",
            "state": {"completed": "COMPLETE", "aborted": "ABORTED"}.get(step, "ACTIVE"),
            "activeStageIndex": 0,
            "default": {"baseDeploymentId": base, "targetDeploymentId": target},
            "config": {"target": "production", "stages": [{"targetPercentage": 10}]},
        },
    }
    return envelope(f"project.rolling-release.{step}", inner, at, f"evt_{step}_{target}_{at}")


def env_variable(change: str = "updated", key: str = "STRIPE_KEY", **more: Any) -> Json:
    inner = {
        "team": {"id": "team_1"},
        "user": {"id": "usr_1"},
        "projectId": "prj_1",
        "projectName": "shop",
        "envVariable": {"id": "env_1", "key": key, "target": ["production"], **more},
    }
    return envelope(f"project.env-variable.{change}", inner)


def flag(change: str = "updated", slug: str = "new-cart", **more: Any) -> Json:
    inner = {
        "team": {"id": "team_1"},
        "user": {"id": "usr_1"},
        "project": {"id": "prj_1", "name": "shop"},
        "flag": {"id": "flag_1", "slug": slug, **more},
    }
    return envelope(f"flag.{change}", inner)


def alert() -> Json:
    inner = {
        "team": {"id": "team_1"},
        "projectId": "prj_1",
        "projectSlug": "shop",
        "groupId": "grp_1",
        "alerts": [{"alertId": "alr_1", "type": "error_anomaly", "title": "More 5xx than usual"}],
    }
    return envelope("alerts.triggered", inner)
