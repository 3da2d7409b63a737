"""Summaries of clusters: facts first, then sentences that members say, each with its citations."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightfast_pipelines.domain.summaries import Member, is_outdated, listed, period, summarize
from tests.depth import examples

MAY = 1_714_564_800.0  # 1 May 2024, 12:00
DAY = 86_400.0


def member(
    number: int, title: str, *, thing: str = "commit.pushed", subject: str = "", days: float = 0,
    who: str | None = "Ann", content: str = "", is_bot: bool = False,
) -> Member:  # fmt: skip
    return Member(
        f"id-{number}",
        subject or f"key-{number}",
        thing,
        MAY + days * DAY,
        title,
        content,
        who,
        is_bot,
    )


STORY = [
    member(1, "[PR Opened] Retry the payment once", thing="pull-request.opened", subject="pr"),
    member(2, "[PR Merged] Retry the payment once", thing="pull-request.merged", subject="pr",
           days=40, who="Ann"),
    member(3, "Cover the gateway's timeout", days=1, who="Ben"),
    member(4, "Merge pull request #3 from ann/retry", days=40, who="Cat",
           content="Merge pull request #3 from ann/retry\n\nRetry the payment once"),
    member(5, "Bump eslint", days=2, who="bumper", is_bot=True),
]  # fmt: skip


def test_the_first_sentence_counts_and_cites_all_members() -> None:
    first = summarize(STORY, ("payment", "retry", "gateway", "timeout"))[0]
    assert first.text == (
        "3 commits and 1 pull request by Ann, Ben and Cat from 1 May to 10 June 2024, "
        "about payment, retry and gateway."
    )
    assert first.observations == ("id-1", "id-2", "id-3", "id-4", "id-5")


def test_every_other_sentence_quotes_the_cited_members() -> None:
    _, *rest = summarize(STORY, ("payment", "retry"))
    assert [(each.text, each.observations) for each in rest] == [
        ("Retry the payment once.", ("id-1", "id-2", "id-4")),
        ("Cover the gateway's timeout.", ("id-3",)),
    ]


def test_nothing_is_said_twice() -> None:
    members = [member(n, f"Retry the payment {n} times") for n in range(6)]
    assert len(summarize(members, ("payment",))) == 2


def test_members_without_words_still_have_their_facts() -> None:
    sentences = summarize([member(n, "[PR Opened] ", who=None) for n in range(5)], ())
    assert [each.text for each in sentences] == ["5 commits on 1 May 2024."]


def test_bots_are_named_only_where_nobody_else_is() -> None:
    alone = summarize([member(1, "Bump eslint", who="bumper", is_bot=True)], ())
    assert alone[0].text == "1 commit by bumper on 1 May 2024."


def test_the_most_frequent_people_and_things_are_named_and_the_others_counted() -> None:
    kinds = ("commit.pushed", "issue.opened", "release.published", "metric-alert.critical")
    members = [member(n, "x", thing=kinds[n % 4], who=f"P{n}") for n in range(8)]
    assert summarize(members, ())[0].text == (
        "2 alerts, 2 commits, 2 issues and 2 more by P0, P1 and 6 others on 1 May 2024."
    )


@pytest.mark.parametrize(
    ("days", "text"),
    [
        (0, "on 1 May 2024"),
        (7, "from 1 to 8 May 2024"),
        (40, "from 1 May to 10 June 2024"),
        (400, "from 1 May 2024 to 5 June 2025"),
    ],
)
def test_a_period_is_as_short_as_possible(days: int, text: str) -> None:
    assert period(MAY, MAY + days * DAY) == text


def test_lists_are_joined_with_and() -> None:
    assert [listed(names) for names in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "", "a", "a and b", "a, b and c",
    ]  # fmt: skip


TEN = frozenset(f"id-{number}" for number in range(10))


def test_a_summary_is_outdated_when_its_cluster_has_grown_by_a_fifth() -> None:
    assert not is_outdated(TEN, TEN)
    assert not is_outdated(TEN, TEN | {"new"})
    assert is_outdated(TEN, TEN | {"new", "newer"})


def test_a_summary_is_outdated_when_a_member_that_it_cites_is_gone() -> None:
    assert is_outdated(TEN, TEN - {"id-9"})
    assert is_outdated(TEN, (TEN - {"id-9"}) | {"new"})


MEMBERS = st.lists(
    st.builds(
        member,
        st.integers(0, 10_000),
        st.sampled_from(["Retry the payment", "[PR Merged] Retry the payment", "Fix a typo", ""]),
        thing=st.sampled_from(["commit.pushed", "comment.created"]),
        days=st.integers(0, 900).map(float),
        who=st.sampled_from(["Ann", "Ben", None]),
        content=st.text(max_size=80),
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda each: each.external_id,
)


@examples(25)
@given(MEMBERS.flatmap(lambda members: st.tuples(st.just(members), st.permutations(members))))
def test_order_does_not_matter_and_every_sentence_cites_members(
    pair: tuple[list[Member], list[Member]],
) -> None:
    sentences = summarize(pair[0], ("payment",))
    assert sentences == summarize(pair[1], ("payment",))
    assert 1 <= len(sentences) <= 4
    ids = {each.external_id for each in pair[0]}
    for sentence in sentences:
        assert sentence.text
        assert sentence.observations
        assert ids.issuperset(sentence.observations)
