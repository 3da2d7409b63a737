"""What a person decides about two identities outranks all evidence, in any order."""

from __future__ import annotations

from itertools import combinations
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from lightfast_pipelines.domain.people.decide import decide
from lightfast_pipelines.domain.people.identities import Decided, Decision, Identity
from tests.domain.test_people import git, github


def same(left: Identity, right: Identity) -> Decision:
    return Decision(left.key, right.key, "same")


def different(left: Identity, right: Identity) -> Decision:
    return Decision(left.key, right.key, "different")


def groups(decided: Decided) -> list[set[str]]:
    """The identity keys of those who are one, largest group first."""
    together = [{member.identity.key for member in actor.members} for actor in decided.actors]
    return sorted(together, key=lambda group: (-len(group), sorted(group)))


ANN = github("7", "ann")
LINEAR = Identity("linear", "u1", name="Ann Lee", email="ann@acme.dev", email_verified=True)
COMMIT = git("Ann Lee", "ann@acme.dev")
NOREPLY = git("Ann", "7+ann@users.noreply.github.com")


def test_a_decision_joins_accounts_of_two_providers_and_all_that_belongs_to_them() -> None:
    everybody = [ANN, NOREPLY, LINEAR, COMMIT]
    assert len(groups(decide("default", everybody))) == 2
    decided = decide("default", everybody, [same(NOREPLY, COMMIT), same(LINEAR, ANN)])
    assert groups(decided) == [{one.key for one in everybody}]
    memberships = {member.identity.key: member for member in decided.actors[0].members}
    assert memberships[COMMIT.key].method == "decision"
    assert memberships[COMMIT.key].joined_to == NOREPLY.key
    assert [each.rule for each in memberships[COMMIT.key].evidence] == [
        "decision",
        "commit_address",
    ]
    assert "ann@acme.dev" in memberships[COMMIT.key].evidence[1].detail


def test_a_decision_joins_whole_people_and_displaces_none_of_their_accounts() -> None:
    # The commit is Linear's Ann by its address; who accepts it as GitHub's ann accepts all of her.
    everybody = [ANN, NOREPLY, LINEAR, COMMIT]
    decided = decide("default", everybody, [same(NOREPLY, COMMIT)])
    assert groups(decided) == [{one.key for one in everybody}]
    assert decided.doubtful == []


def test_an_accepted_pair_leaves_all_other_evidence_as_it_was() -> None:
    bot = github("9", "bumper", kind="bot")
    bumps = git("bumper", "9+bumper@users.noreply.github.com")
    decided = decide("default", [ANN, NOREPLY, bot, bumps], [same(ANN, bot)])
    assert groups(decided) == [{ANN.key, NOREPLY.key, bot.key, bumps.key}]


def test_a_decision_keeps_two_identities_apart_that_a_provider_vouches_to_be_one() -> None:
    decided = decide("default", [ANN, NOREPLY], [different(ANN, NOREPLY)])
    assert groups(decided) == [{NOREPLY.key}, {ANN.key}]
    # They are decided, so nobody has to decide them again.
    assert decided.doubtful == []


def test_a_third_identity_stays_with_one_of_two_that_are_kept_apart() -> None:
    other = git("A. Lee", "ann@acme.dev")
    third = git("Lee", "ann@acme.dev")
    decided = decide("default", [COMMIT, other, third], [different(COMMIT, other)])
    assert sorted(map(len, groups(decided))) == [1, 2]


def test_different_outranks_same() -> None:
    decided = decide("default", [ANN, COMMIT, LINEAR], [same(ANN, COMMIT), different(COMMIT, ANN)])
    assert {ANN.key} in groups(decided)


def test_a_conflict_gives_way_at_its_weakest_evidence() -> None:
    # The account vouches for the noreply identity; the commit is joined by what it claims.
    claimed = git("Ann", "ann@acme.dev", username="ann", email_verified=True)
    identities = [ANN, NOREPLY, claimed, COMMIT]
    assert groups(decide("default", identities)) == [{one.key for one in identities}]
    decided = decide("default", identities, [different(NOREPLY, COMMIT)])
    assert groups(decided) == [{ANN.key, NOREPLY.key, claimed.key}, {COMMIT.key}]


def test_decisions_about_identities_that_are_gone_change_nothing() -> None:
    gone = git("Ben Oz", "ben@acme.dev")
    decisions = [same(COMMIT, gone), different(gone, LINEAR), same(COMMIT, COMMIT)]
    assert decide("default", [COMMIT, LINEAR], decisions) == decide("default", [COMMIT, LINEAR])


def test_an_address_that_only_one_provider_verified_is_listed_as_doubtful() -> None:
    github_ann = github("7", "ann", email="ann@acme.dev", email_verified=True)
    sentry = Identity("sentry", "9", name="Ann", email="ann@acme.dev")
    decided = decide("default", [github_ann, sentry])
    assert groups(decided) == [{github_ann.key}, {sentry.key}]
    (pair,) = decided.doubtful
    assert [(each.rule, each.kind) for each in pair.evidence] == [("stated_address", "claimed")]


_MANY = [
    *(ANN, NOREPLY, LINEAR, COMMIT, github("8", "ben"), git("Ben Oz", "ben@acme.dev")),
    git("Ann", "ann@acme.dev", username="ann", email_verified=True),
    git("Ben", "8+ben@users.noreply.github.com"),
    git("ben", "ben@acme.dev"),
]
_DECISIONS = st.lists(
    st.builds(
        lambda pair, verdict: Decision(pair[0].key, pair[1].key, verdict),
        st.sampled_from(list(combinations(_MANY, 2))),
        st.sampled_from(["same", "different"]),
    ),
    max_size=8,
)


@given(_DECISIONS, st.randoms())
def test_decisions_hold_and_any_order_gives_the_same_actors(
    decisions: list[Decision], random: Random
) -> None:
    decided = decide("default", _MANY, decisions)
    shuffled, mixed = list(_MANY), list(decisions)
    random.shuffle(shuffled)
    random.shuffle(mixed)
    turned = [Decision(each.right_key, each.left_key, each.verdict) for each in mixed]
    assert decide("default", shuffled, turned * 2) == decided
    actor_of = {
        member.identity.key: actor.id for actor in decided.actors for member in actor.members
    }
    for each in decisions:
        if each.verdict == "different":
            assert actor_of[each.left_key] != actor_of[each.right_key]
    if all(each.verdict == "same" for each in decisions):
        assert all(actor_of[each.left_key] == actor_of[each.right_key] for each in decisions)


@given(_DECISIONS, st.sampled_from(list(combinations(_MANY, 2))))
def test_an_accepted_and_then_undone_pair_leaves_the_actors_from_before(
    decisions: list[Decision], pair: tuple[Identity, Identity]
) -> None:
    left, right = pair
    others = [
        each for each in decisions if {each.left_key, each.right_key} != {left.key, right.key}
    ]
    before = decide("default", _MANY, others)
    actor_of = {
        member.identity.key: actor.id for actor in before.actors for member in actor.members
    }
    if actor_of[left.key] != actor_of[right.key]:
        after = decide("default", _MANY, [*others, different(left, right)])
        assert after.actors == before.actors
