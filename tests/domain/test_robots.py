"""Who is no person: what names, addresses and logins say by themselves."""

from __future__ import annotations

import pytest

from lightfast_pipelines.domain.robots import is_robot

_NOREPLY = "users.noreply.github.com"


@pytest.mark.parametrize(
    ("name", "email"),
    [
        ("dependabot[bot]", f"49699333+dependabot[bot]@{_NOREPLY}"),
        ("github-actions", f"41898282+github-actions[bot]@{_NOREPLY}"),
        ("GitHub Actions", f"41898282+renamed@{_NOREPLY}"),
        ("Copilot", f"223556219+Copilot@{_NOREPLY}"),
        ("Renovate Bot", "renovate@whitesourcesoftware.com"),
        ("WhiteSource Renovate", "bot@renovateapp.com"),
        ("semantic-release-bot", "semantic-release-bot@martynus.net"),
        ("Release Bot", "release-bot@acme.dev"),
        ("Acme Bot", "bot@acme.dev"),
        ("Deploy Bot", ""),
        ("Claude", "noreply@anthropic.com"),
        ("Claude", "noreply@acme.dev"),
        ("Claude Opus 4", "claude@localhost"),
        ("OpenCode", "noreply@opencode.ai"),
        ("Windsurf", "agent@windsurf.com"),
        ("Gemini", "gemini@google.com"),
        ("GPT-5", "noreply@acme.dev"),
        ("Jenkins", "jenkins@acme.dev"),
        ("Acme CI", "ci@acme.dev"),
        ("runner", "runner@fv-az7.internal.cloudapp.net"),
        ("Gitea Actions", "gitea-actions@noreply.localhost"),
        ("Automated", f"actions@{_NOREPLY}"),
        ("Weblate", "hosted@weblate.org"),
        ("Cursor Agent", "cursoragent@cursor.com"),
        ("GitHub", "noreply@github.com"),
        ("GitHub Enterprise", "noreply@ghe.acme.dev"),
        ("deployer", "project_12_bot_1a2b3c@noreply.gitlab.acme.dev"),
        ("Shop", "3f1c-22@oauthapp.linear.app"),
        ("shop", "shop-1a2b@proxy-user.sentry.io"),
    ],
)
def test_apps_agents_and_buttons_are_robots(name: str, email: str) -> None:
    assert is_robot(name, email)


@pytest.mark.parametrize(
    "login",
    [
        "web-flow",
        "Copilot",
        "snyk-bot",
        "k8s-ci-robot",
        "renovate[bot]",
        "project_3_bot",
        "BrewTestBot",
        "rustbot",
    ],
)
def test_a_login_can_identify_a_robot_that_github_calls_a_user(login: str) -> None:
    assert is_robot(login=login)


@pytest.mark.parametrize(
    ("name", "email"),
    [
        # There are people called Bot, Abbott and Talbot.
        ("Jan Bot", "jan.bot@acme.dev"),
        ("Jan Bot", "jan@acme.dev"),
        ("talbot", "talbot@acme.dev"),
        ("Ann Lee", f"7+ann-lee@{_NOREPLY}"),
        ("Ann Lee", "noreply@acme.dev"),
        ("Claude Monet", "claude@monet.fr"),
        ("Claude", "claude@localhost"),
        ("Barry Jenkins", "jenkins@acme.dev"),
        ("Jenkins", "barry@acme.dev"),
        ("Ann Lee", "deploy@acme.dev"),
        ("Ann Lee", "ann@openai.com"),
        ("root", "root@localhost"),
        ("", ""),
    ],
)
def test_people_are_no_robots(name: str, email: str) -> None:
    assert not is_robot(name, email)
    assert not is_robot(login="talbot")
    assert not is_robot(login="Abbot")
