"""The address of a linked repository, and its `repository` object in payloads made from the API."""

from __future__ import annotations

from typing import Any

from lightfast_pipelines.domain.keys import GITHUB, bare_number, host_of
from lightfast_pipelines.providers.api_contract import LinkedResource


def address(place: LinkedResource) -> str:
    """The path with the repository's number, which survives renames."""
    number = bare_number(place.resource_id)
    if not number.isdigit():
        raise ValueError(
            f"{place.resource_id!r} is no repository's number: link it with `lightfast integration add "
            "--resource NUMBER` (`gh api repos/OWNER/NAME --jq .id`), of another host than github.com "
            "with `--resource NUMBER@HOST`"
        )
    return f"repositories/{number}"


def owner_and_name(place: LinkedResource) -> tuple[str, str]:
    """For GraphQL, which does not accept numbers. Raises ValueError."""
    owner, _, name = (place.resource_name or "").partition("/")
    if not owner or not name:
        raise ValueError(
            f"the name of repository {place.resource_id} is not known: link it with `--name OWNER/NAME`"
        )
    return owner, name


def repository(place: LinkedResource) -> dict[str, Any]:
    """The `repository` of a payload."""
    fields: dict[str, Any] = {"id": int(bare_number(place.resource_id))}
    host = host_of(place.resource_id)
    if place.resource_name:
        fields["full_name"] = place.resource_name
        fields["html_url"] = place.meta.get("html_url") or f"https://{host}/{place.resource_name}"
    elif host != GITHUB:
        fields["html_url"] = f"https://{host}"
    if place.meta.get("fork") is True:
        fields["fork"] = True
    if place.meta.get("default_branch"):
        fields["default_branch"] = place.meta["default_branch"]
    return fields
