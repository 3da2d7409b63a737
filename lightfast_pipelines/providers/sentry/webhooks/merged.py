"""`issue.merged`: an issue was merged into another one, which answers for its number from now on.

Sentry sends no webhook for it: the survivor's activity reports it, or the API answers a request for one
number with another issue.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.events import Reading, StateChange, Thing, Understood
from lightfast_pipelines.providers.fields import (
    Missing,
    child,
    content_of,
    name_of,
    needed_child,
    titled,
)
from lightfast_pipelines.providers.sentry import keys as sentry_keys
from lightfast_pipelines.providers.sentry.accounts import actor
from lightfast_pipelines.providers.sentry.place import place_of
from lightfast_pipelines.providers.sentry.webhooks import values
from lightfast_pipelines.providers.sentry.webhooks.claimed_event import sent_at
from lightfast_pipelines.providers.sentry.webhooks.statement_builder import SentryStatementBuilder
from lightfast_pipelines.providers.sentry.webhooks.strangers import without_strangers
from lightfast_pipelines.providers.sentry.webhooks.things import issue_in
from lightfast_pipelines.providers.sentry.webhooks.titles import headline_of_issue, title_of_issue
from lightfast_pipelines.providers.webhook_contract import EventRule

ACTION = "merged"
RULES = (
    EventRule(
        "issue",
        ACTION,
        "delivered",
        ("issue.merged",),
        "Sentry does not send it: the remaining issue's activity reports it, or a sweep finds it",
    ),
)
_LAST_RANK = 2**31 - 2  # after every decision of the same moment, before a deletion


def read(payload: Mapping[str, Any]) -> Reading:
    """`data.issue` is the survivor, `data.merged` the one that is gone. Raises Missing."""
    data = child(payload, "data")
    issue, gone = needed_child(data, "issue"), needed_child(data, "merged")
    number, survivor_number = values.identity(gone, "id"), values.identity(issue, "id")
    if number is None or survivor_number is None:
        raise Missing("merged.id" if number is None else "issue.id")
    at = sent_at(payload)
    if at is None:
        raise Missing("Sentry-Hook-Timestamp")
    place = place_of(payload)
    survivor = issue_in(place, issue, survivor_number)
    alias = keys.sentry_merged_issue(place.at_server(number))
    survivor = replace(survivor, aliases=(*survivor.aliases, alias))
    subject = Thing(sentry_keys.issue(place.project_number, number))
    builder = SentryStatementBuilder(place, subject)
    shown = name_of(issue, "shortId") or survivor_number
    builder.refer("issue", shown, survivor.url, "merged_into")
    builder.add_project()
    builder.relate("duplicates", survivor)
    old, into = name_of(gone, "shortId") or number, {"into": survivor_number}
    statement = builder.build(
        source_id=keys.source_id(subject.key, ACTION),
        source_type="issue.merged",
        occurred_at=at,
        title=titled("Issue Merged", f"{old} into {shown}: {headline_of_issue(issue)}"),
        content=content_of(title_of_issue(issue), f"Merged into: {shown}"),
        base_significance=25,
        actor=actor(payload),
        states=(StateChange(subject, "status", ACTION, at, _LAST_RANK, ACTION, into),),
        metadata={
            "issueId": number,
            "mergedInto": survivor_number,
            "shortId": name_of(gone, "shortId"),
            "action": ACTION,
            **place.facts,
        },
        updated_at=at,
    )
    return Understood((without_strangers(statement, issue),))
