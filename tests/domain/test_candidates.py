"""Candidates: words that may be an issue's identifier, and the relations that the words around make."""

from __future__ import annotations

import pytest

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.identifiers import names_of_branch
from lightfast_pipelines.domain.written_relations import read_links
from tests.domain.statements import pull_request


def tried(text: str) -> list[tuple[str, str]]:
    """The edges that need an issue's claim of the name, and those that do not."""
    return [
        (edge.type, edge.object.key.removeprefix("candidate:name:").removeprefix("linear:ref:"))
        for edge in read_links(pull_request(text)).edges
    ]


@pytest.mark.parametrize(
    ("text", "edge"),
    [
        ("Fixes K8S-12", ("fixes", "K8S-12")),
        ("Closes: 4U-3.", ("fixes", "4U-3")),
        ("fix q-7", ("fixes", "Q-7")),
        ("Completes ENG-12", ("fixes", "ENG-12")),
        ("Implemented eng-12", ("fixes", "ENG-12")),
        ("Fixing 2ENG-123", ("fixes", "2ENG-123")),
        ("Part of ENG-12", ("references", "ENG-12")),
        ("part of eng-12", ("references", "ENG-12")),
        ("ref eng-12", ("references", "ENG-12")),
        ("Refs: eng-12", ("references", "ENG-12")),
        ("Related to K8S-12", ("references", "K8S-12")),
        ("contributes to eng-12", ("references", "ENG-12")),
        ("towards eng-12", ("references", "ENG-12")),
        ("Linear: eng-12", ("references", "ENG-12")),
        ("eng-12: hold the cart", ("references", "ENG-12")),
        ("[eng-12] hold the cart", ("references", "ENG-12")),
        ("feat(eng-12): hold the cart", ("references", "ENG-12")),
        ("Hold the cart, see ENG-12.", ("references", "ENG-12")),
        ("Duplicate of K8S-12", ("duplicates", "K8S-12")),
        ("Fixes GPU-12", ("fixes", "GPU-12")),
        ("Fixes #ENG-12", ("fixes", "ENG-12")),
    ],
)
def test_a_candidate_is_found_in_every_form_that_people_write(
    text: str, edge: tuple[str, str]
) -> None:
    assert tried(text) == [edge]


@pytest.mark.parametrize(
    "text",
    [
        "Since 2026-07-01, and in 2026-10",
        "Fixes 2026-10",
        "CVE-2026-1 and CVE-2026-12345",
        "Reads UTF-8 and SHA-256 as before",
        "The step-1 of phase-2 on arm-64",
        "Update react-18.2",
        "Bump pkg/eng-12 and x.K8S-12",
        "https://docs.acme.dev/guide#eng-12",
        "Fixes ENG-01",
        "https://linear.app/acme/project/relaunch",
        "https://vercel.com/docs/deployments/overview",
        "`Fixes K8S-12`",
        "Fixes K8S-012",
    ],
)
def test_dates_versions_and_encodings_are_not_candidates(text: str) -> None:
    assert tried(text) == []


def test_a_whole_list_after_a_closing_word_is_a_list_of_candidates() -> None:
    assert tried("Fixes K8S-1, ENG-2 and eng-3") == [
        ("fixes", "K8S-1"),
        ("fixes", "ENG-2"),
        ("fixes", "ENG-3"),
    ]


def test_a_slash_between_two_names_makes_a_list_of_them() -> None:
    assert tried("Fixes ENG-2/ENG-3") == [("fixes", "ENG-2"), ("fixes", "ENG-3")]
    addresses = [f"https://linear.app/acme/issue/ENG-{n}/slug?foo=bar" for n in (1, 2)]
    assert tried(f"Resolves {addresses[0]} and {addresses[1]}") == [
        ("fixes", "acme/ENG-1"),
        ("fixes", "acme/ENG-2"),
    ]


@pytest.mark.parametrize(
    ("text", "alias"),
    [
        ("[Inspect](https://vercel.com/acme/shop/2x5K8GQJSNmhgRSRf7b2)", "page:2x5K8GQJSNmhgRSRf7b2"),
        ("https://vercel.com/acme/shop/dpl_1", "page:1"),
        ("[Preview](https://Shop-22yqytk1v-acme.vercel.app)", "shop-22yqytk1v-acme.vercel.app"),
        ("https://vercel.live/open-feedback/shop-1-acme.vercel.app?via=pr", "shop-1-acme.vercel.app"),
        ("Fixes https://shop-1-acme.vercel.app/cart", "shop-1-acme.vercel.app"),
    ],
)  # fmt: skip
def test_an_address_of_vercels_is_a_candidate_for_a_deployment(text: str, alias: str) -> None:
    assert tried(text) == [("references", f"candidate:address:vercel:ref:{alias}")]


@pytest.mark.parametrize(
    ("text", "alias"),
    [
        ("Part of https://linear.app/Acme/project/relaunch-aa11", "acme/project/aa11"),
        ("[Plan](https://linear.app/acme/document/the-plan-1f2e3d?x=1#a)", "acme/document/1f2e3d"),
        ("<https://linear.app/acme/initiative/1f2e3d/overview>", "acme/initiative/1f2e3d"),
    ],
)
def test_an_address_of_a_page_of_linears_is_a_candidate_for_that_page(
    text: str, alias: str
) -> None:
    assert tried(text) == [("references", f"candidate:address:linear:ref:{alias}")]


def test_a_candidate_does_not_join_the_numbers_around_it_to_a_list() -> None:
    assert tried("Fixes #1, UTF-8 and #2")[:2] == [
        ("fixes", "github:ref:octo/repo#1"),
        ("references", "github:ref:octo/repo#2"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Fixes https://linear.app/acme/issue/4U-3/greet-by-name",
        "Fixes [4U-3](https://linear.app/Acme/issue/4u-3/greet-by-name#comment-1f)",
        "Completes [the greeting](https://linear.app/acme/issue/4U-3)",
        "Fixes <https://linear.app/acme/issue/4U-3>",
        "Fixes <https://linear.app/acme/issue/4U-3/greet|4U-3>",
        "Fixes <a href='https://linear.app/acme/issue/4U-3'>it</a>",
        "Fixes linear.app/acme/issue/4U-3",
        "Fixes https://linear.app/acme/issue/4U-3/greet/activity?noredirect=1#comment-1f",
    ],
)
def test_an_address_names_the_organisation_too(text: str) -> None:
    assert tried(text) == [("fixes", "acme/4U-3")]


def test_an_issue_is_not_a_candidate_beside_a_certain_reference_to_it() -> None:
    found = [edge for edge in tried("eng-12: Cart\n\nFixes ENG-12") if edge[1] == "ENG-12"]
    assert found == [("fixes", "ENG-12")]


@pytest.mark.parametrize(
    ("branch", "identifiers"),
    [
        ("feature/lh-98-slug", ["LH-98"]),
        ("mira/eng-33", ["ENG-33"]),
        ("ENG_12", ["ENG-12"]),
        ("mira/4u-3-greet", ["4U-3"]),
        ("mira-eng-34-upgrade", ["ENG-34"]),
        ("mira/eng-31-2fa-login", ["ENG-31"]),
        ("mira/eng-40-follow-up-to-eng-12", ["ENG-40", "ENG-12"]),
        ("2026-07-release", []),
        ("release-v2.1.0", []),
        ("web3-wallet", []),
    ],
)
def test_a_branch_means_the_issue_of_its_name_then_of_the_identifiers_in_it(
    branch: str, identifiers: list[str]
) -> None:
    by_name = keys.linear_issue_by_branch(branch)
    by_identifier = [keys.linear_issue_by_identifier(name) for name in identifiers]
    of_sentry = "sentry:"  # whose short ids are tried after these
    names = [one for one in names_of_branch(branch) if not one.startswith(of_sentry)]
    assert names == [by_name, *by_identifier]
