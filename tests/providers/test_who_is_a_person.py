"""Whether an account is a person, a bot, an organisation or nobody, for each provider."""

from __future__ import annotations

from typing import Any

import pytest

from lightfast_pipelines.providers.github import accounts as github
from lightfast_pipelines.providers.linear import accounts as linear
from lightfast_pipelines.providers.sentry import accounts as sentry


@pytest.mark.parametrize(
    ("login", "said", "kind"),
    [
        ("ann", "User", "person"),
        ("ann", "Mannequin", "person"),
        ("ann", "EnterpriseUserAccount", "person"),
        ("acme", "Organization", "organization"),
        ("Copilot", "Bot", "bot"),
        ("renovate[bot]", None, "bot"),
        # Users in GitHub's payloads, but not people.
        ("web-flow", "User", "bot"),
        ("snyk-bot", "User", "bot"),
        ("semantic-release-bot", "User", "bot"),
    ],
)
def test_a_github_account_is_what_its_type_and_login_say(
    login: str, said: str | None, kind: str
) -> None:
    found = github.account({"id": 7, "login": login, "type": said, "email": "a@acme.dev"})
    assert found is not None
    assert found.kind == kind
    assert found.email_verified is (said != "Mannequin")


def test_a_deleted_account_is_nobody() -> None:
    assert github.account(None) is None
    assert github.account({"id": 10137, "login": "ghost", "type": "User"}) is None


def test_a_co_author_line_of_an_agent_names_no_person() -> None:
    message = (
        "Tidy\n\nCo-authored-by: Ann Lee <ann@acme.dev>\n"
        "Co-Authored-By: Claude <noreply@anthropic.com>\n"
        "Co-authored-by: Cursor <cursoragent@cursor.com>\n"
        "Co-authored-by: Copilot <223556219+Copilot@users.noreply.github.com>\n"
    )
    kinds = {
        co_author.account.name: co_author.account.kind for co_author in github.co_authors(message)
    }
    assert kinds == {"Ann Lee": "unknown", "Claude": "bot", "Cursor": "bot", "Copilot": "bot"}


@pytest.mark.parametrize(
    ("actor", "kind"),
    [
        ({"id": "u1", "type": "user", "name": "Ann", "email": "ann@acme.dev"}, "person"),
        ({"id": "u1", "name": "Ann"}, "person"),
        ({"id": "u2", "type": "OauthClient", "name": "Shop"}, "bot"),
        ({"id": "u2", "type": "integration", "service": "github"}, "bot"),
        ({"id": "u2", "type": "workflow"}, "bot"),
        ({"id": "u2", "type": "user", "email": "3f1c@oauthapp.linear.app"}, "bot"),
        ({"id": "u2", "type": "user", "app": True}, "bot"),
        ({"id": "u3", "type": "externalUser", "name": "Eve"}, "unknown"),
    ],
)
def test_a_linear_actor_is_a_member_an_application_or_somebody_outside(
    actor: dict[str, Any], kind: str
) -> None:
    found = linear.actor_of({"actor": actor})
    assert found is not None
    assert found.kind == kind


@pytest.mark.parametrize(
    ("actor", "kind"),
    [
        ({"id": 1, "type": "user", "name": "Ann"}, "person"),
        ({"id": "sentry", "type": "application", "name": "Sentry"}, "bot"),
        ({"id": 2, "type": "user", "email": "shop-1a2b@proxy-user.sentry.io"}, "bot"),
    ],
)
def test_a_sentry_actor_is_a_member_or_an_application(actor: dict[str, Any], kind: str) -> None:
    found = sentry.actor({"actor": actor})
    assert found is not None
    assert found.kind == kind
