"""Recognizes robots that write commits and comments: apps, agents, merge buttons, release robots.

Providers mark most of them (`type: Bot`, `[bot]` in a login). These rules are for the others: robots with
a user's account at GitHub, project bots of GitLab, and the addresses with which coding agents sign.
"""

from __future__ import annotations

import re
from functools import lru_cache

from lightfast_pipelines.domain import email_addresses

# Numbers of GitHub accounts whose login does not identify a robot, as in their noreply addresses.
_ACCOUNTS = frozenset(
    {
        "175728472",  # Copilot's reviewer
        "198982749",  # Copilot's coding agent
        "223556219",  # Copilot's command line
        "19864447",  # web-flow: GitHub's own buttons
        "41898282",  # github-actions
        "49699333",  # dependabot
        "27856297",  # dependabot-preview
        "29139614",  # renovate
        "25180681",  # renovate-bot
        "66853113",  # pre-commit-ci
        "19733683",  # snyk-bot
        "32174276",  # semantic-release-bot
        "209825114",  # claude
        "206951365",  # cursor
        "158243242",  # devin-ai-integration
        "161369871",  # google-labs-jules
    }
)
_LOGINS = frozenset(
    {
        *("copilot", "web-flow", "github-actions", "dependabot", "dependabot-preview"),
        *("copilot-swe-agent", "copilot-pull-request-reviewer", "devin-ai-integration"),
        *("pre-commit-ci", "google-labs-jules", "gemini-code-assist", "coderabbitai", "mergify"),
        *("codecov-io", "codecov-commenter", "coveralls", "cursoragent", "sweep-ai"),
        *("googlebot", "gopherbot", "msftbot", "rustbot", "bors", "rust-timer", "rust-highfive"),
        *("rust-log-analyzer", "pytorchbot", "pytorchmergebot", "pytorchupdatebot", "claassistant"),
        *("sonarcloud", "coderabbit", "openshift-ci", "homebrewbot", "istio-testing"),
        *("actions", "imgbot", "imgbotapp", "weblate", "renovate", "allcontributors"),
    }
)
_ADDRESSES = frozenset(
    {
        *("noreply@github.com", "action@github.com", "actions@github.com", "copilot@github.com"),
        *("github-actions@github.com", "support@github.com", "support@dependabot.com"),
        *("noreply@anthropic.com", "claude@anthropic.com", "cursoragent@cursor.com"),
        *("agent@cursor.com", "noreply@cursor.com", "noreply@cursor.sh", "noreply@openai.com"),
        *("codex@openai.com", "noreply@aider.chat", "openhands@all-hands.dev", "amp@ampcode.com"),
        *("devin@cognition.ai", "noreply@devin.ai", "jules@google.com", "noreply@lovable.dev"),
        *("bot@renovateapp.com", "renovate@whitesourcesoftware.com", "renovate@mend.io"),
        *("bot@mend.io", "semantic-release-bot@martynus.net", "snyk-bot@snyk.io"),
        *("bot@snyk.io", "support@snyk.io", "github-bot@pyup.io", "support@greenkeeper.io"),
        *("pre-commit-ci@pre-commit.ci", "travis@travis-ci.org", "builds@travis-ci.com"),
        *("badger@gitter.im", "bot@stepsecurity.io", "bot@allcontributors.org"),
        *("imgbothelp@gmail.com", "hosted@weblate.org", "noreply@weblate.org"),
        *("support@crowdin.com", "support+bot@crowdin.com", "support@transifex.com"),
        *("gemini@google.com", "gemini-cli@google.com", "noreply@google.com", "vibe@mistral.ai"),
        *("qwen-coder@alibabacloud.com", "crush@charm.land", "goose@block.xyz", "grok@x.ai"),
    }
)
# Makers of coding agents, where `noreply@` or `agent@` is never a person's address.
_MAKERS = frozenset(
    {
        *("anthropic.com", "openai.com", "cursor.com", "cursor.sh", "opencode.ai", "windsurf.com"),
        *("codeium.com", "devin.ai", "cognition.ai", "aider.chat", "ampcode.com", "lovable.dev"),
        *("all-hands.dev", "openhands.dev", "continue.dev", "kilocode.ai", "roocode.com", "x.ai"),
        *("cline.bot", "kiro.dev", "warp.dev", "factory.ai", "replit.com", "bolt.new", "v0.dev"),
        *("mistral.ai", "augmentcode.com", "coderabbit.ai", "greptile.com", "sweep.dev"),
    }
)
_NO_PERSONS = frozenset({"noreply", "no-reply", "agent", "bot", "ai", "assistant"})
# Hosts of the integrations of Linear and Sentry that act as users.
_HOSTS = ("oauthapp.linear.app", "linear.linear.app", "proxy-user.sentry.io")
_BY_WORDS = re.compile(
    # `semantic-release-bot`, `k8s-ci-robot`, GitLab's `project_12_bot_1a2b`.
    r"\[bot\]$|[-_](?:ro)?bot$|^(?:project|group)_\d+_bot(?:_\w+)?$",
    re.IGNORECASE,
)
# `BrewTestBot`, but not `Talbot`.
_CAPITAL_BOT = re.compile(r"[a-z0-9](?:Ro)?Bot$")
_NAMED_BOT = re.compile(r"(?:^|\s)(?:ro)?bot$", re.IGNORECASE)
# But not `jan.bot@`, which may be a person's first and last name.
_BOT_IN_ADDRESS = re.compile(r"(?:^|[-_+])(?:ro)?bots?(?:[-_+]|$)")
# Names of agents, for addresses that identify nobody. `Claude` and `Devin` alone are first names.
_AGENT = re.compile(
    r"(?:github )?copilot(?:[ (].*)?|claude (?:code|opus|sonnet|haiku)\b.*|(?:openai )?codex(?: cli)?|cursor(?: agent)?"
    r"|gemini (?:cli|code assist|\d)\b.*|chatgpt\b.*|gpt-?\d.*|aider(?: \(.*)?|devin ai|windsurf|opencode|openhands"
    r"|qwen-?(?:coder|code)\b.*|(?:ai|coding) (?:assistant|agent)",
    re.IGNORECASE,
)
_MACHINE = re.compile(
    r"jenkins|travis(?: ci)?|circle ?ci|buildkite|teamcity|(?:[\w.-]+ )?ci(?:/cd)?|buildbot|(?:build |ci )?runner"
    r"|(?:github|gitea|forgejo|gitlab)[ -](?:actions?|runner|ci)|(?:[\w.-]+ )?(?:deploy|release|automation)",
    re.IGNORECASE,
)
_OF_MACHINES = frozenset(
    {
        *("ci", "cd", "jenkins", "travis", "circleci", "buildkite", "build", "builds", "builder"),
        *("buildbot", "runner", "deploy", "deployer", "release", "releases", "automation"),
    }
)
_BUTTON = re.compile(r"github(?: enterprise)?(?: server)?|gitlab|bitbucket|gitea|forgejo", re.I)


# The same few people are in every payload of a repository.
@lru_cache(4_096)
def is_robot(name: str | None = None, email: str | None = None, login: str | None = None) -> bool:
    """Whether a name, an address or a login identifies a robot by itself.

    `Bot` is a surname too: a name of several words counts only if the address agrees.
    """
    address = (email or "").strip().lower()
    local, _, host = address.partition("@")
    noreply = email_addresses.noreply_account(email)
    plain_name = (name or "").strip()
    logins = [login, noreply[1] if noreply else None]
    if any(word and _BY_WORDS.search(word) for word in (*logins, local)):
        return True
    if " " not in plain_name and _BY_WORDS.search(plain_name):
        return True
    if plain_name.lower().endswith("[bot]"):
        return True
    if noreply is not None and noreply[0] in _ACCOUNTS:
        return True
    if host in _HOSTS or address in _ADDRESSES or (host in _MAKERS and local in _NO_PERSONS):
        return True
    if any(word and (word.lower() in _LOGINS or _CAPITAL_BOT.search(word)) for word in logins):
        return True
    return _is_named_so(plain_name, address)


def _is_named_so(name: str, address: str) -> bool:
    """Whether the name is a robot's; if it could be a person's, the address must agree."""
    local = address.partition("@")[0]
    says_nothing = email_addresses.is_placeholder_email(address)
    is_of_machine = local in _OF_MACHINES or (says_nothing and bool(address))
    if local in ("noreply", "no-reply") and (_BUTTON.fullmatch(name) or name.lower() == "claude"):
        return True
    if says_nothing and _AGENT.fullmatch(name):
        return True
    # `Jenkins` is a surname too, and `deploy@` may be a team's.
    if is_of_machine and _MACHINE.fullmatch(name):
        return True
    return _NAMED_BOT.search(name) is not None and (
        says_nothing or _BOT_IN_ADDRESS.search(local) is not None
    )
