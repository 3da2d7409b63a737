"""The identity of a fact (ingestion.md, A4): one for whatever states it, another for every other fact."""

from __future__ import annotations

from copy import deepcopy
from itertools import combinations
from typing import Any

import pytest

from lightfast_pipelines.domain.events import Understood
from lightfast_pipelines.domain.keys import external_id
from lightfast_pipelines.providers import discover
from tests.providers.github import more_payloads as more
from tests.providers.github import payloads as github
from tests.providers.linear import payloads as linear
from tests.providers.sentry import payloads as sentry
from tests.providers.vercel import payloads as vercel
from tests.providers.vercel.payloads import AT, MINUTE

Json = dict[str, Any]
Told = tuple[str, str, Json]


def _ids(told: Told, sent: int = 1_717_243_200) -> list[str]:
    provider, event, payload = told
    found = discover()[provider]
    body = vercel.encoded(payload)
    reading = found.read(event, found.decode(body, {"sentry-hook-timestamp": str(sent)}))
    assert isinstance(reading, Understood), reading
    return [statement.source_id for statement in reading.statements]


def _vercel(payload: Json) -> Told:
    return ("vercel", payload["type"], payload)


def _as_listed(payload: Json, thing: str) -> Json:
    """As the API lists it, put into the envelope of a webhook: what only the webhook has is missing."""
    listed = deepcopy(payload)
    for field in ("merged", "merged_by", "additions", "deletions", "changed_files", "comments"):
        listed[thing].pop(field, None)
    listed.pop("sender", None)
    return listed


MERGED = github.pull_request("closed", merged=True)
ERROR_LISTED = sentry.error("e1")
ERROR_LISTED["data"]["error"] |= {"datetime": None, "timestamp": 1_714_557_600.25}

SAME = {
    "a merge, listed": (("github", "pull_request", MERGED),
                        ("github", "pull_request", _as_listed(MERGED, "pull_request"))),
    "a close, listed": (
        ("github", "pull_request", github.pull_request("closed")),
        ("github", "pull_request", _as_listed(github.pull_request("closed"), "pull_request")),
    ),
    "an opening, by a list of what was merged since": (
        ("github", "issues", github.issue("opened")),
        ("github", "issues", _as_listed(github.issue("opened", title="Renamed since"), "issue")),
    ),
    "a deployment, ready or succeeded": (
        _vercel(vercel.deployment("ready")),
        _vercel(vercel.deployment("succeeded", at=AT + MINUTE)),
    ),
    "a Linear change of 2021": (
        ("linear", "Issue", linear.issue_update({"priority": 0}, generation=2026)),
        ("linear", "Issue", linear.issue_update({"priority": 0}, generation=2021)),
    ),
    "an error with its time as a number": (
        ("sentry", "error", sentry.error("e1")),
        ("sentry", "error", ERROR_LISTED),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SAME)
def test_whatever_states_a_transition_gives_it_one_id(case: str) -> None:
    first, second = SAME[case]
    assert _ids(first) == _ids(second)


DIFFERENT: dict[str, list[Told]] = {
    "pull request opened, merged, closed": [
        ("github", "pull_request", github.pull_request("opened")),
        ("github", "pull_request", MERGED),
        ("github", "pull_request", github.pull_request("closed")),
    ],
    "pull request reopened twice": [
        ("github", "pull_request", github.pull_request("reopened", at="2024-05-03T00:00:00Z")),
        ("github", "pull_request", github.pull_request("reopened", at="2024-05-05T00:00:00Z")),
    ],
    "issue opened, closed, reopened twice, closed again": [
        ("github", "issues", github.issue(action, at=f"2024-05-0{day}T00:00:00Z"))
        for day, action in enumerate(["opened", "closed", "reopened", "closed", "reopened"], 1)
    ],
    "deployment created, succeeded, failed": [
        _vercel(vercel.deployment(transition)) for transition in ("created", "succeeded", "error")
    ],
    "deployment promoted twice": [
        _vercel(vercel.deployment("promoted", at=AT + n * MINUTE)) for n in range(2)
    ],
    "Linear issue created, changed twice, removed": [
        ("linear", "Issue", linear.issue("create")),
        ("linear", "Issue", linear.issue_update({"stateId": "x"}, at="2024-05-03T00:00:00Z")),
        ("linear", "Issue", linear.issue_update({"stateId": "x"}, at="2024-05-04T00:00:00Z")),
        ("linear", "Issue", linear.issue("remove", at="2024-05-05T00:00:00Z")),
    ],
    "Sentry issue created, resolved, regressed": [
        ("sentry", "issue", sentry.issue(action))
        for action in ("created", "resolved", "unresolved")
    ],
    "two comments": [
        ("github", "issue_comment", more.issue_comment("One")),
        ("linear", "Comment", linear.comment()),
        ("sentry", "comment", sentry.comment()),
    ],
    "number 1 of two repositories": [
        ("github", "pull_request", github.pull_request("opened", 1)),
        ("github", "pull_request", github.pull_request("opened", 1, repo_id=2)),
    ],
    "one number of issue, pull request and discussion": [
        ("github", "issues", github.issue("opened", 5)),
        ("github", "pull_request", github.pull_request("opened", 5)),
        ("github", "discussion", github.discussion("created", 5)),
    ],
    "one id at four providers": [
        ("github", "issues", github.issue("opened", 7, repo_id=7)),
        _vercel(vercel.deployment("created", "7", project="7")),
        ("linear", "Issue", linear.issue("create", id="7", number=7)),
        ("sentry", "issue", sentry.issue("created", issue_id="7")),
    ],
}


@pytest.mark.parametrize("case", DIFFERENT)
def test_different_facts_have_different_ids(case: str) -> None:
    ids = [set(_ids(told)) for told in DIFFERENT[case]]
    assert all(ids)
    assert all(not one & other for one, other in combinations(ids, 2))


def test_a_second_resolving_of_a_sentry_issue_is_another_fact() -> None:
    resolved: Told = ("sentry", "issue", sentry.issue("resolved"))
    assert _ids(resolved, 1_717_243_200) != _ids(resolved, 1_717_329_600)
    assert _ids(resolved) == _ids(resolved)


def _renamed_team(payload: Json) -> Json:
    renamed = deepcopy(payload)
    renamed["data"]["team"] |= {"key": "WEB", "name": "Web"}
    renamed["data"]["identifier"] = "WEB-12"
    return renamed


def _renamed_project(payload: Json) -> Json:
    renamed = deepcopy(payload)
    renamed["data"]["issue"]["project"] |= {"name": "Store", "slug": "store"}
    return renamed


RENAMED = {
    "repository": (
        ("github", "pull_request", github.pull_request()),
        ("github", "pull_request", github.pull_request(repo="globex/store")),
    ),
    "repository of a push": (
        ("github", "push", github.push([github.commit("One", commit_sha=github.sha(1))])),
        ("github", "push", github.push(
            [github.commit("One", commit_sha=github.sha(1), repo="globex/store")],
            repo="globex/store")),
    ),
    "Vercel project": (
        _vercel(vercel.deployment()),
        _vercel(vercel.deployment(name="store")),
    ),
    "Linear team": (
        ("linear", "Issue", linear.issue()),
        ("linear", "Issue", _renamed_team(linear.issue())),
    ),
    "Sentry project": (
        ("sentry", "issue", sentry.issue()),
        ("sentry", "issue", _renamed_project(sentry.issue())),
    ),
    "Sentry organisation": (
        ("sentry", "issue", sentry.issue(organization="acme")),
        ("sentry", "issue", sentry.issue(organization="globex")),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", RENAMED)
def test_a_rename_changes_no_id(case: str) -> None:
    before, after = RENAMED[case]
    assert before[2] != after[2]
    assert _ids(before) == _ids(after)


def test_one_fact_has_an_id_of_its_own_for_each_tenant() -> None:
    (fact,) = _ids(("github", "issues", github.issue()))
    tenants = [("acme", "shop"), ("acme", "store"), ("globex", "shop"), ("acm", "eshop")]
    assert len({external_id(org, slug, fact) for org, slug in tenants}) == len(tenants)
    assert external_id("acme", "shop", fact) == external_id("acme", "shop", fact)
