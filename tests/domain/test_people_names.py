"""Who is who by names and logins: what one person writes in different ways, and what two people share."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.quality.people_gold import never_merged, read_identity
from lightfast_pipelines.domain.people.components import MOST_IDENTITIES
from lightfast_pipelines.domain.people.decide import decide
from lightfast_pipelines.domain.people.doubtful import MOST_DOUBTFUL
from lightfast_pipelines.domain.people.identities import Decided, Decision, Identity


def rule_that_joins(*written: str) -> str | None:
    """The evidence that makes all identities one; None if they are not one."""
    actors = decide("default", [read_identity(text) for text in written]).actors
    if len(actors) != 1:
        return None
    # The weakest link of the actor holds it together.
    return min(actors[0].members, key=lambda member: member.confidence).method


@pytest.mark.parametrize(
    ("left", "right", "rule"),
    [
        ("Ann Oakley <ann@acme.dev>", "Ann Oakley <oakley@home.org>", "full_name"),
        ("Ann Oakley <>", "ann  oakley <ann@acme.dev>", "full_name"),
        ("Ann Oakley <root@localhost>", "Ann Oakley <ann@acme.dev>", "full_name"),
        ("Zoë Strauß <z@acme.de>", "Zoe Strauss <zs@home.de>", "name_spelling"),
        ("Jörgen Ståhl <j@acme.se>", "Joergen Staahl <js@home.se>", "name_spelling"),
        ("Jörgen Ståhl <j@acme.se>", "JÃ¶rgen StÃ¥hl <js@home.se>", "name_spelling"),
        ("Łukasz Żądło <l@acme.pl>", "Lukasz Zadlo <lz@home.pl>", "name_spelling"),
        ("Søren Bæk <s@acme.dk>", "Soren Baek <sb@home.dk>", "name_spelling"),
        ("Mia Ragan-Falk <m@acme.dev>", "Mia Ragan Falk <mrf@home.org>", "name_spelling"),
        ("mia.falk <mia@acme.dev>", "Mia Falk <mf@home.org>", "name_spelling"),
        ("MiaFalk <mia@acme.dev>", "Mia Falk <mf@home.org>", "name_spelling"),
        ("Mia Falk (Acme) <mia@acme.dev>", "Mia Falk <mf@home.org>", "name_spelling"),
        ("Oakley, Ann <ann@acme.dev>", "Ann Oakley <ao@home.org>", "name_order"),
        ("Ann B. Oakley <ann@acme.dev>", "Ann Oakley <ao@home.org>", "middle_name"),
        ("Ann B. Oakley <ann@acme.dev>", "Ann Beth Oakley <ao@home.org>", "middle_name"),
        ("H. Ann Oakley <ann@acme.dev>", "Ann Oakley <ao@home.org>", "middle_name"),
        # Generic words that are names too
        ("Travis Oakley <travis@acme.dev>", "Travis A. Oakley <to@home.org>", "middle_name"),
        ("Nil Oakley <nil@acme.dev>", "Nil Oakley <no@home.org>", "full_name"),
        ("Ann Jenkins <ann@acme.dev>", "Ann Jenkins <aj@home.org>", "full_name"),
        ("Ann Root <ann@acme.dev>", "Ann Root <ar@home.org>", "full_name"),
        ("Nil Null <ann@acme.dev>", "Nil Null <ben@beta.io>", None),
        ("Acme Jenkins <builds@acme.dev>", "Acme Jenkins <ci@beta.io>", None),
        ("Jenkins Acme <builds@acme.dev>", "Jenkins Acme <ci@beta.io>", None),
        ("Travis CI <builds@acme.dev>", "Travis CI <travis@beta.io>", None),
        ("Travis Build <builds@acme.dev>", "Travis Build <travis@beta.io>", None),
        ("travis-acme <builds@acme.dev>", "travis-acme <travis@beta.io>", None),
        ("Charlie Root <charlie@acme.dev>", "Charlie Root <cr@beta.io>", None),
        ("Acme Root <acme@acme.dev>", "Acme Root <ar@beta.io>", None),
        # One login
        ("Ann Oakley <falcon77@acme.dev>", "falcon77 <falcon77@home.org>", "login"),
        ("falcon77 <>", "Ann Oakley <falcon77@acme.dev>", "name_is_login"),
        (
            "falcon77 <ann@acme.dev>",
            "A. Oakley <falcon77@users.noreply.github.com>",
            "name_is_login",
        ),
        ("Ann <falcon77@acme.dev>", "Ann Oakley <falcon77@home.org>", "login"),
        ("stonebig <>", "stonebig <stonebig34@gmail.com>", "name_is_login"),
        ("Ann Oakly <falcon77@acme.dev>", "Ann Oakley <falcon77@home.org>", "login"),
        ("John Smith <jsmith@acme.dev>", "John Smith <jsmith@home.org>", "common_name_and_handle"),
        ("David Brown <git@dbx.org>", "David Brown <dbx@acme.dev>", None),
        ("David Brown <git@davidb.org>", "David Brown <davidb@acme.dev>", "name_and_site"),
        # One login, or one person, at a company
        ("hpa <hpa@build7.acme.dev>", "hpa <hpa@mail.acme.dev>", "login_at_company"),
        ("David Brown <db@acme.dev>", "David Brown <brown@acme.dev>", "name_and_company"),
        ("Bob Falk <bob@acme.dev>", "Robert Falk <rf@acme.dev>", "short_name_supported"),
        ("Ann Oakly <ann@acme.dev>", "Ann Oakley <ao@acme.dev>", "misspelled_supported"),
        # A login that is made of a name
        ("Ann Oakley <ann@acme.dev>", "annoakley <>", "whole_name_form"),
        ("Ann Oakley <ao@acme.dev>", "Ann <ann.oakley@home.org>", "whole_name_form"),
        ("Ann Oakley <ao@acme.dev>", "aoakley <zed@home.org>", "initial_form"),
        ("Jorgen Stenarson <js@acme.se>", "jstenars <>", "cut_form"),
        ("Ann de la Oak-Berg <x@acme.dev>", "anndlob <>", "initial_form"),
        ("David Brandeis <d@acme.dev>", "davidb <>", None),
        # The same placeholder for an address says no less than two different ones
        ("Ann Oakley <root@localhost>", "aoakley <root@localhost>", "initial_form"),
        ("Ann Oakley <root@localhost>", "aoakley <root@(none)>", "initial_form"),
        ("Ann Oakley <falcon77@localhost>", "falcon77 <falcon77@localhost>", "login"),
        ("Ann Oakley <falcon77@localhost>", "falcon77 <falcon77@(none)>", "login"),
        ("Ann Oakley <falcon77@localhost>", "Ben Falk <falcon77@localhost>", None),
        ("Ann Oakley <build@acme.dev>", "aoakley <build@acme.dev>", None),
        # One mailbox
        ("Ann <ann.oakley+git@gmail.com>", "Zed <annoakley@googlemail.com>", "commit_address"),
        ("Ann Oakley <me@oakley.dev>", "云中君 <me@oakley.dev>", "commit_address"),
        ("ann.oakley@acme.dev <>", "A <ann.oakley@acme.dev>", "commit_address"),
        ("Ann Oakley <hello@annoakley.dev>", "zed9 <hello@annoakley.dev>", "commit_address"),
        ("Ann Oakley <zed9@box.lan>", "zed9 <zed9@box.lan>", "machine_address"),
        # An account of GitHub by its login
        ("github:7; login=annoakley", "Ann Oakley <ann@acme.dev>", "whole_name_form"),
        ("github:7; login=falcon77; name=Ann Oakley", "Ann <falcon77@home.org>", "login"),
        ("github:7; login=ann; name=Ann Oakley", "Ann Oakley <ann@acme.dev>", None),
    ],
)
def test_what_one_person_writes_in_different_ways_is_one_person(
    left: str, right: str, rule: str | None
) -> None:
    assert rule_that_joins(left, right) == rule
    assert rule_that_joins(right, left) == rule


@pytest.mark.parametrize(("left", "right", "why"), never_merged())
def test_a_pair_that_must_never_merge_stays_apart(
    left: Identity, right: Identity, why: str
) -> None:
    assert left.key != right.key
    assert len(decide("default", [left, right]).actors) == 2, why


def test_pairs_that_must_never_merge_stay_apart_in_one_crowd() -> None:
    commits = [pair for pair in never_merged() if not (pair[0].is_account or pair[1].is_account)]
    assert len(commits) > 100
    decided = decide("default", [one for pair in commits for one in pair[:2]])
    actor_of = {
        member.identity.key: actor.id for actor in decided.actors for member in actor.members
    }
    for left, right, why in commits:
        assert actor_of[left.key] != actor_of[right.key], (left.key, right.key, why)


def test_a_name_between_two_middle_names_joins_neither() -> None:
    written = (
        "Ann B. Oakley <ab@acme.dev>",
        "Ann C. Oakley <ac@home.org>",
        "Ann Oakley <ao@x.io>",
    )
    decided = decide("default", [read_identity(text) for text in written])
    assert len(decided.actors) == 3
    assert {pair.evidence[0].rule for pair in decided.doubtful} == {"open_middle_name"}


def test_a_login_that_two_names_give_joins_neither() -> None:
    written = ("Ann Oakley <a@acme.dev>", "Abel Oakley <b@acme.dev>", "aoakley <>")
    decided = decide("default", [read_identity(text) for text in written])
    assert len(decided.actors) == 3
    assert {pair.evidence[0].rule for pair in decided.doubtful} == {"open_form"}


def test_an_address_with_two_names_known_from_elsewhere_does_not_make_them_one() -> None:
    written = (
        "Ann Oakley <ann@acme.dev>",
        "A. Oakley <ann@acme.dev>",
        "Ann Oakley <ao@home.org>",
        # Committed once with the address of Ann.
        "Ben Falk <ann@acme.dev>",
        "Ben Falk <ben@acme.dev>",
    )
    by_written = {read_identity(text).key: text for text in written}
    decided = decide("default", [read_identity(text) for text in written])
    groups = [{by_written[m.identity.key] for m in actor.members} for actor in decided.actors]
    assert {written[4]} in groups
    assert {written[0], written[1], written[2]} <= max(groups, key=len)


@pytest.mark.parametrize("nowhere", ["", "root@localhost"])
def test_a_placeholder_is_no_other_address_from_which_somebody_is_known(nowhere: str) -> None:
    ann = ("Ann Oakley <ann@acme.dev>", "A. Oakley <ann@acme.dev>")
    ben = ("Ben Falk <ann@acme.dev>", f"Ben Falk <{nowhere}>")
    decided = decide("default", [read_identity(text) for text in (*ann, *ben)])
    assert _groups(decided) == {
        frozenset(read_identity(text).key for text in written) for written in (ann, ben)
    }
    assert [pair.evidence[0].rule for pair in decided.doubtful] == ["contested_address"]


def test_an_address_of_two_names_that_nobody_else_has_is_a_team_and_to_be_reviewed() -> None:
    written = ("Ann Oakley <checkout@acme.dev>", "Ben Falk <checkout@acme.dev>")
    decided = decide("default", [read_identity(text) for text in written])
    assert len(decided.actors) == 2
    assert [pair.evidence[0].rule for pair in decided.doubtful] == ["contested_address"]


def test_a_changed_family_name_at_one_address_is_one_person() -> None:
    assert rule_that_joins(
        "Ann Oakley <ann@acme.dev>",
        "Ann Oakley <ao@home.org>",
        "Ann Falk <ann@acme.dev>",
        "Ann Falk <af@home.org>",
    )


def test_a_name_of_two_accounts_joins_neither_and_says_so() -> None:
    written = (
        "github:7; login=falcon77; name=Ann Oakley",
        "github:9; login=eagle99; name=Ann Oakley",
        "Ann Oakley <ann@acme.dev>",
    )
    decided = decide("default", [read_identity(text) for text in written])
    assert len(decided.actors) == 3
    assert {pair.evidence[0].rule for pair in decided.doubtful} == {"account_name"}


def test_doubtful_pairs_come_with_their_evidence_the_most_certain_first() -> None:
    written = (
        "linear:u1; name=Ann Oakley; verified=ann@acme.dev",
        "github:7; login=ann; name=Ann Oakley",
        "John Smith <john@acme.dev>",
        "John Smith <js@home.org>",
    )
    doubtful = decide("default", [read_identity(text) for text in written]).doubtful
    assert [(pair.evidence[0].rule, pair.confidence) for pair in doubtful] == [
        ("account_name", 0.8),
        ("common_name", 0.5),
    ]
    assert "Ann Oakley" in doubtful[0].evidence[0].detail


def test_a_component_that_grows_beyond_all_measure_stops_and_becomes_doubtful() -> None:
    crowd = [
        read_identity(f"Ann Oakley <ann@host{number}.org>")
        for number in range(MOST_IDENTITIES + 20)
    ]
    decided = decide("default", crowd)
    assert max(len(actor.members) for actor in decided.actors) == MOST_IDENTITIES
    assert {pair.evidence[0].rule for pair in decided.doubtful} == {"full_name"}


@pytest.mark.parametrize(
    "written",
    [
        "John Smith <john@host{}.org>",
        "Ann{} <team@acme.dev>",
        "john <john@host{}.acme.dev>",
        "dragonfly <dragonfly@host{}.org>",
        "linear:u{}; name=Ann Oakley; email=ann@acme.dev",
    ],
)
def test_evidence_that_thousands_share_makes_no_list_of_their_pairs(written: str) -> None:
    crowd = [read_identity(written.format(number)) for number in range(3_000)]
    decided = decide("default", crowd)
    assert sum(len(actor.members) for actor in decided.actors) == 3_000
    assert len(decided.doubtful) <= MOST_DOUBTFUL


_WRITTEN = [text for left, right, _ in never_merged() for text in (left, right)]
_RELATED = [
    read_identity(text)
    for text in (
        *("Ann Oakley <ann@acme.dev>", "Oakley Ann <ao@home.org>", "aoakley <>"),
        *("Ann <aoakley@home.org>", "Ann B. Oakley <ab@x.io>", "Ben Falk <ann@acme.dev>"),
        *("Ben Falk <ben@acme.dev>", "falcon77 <falcon77@home.org>", "Ben <falcon77@acme.dev>"),
        *("github:7; login=aoakley; name=Ann Oakley", "github:9; login=falcon77"),
        *("linear:u1; name=Ann Oakley; verified=ann@acme.dev", "Bob Falk <bob@acme.dev>"),
    )
]
_SOME = st.lists(
    st.sampled_from([*_RELATED, *_WRITTEN]), max_size=20, unique_by=lambda one: one.key
)


@given(_SOME, st.randoms())
def test_any_order_gives_the_same_actors_and_doubts(
    identities: list[Identity], random: Random
) -> None:
    shuffled = list(identities)
    random.shuffle(shuffled)
    assert decide("default", shuffled * 2) == decide("default", identities)


@given(_SOME)
def test_an_unrelated_identity_changes_nothing_elsewhere(identities: list[Identity]) -> None:
    before = decide("default", identities)
    stranger = read_identity("Quillon Xarvester <qx@zzyzx-works.net>")
    after = decide("default", [*identities, stranger])
    assert [a for a in after.actors if a.display_name != stranger.name] == before.actors
    assert after.doubtful == before.doubtful


@given(_SOME)
def test_to_confirm_what_was_decided_changes_nobody(identities: list[Identity]) -> None:
    decided = decide("default", identities)
    joined = [
        Decision(member.identity.key, member.joined_to, "same")
        for actor in decided.actors
        for member in actor.members
        if member.joined_to is not None
    ]
    apart = [Decision(pair.left.key, pair.right.key, "different") for pair in decided.doubtful]
    again = decide("default", identities, joined + apart)
    assert _groups(again) == _groups(decided)
    assert again.doubtful == []


def _groups(decided: Decided) -> set[frozenset[str]]:
    return {frozenset(member.identity.key for member in actor.members) for actor in decided.actors}


@given(_SOME)
def test_claims_never_make_one_actor_of_two_accounts(identities: list[Identity]) -> None:
    for actor in decide("default", identities).actors:
        accounts = [member for member in actor.members if member.identity.is_account]
        if len(accounts) > 1:
            assert {evidence.kind for member in accounts for evidence in member.evidence} >= {
                "verified"
            }
