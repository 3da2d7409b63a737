"""Sweeps the ids of issues, to find those that were deleted or merged. Sentry offers no delivery log.

Its list reaches back 90 days: an older issue is requested alone, and then not again for a while.
docs.sentry.io/api/events: List an Organization's Issues, Retrieve an Issue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from datetime import datetime

from lightfast_pipelines.providers.api_contract import Answer, Call, Cursor, LinkedResource, Record
from lightfast_pipelines.providers.fields import child, name_of
from lightfast_pipelines.providers.recovery_contract import (
    EntityPage,
    EntityScope,
    IdSweep,
    KnownEntity,
    Recovery,
)
from lightfast_pipelines.providers.sentry import keys as sentry_keys
from lightfast_pipelines.providers.sentry.api import issue_records
from lightfast_pipelines.providers.sentry.api import link_header as links
from lightfast_pipelines.providers.sentry.api.envelope import hook_headers
from lightfast_pipelines.providers.sentry.api.issue_list import issues_of
from lightfast_pipelines.providers.sentry.api.organization import (
    ORGANIZATIONS,
    get,
    issues_call,
    organization_of,
)
from lightfast_pipelines.providers.sentry.place import place_of
from lightfast_pipelines.providers.sentry.webhooks import merged
from lightfast_pipelines.providers.sentry.webhooks.values import identity

_LIST = (("query", ""), ("sort", "new"), ("statsPeriod", "90d"), ("limit", "100"))


class _IssueSweep(IdSweep):
    """An empty list means what it says: Sentry refuses to list a project that the token cannot see, and
    issues cannot be switched off."""

    kind = "issue"
    confirm_many = 1

    def scope(self, place: LinkedResource) -> EntityScope:
        return EntityScope("sentry:issue:", "issue.")

    def call(self, place: LinkedResource, cursor: Cursor | None) -> Call:
        after = [("cursor", str(cursor["after"]))] if cursor else []
        return issues_call(place, _organization(place), *_LIST, *after)

    def read(self, place: LinkedResource, cursor: Cursor | None, answer: Answer) -> EntityPage:
        listed = []
        for issue in issues_of(answer):
            number, of_issue = identity(issue, "id"), place_of({"data": {"issue": issue}})
            if number is not None and of_issue.project_id is not None:
                listed.append(sentry_keys.issue(of_issue.project_number, number))
        after = links.next_cursor(answer.headers)
        return EntityPage(listed, None if after is None else {"after": after})

    def confirm(self, place: LinkedResource, things: Sequence[KnownEntity]) -> Call:
        path = f"{ORGANIZATIONS}{_organization(place)}/issues/{_number(things[0])}/"
        return get(path, "issue", of_one=True)

    def gone(
        self, place: LinkedResource, things: Sequence[KnownEntity], answer: Answer | None
    ) -> Mapping[str, datetime | None]:
        (issue,) = things
        if answer is None:
            return {issue.key: None}
        number = identity(answer.data, "id")
        if number is None:
            raise ValueError("Sentry answers with something that is no issue")
        merge_is_known = issue.payload.get("action") == merged.ACTION
        return {} if number == _number(issue) or merge_is_known else {issue.key: None}

    def merged(
        self, place: LinkedResource, thing: KnownEntity, answer: Answer, now: datetime
    ) -> Record | None:
        """Sentry answers with the issue that this one was merged into; its activity says when."""
        short_id = name_of(child(child(thing.payload, "data"), "issue"), "shortId")
        return issue_records.merged_into(place, answer, _number(thing), short_id, now)

    def record(self, place: LinkedResource, thing: KnownEntity, at: datetime) -> Record:
        """Raises ValueError if no payload is left that shows the issue's project."""
        if not child(child(thing.payload, "data"), "issue"):
            raise ValueError("no payload is left that says which project it belongs to")
        kept = {
            name: deepcopy(value)
            for name, value in thing.payload.items()
            if not name.startswith("_") and name != "actor"
        }
        payload = {**kept, "action": "deleted"}
        delivery_id = f"sweep:{thing.key}:deleted"
        return Record("issue", payload, at, delivery_id, hook_headers("issue", at))


def _number(thing: KnownEntity) -> str:
    return thing.key.rpartition(":")[2]


def _organization(place: LinkedResource) -> str:
    """Raises ValueError."""
    organization = organization_of(place)
    if organization is None:
        raise ValueError(
            f"Sentry: the organization of {place.resource_id[:100]} is not known: link the resource with "
            "--name ORGANIZATION/PROJECT"
        )
    return organization


class SentryRecovery(Recovery):
    provider = "sentry"
    sweeps: Sequence[IdSweep] = (_IssueSweep(),)


RECOVERY = SentryRecovery()
