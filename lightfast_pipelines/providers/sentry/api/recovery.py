"""Which issues still exist. Sentry has no log of deliveries that could be read.

Its list reaches back 90 days: an older issue is asked for alone, and not again for a while.
docs.sentry.io/api/events: List an Organization's Issues, Retrieve an Issue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from datetime import datetime

from lightfast_pipelines.domain import keys
from lightfast_pipelines.providers.api_contract import Answer, Call, Cursor, LinkedResource, Record
from lightfast_pipelines.providers.fields import child, name_of
from lightfast_pipelines.providers.recovery_contract import Held, IdSweep, Known, Listed, Recovery
from lightfast_pipelines.providers.sentry.api import issue_records, links
from lightfast_pipelines.providers.sentry.api.issue_list import issues_of
from lightfast_pipelines.providers.sentry.api.where import (
    asking,
    organization_of,
    project_params,
)
from lightfast_pipelines.providers.sentry.place import place_of
from lightfast_pipelines.providers.sentry.webhooks import merged
from lightfast_pipelines.providers.sentry.webhooks.values import identity


class _Issues:
    """`recovery.IdSweep`."""

    kind = "issue"
    confirm_many = 1

    def held(self, place: LinkedResource) -> Held:
        return Held("sentry:issue:", "issue.")

    def call(self, place: LinkedResource, cursor: Cursor | None) -> Call:
        pairs = [
            *project_params(place).items(),
            ("query", ""),
            ("sort", "new"),
            ("statsPeriod", "90d"),
            ("limit", "100"),
            ("collapse", "stats"),
        ]
        if cursor:
            pairs.append(("cursor", str(cursor["after"])))
        return asking(f"/api/0/organizations/{_organization(place)}/issues/", "issues", *pairs)

    def read(self, place: LinkedResource, cursor: Cursor | None, answer: Answer) -> Listed:
        found = []
        for item in issues_of(answer):
            number, told = identity(item, "id"), place_of({"data": {"issue": item}})
            if number is not None and told.project_id is not None:
                found.append(keys.sentry_issue(told.project_number, number))
        after = links.following(answer.headers)
        return Listed(found, None if after is None else {"after": after})

    def resource(self, place: LinkedResource) -> Call | None:
        """None: the list of a project that the token does not see is refused, and issues cannot be
        switched off."""
        return None

    def why_empty(self, place: LinkedResource, answer: Answer) -> str | None:
        return None

    def confirm(self, place: LinkedResource, things: Sequence[Known]) -> Call:
        path = f"/api/0/organizations/{_organization(place)}/issues/{_number(things[0])}/"
        return asking(path, "issue", of_one=True)

    def gone(
        self,
        place: LinkedResource,
        things: Sequence[Known],
        answer: Answer | None,
    ) -> Mapping[str, datetime | None]:
        if answer is None:
            return {things[0].key: None}
        told = identity(answer.data, "id")
        if told is None:
            raise ValueError("Sentry answers with something that is no issue")
        is_known = things[0].payload.get("action") == merged.ACTION
        return {} if told == _number(things[0]) or is_known else {things[0].key: None}

    def merged(
        self, place: LinkedResource, thing: Known, answer: Answer, now: datetime
    ) -> Record | None:
        """Sentry answers with the issue that it was merged into, whose activity tells when."""
        short_id = name_of(child(child(thing.payload, "data"), "issue"), "shortId")
        return issue_records.merged_into(place, answer, _number(thing), short_id, now)

    def record(self, place: LinkedResource, thing: Known, at: datetime) -> Record:
        """Raises ValueError where no payload of it is left that shows its project."""
        if not child(child(thing.payload, "data"), "issue"):
            raise ValueError("no payload is left that says which project it belongs to")
        kept = {
            name: deepcopy(value)
            for name, value in thing.payload.items()
            if not name.startswith("_") and name != "actor"
        }
        headers = {
            "sentry-hook-resource": "issue",
            "sentry-hook-timestamp": str(int(at.timestamp())),
        }
        payload = {**kept, "action": "deleted"}
        return Record("issue", payload, at, f"sweep:{thing.key}:deleted", headers)


def _number(thing: Known) -> str:
    return thing.key.rpartition(":")[2]


def _organization(place: LinkedResource) -> str:
    """Raises ValueError."""
    found = organization_of(place)
    if found is None:
        raise ValueError(
            f"Sentry: the organization of {place.resource_id[:100]} is not known: link the resource with "
            "--name ORGANIZATION/PROJECT"
        )
    return found


class SentryRecovery(Recovery):
    """`recovery.Recovery`."""

    provider = "sentry"
    sweeps: Sequence[IdSweep] = (_Issues(),)


RECOVERY = SentryRecovery()
