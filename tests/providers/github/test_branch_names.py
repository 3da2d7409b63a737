"""Which branch names mean an issue of Linear's, and which only look like it."""

from __future__ import annotations

import pytest

from tests.providers.github.payloads import pull_request
from tests.providers.github.readings import edges, statement


def tracked(branch: str) -> list[tuple[str, str]]:
    payload = pull_request("opened")
    payload["pull_request"]["head"]["ref"] = branch
    found = edges(statement("pull_request", payload))
    return [(subject, other) for subject, relation, other in found if relation == "tracked_in"]


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
def test_other_names_with_a_hyphen_and_a_number_mean_nothing(branch: str) -> None:
    assert tracked(branch) == []
