"""Keys of entities that only GitHub's payloads name; shared keys are in `domain/keys.py`."""

from __future__ import annotations

from lightfast_pipelines.domain.keys import GITHUB, fits_an_index, name_prefix


@fits_an_index
def repository(repository_id: int | str) -> str:
    return f"github:repository:{repository_id}"


@fits_an_index
def label(repository_id: int | str, name: str) -> str:
    return f"github:label:{repository_id}:{name}"


def milestone(repository_id: int | str, number: int | str) -> str:
    return f"github:milestone:{repository_id}#{number}"


def deployment(repository_id: int | str, deployment_id: int | str) -> str:
    return f"github:deployment:{repository_id}:{deployment_id}"


@fits_an_index
def comment(kind: str, comment_id: int | str) -> str:
    """A comment's own existence: a comment is not an entity. `kind` is `comment`, `review-comment`,
    `discussion-comment` or `commit-comment`, because each kind has ids of its own."""
    return f"github:comment:{kind}:{comment_id}"


def review_thread(repository_id: int | str, comment_id: int | str) -> str:
    """`comment_id` is the id of the thread's first comment; the API gives the thread a different id."""
    return f"github:review-thread:{repository_id}:{comment_id}"


def alert(kind: str, repository_id: int | str, number: int | str) -> str:
    """`kind` is `dependabot`, `code-scanning` or `secret-scanning`, because each kind has numbers of its own."""
    return f"github:alert:{kind}:{repository_id}#{number}"


@fits_an_index
def project(node_id: str) -> str:
    """A board of an organisation or a person, by GitHub's global id, the only one in webhooks."""
    return f"github:project:{node_id}"


@fits_an_index
def project_item(item_id: int | str) -> str:
    return f"github:project-item:{item_id}"


def workflow_run(run_id: int | str) -> str:
    return f"github:workflow-run:{run_id}"


@fits_an_index
def repository_by_name(full_name: str, host: str = GITHUB) -> str:
    return f"github:ref:{name_prefix(host)}{full_name.lower()}"


@fits_an_index
def owner_by_name(login: str, host: str = GITHUB) -> str:
    """An owner, as the first part of its repositories' names."""
    return f"github:ref:{name_prefix(host)}{login.lower()}/"
