"""Requests a page of a list, and distinguishes a feature that a resource lacks from a resource that is
gone.

Both answer 404. If the resource itself still answers, it only lacks the feature, and there is nothing
to read.
"""

from __future__ import annotations

from lightfast_pipelines.provider_api.client import ApiClient, CallFailedError
from lightfast_pipelines.providers.api_contract import Answer, Call, LinkedResource

_NOT_FOUND = 404


def ask_for_page(api: ApiClient, place: LinkedResource, call: Call) -> Answer:
    """Like `ApiClient.ask`. Raises CallFailedError."""
    try:
        return api.ask(call)
    except CallFailedError as error:
        if error.status != _NOT_FOUND or not _resource_answers(api, place, call):
            raise
        reason = f"{error.message}; what it belongs to is there, so there is nothing of this kind"
        return Answer(_NOT_FOUND, {}, None, nothing=reason)


def _resource_answers(api: ApiClient, place: LinkedResource, missing: Call) -> bool:
    try:
        resource = api.provider_api.existence_check(place, missing)
        if resource is None:
            return False
        api.ask(resource)
    except (CallFailedError, ValueError):
        return False
    return True
