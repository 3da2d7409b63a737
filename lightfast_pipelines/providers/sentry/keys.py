"""Keys of entities that only Sentry's payloads name; shared keys are in `domain/keys.py`."""

from __future__ import annotations

from lightfast_pipelines.domain.keys import SENTRY_CLOUD, fits_an_index


@fits_an_index
def issue(project_id: int | str, issue_id: int | str) -> str:
    """`project_id` includes its server (`at_sentry_site`), here and in all other keys."""
    return f"sentry:issue:{project_id}:{issue_id}"


@fits_an_index
def project(project_id: int | str) -> str:
    return f"sentry:project:{project_id}"


@fits_an_index
def release(organization: str, version: str) -> str:
    """`organization` is a slug; the version of a release is unique in an organization."""
    return f"sentry:release:{organization}:{version}"


@fits_an_index
def alert(organization: int | str, rule_id: int | str) -> str:
    """A rule for metrics; `organization` is its number, else its slug or installation."""
    return f"sentry:alert:{organization}:{rule_id}"


@fits_an_index
def issue_alert(project_id: int | str, name: str) -> str:
    """A rule for issues, by project and name: not every payload gives its number."""
    return f"sentry:alert:issues:{project_id}:{name}"


@fits_an_index
def team(team_id: int | str) -> str:
    return f"sentry:team:{team_id}"


@fits_an_index
def comment(comment_id: int | str) -> str:
    return f"sentry:comment:{comment_id}"


@fits_an_index
def project_by_slug(organization: str, slug: str) -> str:
    """An alias of a project by its address (`acme/shop`), which can change."""
    return f"sentry:ref:project:{organization}/{slug}"


@fits_an_index
def release_by_installation(installation: str, version: str) -> str:
    """An alias of a release, for payloads that name only the installation and not the organization."""
    return f"sentry:ref:release:{installation}:{version}"


@fits_an_index
def issue_by_id(issue_id: int | str) -> str:
    """An alias of an issue by its number alone, as comments name it."""
    return f"sentry:ref:issue:{issue_id}"


def organization(site: str, slug: str) -> str:
    """An organization as keys name it: after its server, unless that is sentry.io."""
    return slug if site == SENTRY_CLOUD else f"{site}/{slug}"


@fits_an_index
def seer_run(run_id: int | str) -> str:
    return f"sentry:seer-run:{run_id}"
