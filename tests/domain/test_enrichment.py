"""What all rules together make of a statement."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.enrichment import MAX_MENTIONS, enrich, observation_type
from lightfast_pipelines.domain.events import Edge, Mention, Thing
from tests.domain.statements import SUBJECT, pull_request

ISSUE = Thing("github:ref:octo/repo#1")


def test_every_end_of_an_edge_is_mentioned_and_the_subject_first() -> None:
    enriched = enrich(pull_request("Fixes #1 in src/a/b.py"))
    assert [(m.thing.key, m.role) for m in enriched.mentions] == [
        (SUBJECT.key, "subject"),
        (ISSUE.key, "related"),
        ("file:src/a/b.py", "text"),
    ]


def test_a_reference_is_dropped_beside_a_stronger_relation() -> None:
    commit = Thing("github:commit:" + "a" * 40)
    statement = pull_request(
        "See #1\nfixes #1",
        edges=(
            Edge(commit, "merges_as", SUBJECT),
            Edge(SUBJECT, "references", commit),
            Edge(SUBJECT, "fixes", ISSUE, 0.5, "payload"),
        ),
    )
    assert [
        (e.subject.key, e.type, e.object.key, e.confidence) for e in enrich(statement).edges
    ] == [
        (commit.key, "merges_as", SUBJECT.key, 1.0),
        (SUBJECT.key, "fixes", ISSUE.key, 1.0),
    ]


def test_a_commit_that_names_the_pull_request_it_came_in_refers_to_it_unless_it_merges_it() -> None:
    pull, commit = Thing("github:ref:octo/repo#12"), Thing("github:commit:" + "a" * 40)
    for relation, wanted in (
        ("contains", ["contains", "references"]),
        ("merges_as", ["merges_as"]),
    ):
        statement = pull_request(
            "Quote paths\n\nSee #12.", subject=commit, edges=(Edge(pull, relation, commit),)
        )
        assert [edge.type for edge in enrich(statement).edges] == wanted


def test_a_reference_by_name_gives_way_to_the_same_relation_by_id() -> None:
    by_id = Thing(keys.github_number_by_id(1, 12), aliases=("github:ref:octo/repo#12",))
    commit = Thing("github:commit:" + "a" * 40)
    squashed = pull_request(
        "Add a thing (#12)", subject=commit, edges=(Edge(by_id, "merges_as", commit),)
    )
    assert [edge.type for edge in enrich(squashed).edges] == ["merges_as"]


def test_beyond_fifty_mentions_the_least_certain_go_and_no_end_of_an_edge() -> None:
    files = tuple(Mention(Thing(f"file:{n}"), "file", confidence=0.9) for n in range(80))
    sure = Mention(Thing("github:commit:" + "b" * 40), "reference")
    mentions = enrich(pull_request("Fixes #1", mentions=(*files, sure))).mentions
    assert len(mentions) == MAX_MENTIONS
    kept = {mention.thing.key for mention in mentions}
    assert {SUBJECT.key, ISSUE.key, sure.thing.key} <= kept
    changed = tuple(Mention(Thing(f"file:c{n}"), "file", "modified") for n in range(80))
    with_files = enrich(pull_request("Fixes #1", mentions=(*files, sure, *changed))).mentions
    assert set(with_files) == {*mentions, *changed}
    numbers = ", ".join(f"#{n}" for n in range(200, 270))
    assert len(enrich(pull_request(f"Fixes {numbers}")).mentions) == 71


def test_the_broad_kind_is_read_from_the_event_type() -> None:
    assert observation_type("github", "commit.pushed") == "change"
    assert observation_type("sentry", "issue.created") == "incident"
    assert observation_type("github", "issue.opened") == "issue"
    assert observation_type("github", "unheard-of.thing") == "other"


@given(
    st.text(
        alphabet=st.sampled_from(list("fixes #1@/.`>_-\n<!AEror[](){}:\ufffc\x00\ud800é9ab")),
        max_size=80,
    )
)
def test_any_text_is_read_without_failing_and_always_the_same(text: str) -> None:
    statement = pull_request(text)
    assert enrich(statement) == enrich(statement)
