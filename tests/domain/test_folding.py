"""Several payloads that state one fact make one observation, whatever their order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from lightfast_pipelines.domain.events import (
    Account,
    Edge,
    IngestionSource,
    Mention,
    Reference,
    StateChange,
    Statement,
    Thing,
)
from lightfast_pipelines.domain.folding import StatementSource, fold

T = datetime(2024, 5, 1, tzinfo=UTC)
SUBJECT = Thing("github:pr:1#2")


def stated(**fields: Any) -> Statement:
    values: dict[str, Any] = {
        "source_id": "github:pr:1#2|opened",
        "source": "github",
        "source_type": "pull-request.opened",
        "subject": SUBJECT,
        "occurred_at": T,
        "title": "Title",
    }
    return Statement(**{**values, **fields})


def by(source: IngestionSource = "webhook", body: bytes = b"0") -> StatementSource:
    return StatementSource(source, T, body)


def test_a_webhook_is_preferred_to_the_api_and_the_api_fills_its_gaps() -> None:
    webhook = stated(title="As it was", content="", metadata={"a": 1, "b": None})
    api = stated(title="Edited since", content="Body", metadata={"b": 2, "c": 3}, branch="main")
    whole = fold([(by("api"), api), (by("webhook"), webhook)])
    assert (whole.title, whole.content, whole.branch) == ("As it was", "Body", "main")
    assert whole.metadata == {"a": 1, "b": 2, "c": 3}


def test_among_webhooks_the_latest_update_wins_and_then_the_smallest_body() -> None:
    old = stated(title="old", updated_at=T)
    new = stated(title="new", updated_at=T + timedelta(hours=1))
    undated = stated(title="undated")
    assert fold([(by(), undated), (by(), old), (by(), new)]).title == "new"
    one, two = stated(title="one"), stated(title="two")
    assert fold([(by(body=b"2"), two), (by(body=b"1"), one)]).title == "one"


def test_edges_mentions_and_references_are_united() -> None:
    issue = Thing("github:ref:o/r#1")
    commit = Thing("github:commit:aa")
    webhook = stated(
        edges=(Edge(SUBJECT, "fixes", issue, 0.9),),
        mentions=(Mention(issue, "reference"),),
        references=(Reference("issue", "#1"),),
    )
    api = stated(
        edges=(Edge(SUBJECT, "fixes", issue, 1.0), Edge(SUBJECT, "contains", commit)),
        mentions=(Mention(replace(issue, name="o/r#1"), "reference"),),
        references=(Reference("issue", "#1"), Reference("commit", "aa")),
    )
    whole = fold([(by("api"), api), (by(), webhook)])
    assert [(e.type, e.confidence) for e in whole.edges] == [("fixes", 0.9), ("contains", 1.0)]
    assert [(m.thing.key, m.thing.name) for m in whole.mentions] == [(issue.key, "o/r#1")]
    assert [r.id for r in whole.references] == ["#1", "aa"]


def test_one_state_is_stated_once_by_the_preferred_payload() -> None:
    draft = stated(states=(StateChange(SUBJECT, "status", "draft", T),))
    later = stated(states=(StateChange(SUBJECT, "status", "open", T, 1),))
    assert [s.value for s in fold([(by("api"), later), (by(), draft)]).states] == ["draft"]


def test_an_account_is_filled_from_the_same_account_only() -> None:
    mine = Account("github", "7", username="ana")
    fuller = Account("github", "7", email="ana@x.org", kind="person", email_verified=True)
    other = Account("github", "8", name="Ben")
    whole = fold([(by(), stated(actor=mine)), (by("api"), stated(actor=fuller, author=other))])
    assert whole.actor == replace(fuller, username="ana")
    assert fold([(by(), stated(actor=mine)), (by("api"), stated(actor=other))]).actor == mine


def test_closing_words_are_read_from_the_text_that_is_shown() -> None:
    bare = stated(content="", link_text="Title")
    full = stated(content="Fixes #1", link_text="Title\nFixes #1")
    assert fold([(by(), bare), (by("api"), full)]).link_text == "Title\nFixes #1"


def test_statements_of_different_facts_are_refused() -> None:
    with pytest.raises(ValueError, match="one source_id"):
        fold([(by(), stated()), (by(), stated(source_id="other"))])


_ACCOUNTS = st.none() | st.builds(
    Account,
    source=st.just("github"),
    source_id=st.sampled_from("78"),
    username=st.sampled_from([None, "", "ana"]),
    email=st.sampled_from([None, "a@x.org"]),
    email_verified=st.booleans(),
    kind=st.sampled_from(["unknown", "person"]),
)
_THINGS = st.builds(
    Thing,
    key=st.sampled_from(["a", "b"]),
    name=st.sampled_from([None, "A", "B"]),
    aliases=st.sampled_from([(), ("x",), ("y", "x")]),
)
_STATEMENTS = st.builds(
    stated,
    subject=st.builds(Thing, key=st.just("s"), aliases=st.sampled_from([(), ("x",), ("y",)])),
    title=st.sampled_from(["", "One", "Two"]),
    content=st.sampled_from(["", "Body", "Other"]),
    actor=_ACCOUNTS,
    updated_at=st.none() | st.sampled_from([T, T + timedelta(days=1)]),
    link_text=st.sampled_from([None, "", "text"]),
    paths=st.sampled_from([None, (), ("a.py",)]),
    metadata=st.dictionaries(st.sampled_from("kl"), st.sampled_from([None, "", 0, 1, False])),
    mentions=st.lists(
        st.builds(Mention, thing=_THINGS, role=st.sampled_from(["file", "text"])), max_size=3
    ).map(tuple),
    states=st.lists(
        st.builds(
            StateChange,
            thing=_THINGS,
            state_type=st.just("status"),
            value=st.sampled_from("pq"),
            at=st.just(T),
        ),
        max_size=2,
    ).map(tuple),
)
_STATED = st.tuples(
    st.builds(
        StatementSource,
        ingestion_source=st.sampled_from(["webhook", "api", "backfill", "manual"]),
        received_at=st.just(T),
        body_sha256=st.sampled_from([b"1", b"2"]),
    ),
    _STATEMENTS,
)


@given(st.lists(_STATED, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_order_and_repetition_change_nothing(
    statements: Sequence[tuple[StatementSource, Statement]], random: Random
) -> None:
    again = [*statements, random.choice(statements)]
    random.shuffle(again)
    assert fold(again) == fold(statements)
