"""Keys of entities that only Linear's payloads name; shared keys are in `domain/keys.py`."""

from __future__ import annotations

from lightfast_pipelines.domain.keys import fits_an_index


@fits_an_index
def issue(issue_id: str) -> str:
    return f"linear:issue:{issue_id}"


@fits_an_index
def project(project_id: str) -> str:
    return f"linear:project:{project_id}"


@fits_an_index
def cycle(cycle_id: str) -> str:
    return f"linear:cycle:{cycle_id}"


@fits_an_index
def team(team_id: str) -> str:
    return f"linear:team:{team_id}"


def organization(organization_id: str) -> str:
    """A customer's account in Linear: a resource, never an entity."""
    return f"linear:organization:{organization_id}"


@fits_an_index
def milestone(milestone_id: str) -> str:
    return f"linear:milestone:{milestone_id}"


@fits_an_index
def label(label_id: str) -> str:
    return f"linear:label:{label_id}"


@fits_an_index
def comment(comment_id: str) -> str:
    return f"linear:comment:{comment_id}"


@fits_an_index
def comment_by_id(comment_id: str) -> str:
    """An alias of the thing that a comment is on: a reaction names only the comment."""
    return f"linear:ref:comment:{comment_id}"


@fits_an_index
def project_update_by_id(update_id: str) -> str:
    """An alias of the project that an update reports on."""
    return f"linear:ref:project-update:{update_id}"


@fits_an_index
def project_update(update_id: str) -> str:
    """Starts the ids of its observations, which are about the project."""
    return f"linear:project-update:{update_id}"


@fits_an_index
def initiative(initiative_id: str) -> str:
    return f"linear:initiative:{initiative_id}"


@fits_an_index
def initiative_update(update_id: str) -> str:
    """Starts the ids of its observations, which are about the initiative."""
    return f"linear:initiative-update:{update_id}"


@fits_an_index
def initiative_update_by_id(update_id: str) -> str:
    """An alias of the initiative that an update reports on."""
    return f"linear:ref:initiative-update:{update_id}"


@fits_an_index
def document(document_id: str) -> str:
    return f"linear:document:{document_id}"


@fits_an_index
def release(release_id: str) -> str:
    return f"linear:release:{release_id}"


@fits_an_index
def release_note(note_id: str) -> str:
    return f"linear:release-note:{note_id}"


@fits_an_index
def customer(customer_id: str) -> str:
    return f"linear:customer:{customer_id}"


@fits_an_index
def customer_need(need_id: str) -> str:
    """Starts the ids of its observations, which are about the issue or project that it asks for."""
    return f"linear:customer-need:{need_id}"


@fits_an_index
def issue_relation(relation_id: str) -> str:
    """Starts the ids of its observations, which are about the issue that it starts from."""
    return f"linear:issue-relation:{relation_id}"


@fits_an_index
def attachment(attachment_id: str) -> str:
    return f"linear:attachment:{attachment_id}"


@fits_an_index
def reaction(reaction_id: str) -> str:
    return f"linear:reaction:{reaction_id}"
