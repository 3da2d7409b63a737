"""The people and machines in Issue payloads: actors, authors, assignees, delegates."""

from __future__ import annotations

from typing import Any

import pytest

from tests.providers.linear.payloads import issue, issue_update, user
from tests.providers.linear.readings import mentioned, statement_of


@pytest.mark.parametrize(
    "payload", [issue(), issue_update({"title": "A cart"})], ids=["created", "changed"]
)
def test_the_actor_and_the_author_are_kept_apart(payload: dict[str, Any]) -> None:
    statement = statement_of(payload)
    assert statement.actor is not None
    assert statement.author is not None
    assert (statement.actor.name, statement.author.name) == ("Grace", "Ada")
    assert (statement.actor.email, statement.actor.email_verified) == ("grace@acme.dev", True)
    assert statement.actor.username == "grace"


def test_old_payloads_name_no_actor_and_none_is_invented_for_a_change() -> None:
    created = statement_of(issue(generation=2023))
    assert created.actor is not None
    assert created.actor.source_id == "user-ada"
    assert statement_of(issue_update({"title": "A cart"}, generation=2023)).actor is None
    assert statement_of(issue("remove", generation=2023)).actor is None


@pytest.mark.parametrize(
    ("actor", "kind", "verified"),
    [
        ({"id": "i", "service": "github", "type": "integration"}, "bot", False),
        ({"id": "o", "name": "Deployer", "type": "oauthClient"}, "bot", False),
        ({"id": "e", "name": "Eve", "email": "e@x.dev", "type": "externalUser"}, "unknown", False),
        ({"id": "u", "name": "Uma", "email": "u@x.dev", "type": "user"}, "person", True),
    ],
)
def test_only_the_addresses_of_members_are_verified(
    actor: dict[str, Any], kind: str, verified: bool
) -> None:
    payload = issue_update({"title": "A cart"})
    payload["actor"] = actor
    account = statement_of(payload).actor
    assert account is not None
    assert (account.source_id, account.kind, account.email_verified) == (
        actor["id"],
        kind,
        verified,
    )


def test_the_author_of_an_issue_can_be_an_outsider_or_an_integration() -> None:
    outside = {"id": "x-1", "name": "Eve", "email": "eve@else.dev"}
    gone: dict[str, Any] = {"creatorId": None, "creator": None}
    outsider = statement_of(issue(**gone, externalUserCreator=outside)).author
    assert outsider is not None
    assert (outsider.source_id, outsider.email_verified) == ("x-1", False)
    robot = statement_of(issue(**gone, botActor={"id": "b-1", "name": "Zendesk"})).author
    assert robot is not None
    assert (robot.source_id, robot.kind) == ("b-1", "bot")


def test_people_are_mentioned_by_their_accounts() -> None:
    statement = statement_of(issue(assignee="Grace", delegate=user("Robot")))
    assert mentioned(statement, "assignee") == ["user:linear:user-grace"]
    assert mentioned(statement, "delegate") == ["user:linear:user-robot"]
    kinds = {account.role: account.account.kind for account in statement.accounts}
    assert (kinds["assignee"], kinds["delegate"]) == ("person", "bot")
