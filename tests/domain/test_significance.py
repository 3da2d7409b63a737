"""The score and what it is made of."""

from __future__ import annotations

import pytest

from lightfast_pipelines.domain.events import Reference
from lightfast_pipelines.domain.significance import score
from tests.domain.statements import pull_request


def test_every_factor_of_a_score_is_named() -> None:
    statement = pull_request(
        "Breaking: new login fix",
        content="x" * 501,
        base_significance=60,
        source_type="pull-request.merged",
        references=tuple(Reference("label", str(n)) for n in range(9)),
    )
    total, factors = score(statement)
    assert total == 100  # 60 + 20 + 8 + 5 + 15 + 5, clamped
    assert factors == (
        "base:pull-request.merged",
        "critical_keyword",
        "feature_keyword",
        "fix_keyword",
        "references:9",
        "substantial_content",
    )


@pytest.mark.parametrize(
    "title", ["deployed", "deployments", "fixes and fixed", "tests", "vulnerabilities", "renewed"]
)
def test_part_of_a_word_is_no_signal(title: str) -> None:
    assert score(pull_request(title, content="")) == (50, ("base:pull-request.opened",))


def test_a_cve_is_critical_and_a_score_is_never_below_zero() -> None:
    assert score(pull_request("See CVE-2024-1234", content=""))[0] == 70
    assert score(pull_request("See cve", content=""))[0] == 50
    trivial = pull_request("chore: typo, draft", content="y" * 201, base_significance=20)
    assert score(trivial)[0] == 0
    assert "moderate_content" in score(trivial)[1]
