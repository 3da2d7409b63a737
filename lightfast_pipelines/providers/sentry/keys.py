"""Keys of entities that only Sentry's payloads name; shared keys are in `domain/keys.py`."""

from __future__ import annotations

from lightfast_pipelines.domain.keys import SENTRY_CLOUD, fits_an_index


@fits_an_index
def issue(project_id: int | str, issue_id: int | str) -> str:
    """`project_id` carries its server (`at_sentry_site`), as in all keys that are made of one."""
    return f"sentry:issue:{project_id}:{issue_id}"


@fits_an_index
def project(project_id: int | str) -> str:
    return f"sentry:project:{project_id}"


@fits_an_index
def release(organization: str, version: str) -> str:
    """`organization` is its slug: a release's version is unique in it, and addresses name it."""
    return f"sentry:release:{organization}:{version}"


@fits_an_index
def alert(organization: int | str, rule_id: int | str) -> str:
    """A metric rule; `organization` is its number, else its slug or installation."""
    return f"sentry:alert:{organization}:{rule_id}"


@fits_an_index
def issue_alert(project_id: int | str, name: str) -> str:
    """An issue rule, by its project and name: its number does not come with every payload."""
    return f"sentry:alert:issues:{project_id}:{name}"


@fits_an_index
def team(team_id: int | str) -> str:
    return f"sentry:team:{team_id}"


@fits_an_index
def comment(comment_id: int | str) -> str:
    return f"sentry:comment:{comment_id}"


@fits_an_index
def project_by_slug(organization: str, slug: str) -> str:
    """Alias of a Sentry project by its address (`acme/shop`), which can be renamed."""
    return f"sentry:ref:project:{organization}/{slug}"


@fits_an_index
def release_by_installation(installation: str, version: str) -> str:
    """Alias of a release where a payload tells only the installation, not the organisation."""
    return f"sentry:ref:release:{installation}:{version}"


@fits_an_index
def issue_by_id(issue_id: int | str) -> str:
    """Alias of a Sentry issue by its number alone, as a comment on it names it."""
    return f"sentry:ref:issue:{issue_id}"


def organization(site: str, slug: str) -> str:
    """An organisation as keys name it: with its server in front where that is not sentry.io."""
    return slug if site == SENTRY_CLOUD else f"{site}/{slug}"


@fits_an_index
def seer_run(run_id: int | str) -> str:
    return f"sentry:seer-run:{run_id}"
