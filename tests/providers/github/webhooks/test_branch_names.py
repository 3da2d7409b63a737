"""Branch names that mean a Linear issue, and names that only look like it."""

from __future__ import annotations

from typing import Any

import pytest

from lightfast_pipelines.domain import key_categories
from tests.providers.github.payloads import pull_request
from tests.providers.github.readings import edges, statement


def tracked(branch: str) -> list[tuple[str, str]]:
    """The issues, whether they claim the branch or not."""
    payload = pull_request("opened")
    payload["pull_request"]["head"]["ref"] = branch
    found = edges(statement("pull_request", payload))
    return [
        (subject, other)
        for subject, relation, other in found
        if relation == "tracked_in" and not key_categories.is_candidate(subject)
    ]


@pytest.mark.parametrize(
    ("branch", "identifier"),
    [
        ("mira/chk-12-guest-checkout", "CHK-12"),
        ("Mira.Okafor/CHK-12-guest-checkout", "CHK-12"),
        ("feature/eng-7-a-cart", "ENG-7"),
    ],
)
def test_the_form_that_linear_proposes_means_its_issue(branch: str, identifier: str) -> None:
    assert tracked(branch) == [(f"linear:ref:{identifier}", "github:pr:1#1")]


@pytest.mark.parametrize(
    "branch",
    [
        "patch-1",
        "less-2-compat",
        "chk-12-guest-checkout",
        "revert-37-ast-fix",
        "lin/issue-13073-fix-paste",
        "lin/gh-13845-fix-entry-points",
        "fix/python-3-only",
        "deps/payments-sdk-12.2.0",
        "lin/chk-12",
        "lin/chk-012-zero",
        "lin/chk-12-3-or-4",
    ],
)
def test_other_names_with_a_hyphen_and_a_number_mean_nothing_unless_an_issue_claims_them(
    branch: str,
) -> None:
    assert tracked(branch) == []


def test_the_branch_of_the_revert_button_leads_to_the_reverted_pull_request() -> None:
    def reverted(branch: str, title: str, **more: Any) -> set[str]:
        payload = pull_request(head=branch, title=title, body="It broke the till.", **more)
        return {
            edge[2] for edge in edges(statement("pull_request", payload)) if edge[1] == "reverts"
        }

    assert reverted("revert-40-cart", 'Revert "Steady cart"') == {"github:ref:acme/shop#40"}
    assert reverted("revert-40-cart", "Add a revert button") == set()
    in_a_fork = pull_request(title='Revert "Cart"', head="revert-40-cart")
    in_a_fork["pull_request"]["head"]["repo"] = {"id": 2}
    found = statement("pull_request", in_a_fork)
    assert not any(edge[1] == "reverts" for edge in edges(found))
