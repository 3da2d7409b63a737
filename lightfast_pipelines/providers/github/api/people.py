"""Turns the accounts of GitHub's APIs into the users of a webhook's payload.

Only fields that identify an account are kept: counts and addresses change over time, and a record of
one fact must be the same whenever it is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightfast_pipelines.providers.api_contract import Json
from lightfast_pipelines.providers.fields import name_of, text, whole

_FIELDS = ("login", "id", "type", "avatar_url", "html_url")
ACTOR = """
fragment who on Actor {
  __typename
  login
  avatarUrl
  url
  ... on User { databaseId }
  ... on Bot { databaseId }
  ... on Mannequin { databaseId }
  ... on Organization { databaseId }
}
"""
"""GraphQL's fields of an account, for `of_graphql`."""


def person(user: Any) -> Json | None:
    """An account of the REST API; None for one that is gone."""
    if not isinstance(user, Mapping):
        return None
    return {name: user[name] for name in _FIELDS if user.get(name) is not None}


def of_graphql(actor: Any) -> Json | None:
    """An account of the GraphQL API, which omits the `[bot]` that webhooks have in a bot's login."""
    if not isinstance(actor, Mapping):
        return None
    number, login = whole(actor, "databaseId"), name_of(actor, "login")
    if number is None or login is None:
        return None
    kind = text(actor, "__typename") or "User"
    if kind == "Bot" and not login.endswith("[bot]"):
        login = f"{login}[bot]"
    shown = {
        "login": login,
        "id": number,
        "type": kind,
        "avatar_url": actor.get("avatarUrl"),
        "html_url": actor.get("url"),
    }
    return {name: value for name, value in shown.items() if value is not None}
