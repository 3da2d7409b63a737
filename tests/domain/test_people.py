"""Who is who: what joins two identities, what must not, and that order does not matter."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.people.clues import read_clues
from lightfast_pipelines.domain.people.decide import decide
from lightfast_pipelines.domain.people.handle_evidence import handle_bonds
from lightfast_pipelines.domain.people.identities import Actor, Identity


def git(name: str, email: str, **fields: object) -> Identity:
    source_id = keys.git_identity(name, email)
    return Identity("git", source_id, name=name, email=email, **fields)  # type: ignore[arg-type]


def github(number: str, login: str, **fields: object) -> Identity:
    return Identity("github", number, username=login, **fields)  # type: ignore[arg-type]


def people(*identities: Identity) -> list[set[str]]:
    """Names of those who are one, largest group first."""
    groups = [
        {m.identity.username or m.identity.name or "" for m in actor.members}
        for actor in decide("default", identities).actors
    ]
    return sorted(groups, key=lambda group: (-len(group), sorted(group)))


def test_one_address_is_one_person_whatever_name_it_commits_with() -> None:
    assert people(git("Ann Lee", "Ann@x.io"), git("ann", "ann@x.io"), git("ann", "ann@y.io")) == [
        {"Ann Lee", "ann"},
        {"ann"},
    ]


@pytest.mark.parametrize(
    "address",
    [
        *("", "root@localhost", "you@example.com", "noreply@github.com", "no-reply@acme.dev"),
        *("ubuntu@ip-10-0-0-12.ec2.internal", "ec2-user@ec2-3-4-5-6.compute-1.amazonaws.com"),
        *("user@DESKTOP-ABC.local", "ann@build.lan", "root@(none)", "dev@shop.(none)"),
        *("pi@192.168.0.7", "runner@fv-az12.internal.cloudapp.net", "your.email@acme.dev"),
        # One team, or one machine: many people.
        *("dev@acme.dev", "ubuntu@shop.acme.dev", "user@DESKTOP-ABC", "jenkins@ci.acme.dev"),
        # A mailing list's.
        *(
            "acme@googlegroups.com",
            "netdev@vger.kernel.org",
            "a@lists.acme.dev",
            "gcc-devel@gnu.org",
        ),
    ],
)
def test_placeholder_and_shared_addresses_join_nobody(address: str) -> None:
    assert len(people(git("Ann", address), git("Ben", address))) == 2
    account = github("7", "ann", name="Ann", email=address, email_verified=True)
    assert {"Ben"} in people(account, git("Ben", address))


def test_equal_generic_names_join_nobody() -> None:
    for name in ("dave", "root", "admin", "Your Name", "unknown", "Jenkins"):
        alike = [git(name, f"{name.split()[0]}@{host}.dev") for host in ("alpha", "beta")]
        assert len(people(*alike)) == 2, name


def test_a_noreply_address_of_a_login_that_an_enterprise_manages_is_that_account() -> None:
    address = "7+ann_acme@users.noreply.github.com"
    assert people(github("7", "ann_acme"), git("Ann", address)) == [{"ann_acme", "Ann"}]


def test_a_shared_address_joins_only_identities_with_one_name() -> None:
    assert people(
        git("Ann Lee", "dev@acme.dev"),
        git("ann", "dev@acme.dev"),
        git("Ben Oz", "dev@acme.dev"),
    ) == [{"Ann Lee", "ann"}, {"Ben Oz"}]
    # Which Ann she is nobody can say.
    three = [git(name, "dev@acme.dev") for name in ("Ann Lee", "Ann Kim", "Ann")]
    assert len(people(*three)) == 3


def test_an_address_with_many_names_joins_nobody() -> None:
    team = [git(name, "team@x.io") for name in ("Ann", "Ben", "Cleo", "Dan")]
    assert len(people(*team)) == 4
    relayed = [git(f"{name} via Relay", "relay@x.io") for name in ("Ann", "Ben")]
    assert len(people(*relayed)) == 2


def test_a_noreply_address_is_its_account() -> None:
    ann = github("7", "ann-lee", kind="person")
    assert people(
        ann,
        git("Ann", "7+old-login@users.noreply.github.com"),
        git("A. Lee", "Ann-Lee@users.noreply.github.com"),
        git("Ben", "ben@users.noreply.github.com"),
    ) == [{"ann-lee", "Ann", "A. Lee"}, {"Ben"}]


def test_a_login_that_two_accounts_have_had_joins_neither() -> None:
    assert people(
        git("One", "1+ann@users.noreply.github.com"),
        git("Two", "2+ann@users.noreply.github.com"),
        git("Who", "ann@users.noreply.github.com"),
    ) == [{"One"}, {"Two"}, {"Who"}]


def test_the_login_that_github_puts_beside_an_address_joins_that_address_to_the_account() -> None:
    assert people(
        github("7", "ann"),
        git("Ann Lee", "ann@x.io", username="ann", email_verified=True),
        git("A. Lee", "ann@x.io"),
    ) == [{"ann", "A. Lee"}]


def test_a_claimed_address_never_joins_two_accounts() -> None:
    identities = [
        github("7", "ann"),
        github("8", "ben"),
        git("Ann", "shared@x.io", username="ann", email_verified=True),
        git("Ben", "shared@x.io", username="ben", email_verified=False),
    ]
    assert people(*identities) == [{"ann"}, {"ben"}]


def test_a_verified_address_joins_accounts_of_two_providers_and_a_claimed_one_does_not() -> None:
    verified = Identity("linear", "u1", name="Ann L", email="ann@x.io", email_verified=True)
    claimed = Identity("linear", "u2", name="Ann C", email="ann@x.io")
    ann = github("7", "ann", email="ann@x.io", email_verified=True)
    assert people(verified, ann, claimed) == [{"Ann L", "ann"}, {"Ann C"}]


def test_an_account_without_a_server_is_the_one_of_the_same_name_and_number() -> None:
    ann = Identity("sentry", "1@sentry.acme.dev", name="Ann Lee")
    other = Identity("sentry", "1@sentry.beta.dev", name="Zed")
    told = [ann, other, Identity("sentry", "1", name="ann lee")]
    assert people(*told) == [{"Ann Lee", "ann lee"}, {"Zed"}]
    assert people(ann, Identity("sentry", "1", name="Mira")) == [{"Ann Lee"}, {"Mira"}]


def test_identities_of_a_bot_become_one_bot_and_join_no_person() -> None:
    app = github("49", "dependabot[bot]", kind="bot")
    commits = git("dependabot[bot]", "49+dependabot[bot]@users.noreply.github.com")
    person = git("Ann", "49+dependabot[bot]@users.noreply.github.com")
    actors = decide("default", [app, commits, git("Ann", "ann@x.io")]).actors
    assert sorted((actor.kind, len(actor.members)) for actor in actors) == [
        ("bot", 2),
        ("unknown", 1),
    ]
    assert person.is_bot  # the address says so, whatever the name does


def test_the_best_name_is_a_full_name_and_the_id_comes_from_the_smallest_key() -> None:
    one = decide(
        "default", [github("7", "ann"), git("Ann Lee", "7+ann@users.noreply.github.com")]
    ).actors
    assert [(actor.display_name, len(actor.members)) for actor in one] == [("Ann Lee", 2)]
    other = decide("another", [github("7", "ann")]).actors
    assert one[0].id != other[0].id
    assert [m.method for m in one[0].members] == ["account_id", "account_id"]


def _kinds(*identities: Identity) -> dict[str, str]:
    """The kind of the actor of each identity, by the identity's key."""
    return {
        member.identity.key: actor.kind
        for actor in decide("default", identities).actors
        for member in actor.members
    }


def test_all_identities_of_a_bots_account_are_that_bot_whatever_their_names() -> None:
    app = github("55", "Helper", kind="bot")
    identities = [
        app,
        git("helper-agent[bot]", "55+Helper@users.noreply.github.com"),
        git("Helper", "55+Helper@users.noreply.github.com"),
        git("Some Name", "55+old-name@users.noreply.github.com"),
        git("Helper", "helper@users.noreply.github.com"),
        git("Helping", "assistant@acme.dev", username="Helper", email_verified=True),
        git("Helped", "assistant@acme.dev"),
    ]
    (actor,) = decide("default", [*identities]).actors
    assert (actor.kind, len(actor.members)) == ("bot", 7)
    # What is not known yet is decided as soon as the provider says it.
    assert _kinds(*identities[2:4]) == {one.key: "unknown" for one in identities[2:4]}
    people_too = _kinds(*identities, git("Ann Lee", "ann@acme.dev"))
    assert people_too["git:Ann Lee <ann@acme.dev>"] == "unknown"


def test_a_robots_user_account_with_a_persons_address_does_not_make_her_a_robot() -> None:
    robot = github("8", "acme-bot", kind="person", email="ann@acme.dev", email_verified=True)
    member = Identity("linear", "u1", name="Ann", email="ann@acme.dev", email_verified=True)
    ann = git("Ann Lee", "ann@acme.dev")
    kinds = _kinds(robot, member, ann)
    assert kinds == {"github:8": "bot", "linear:u1": "unknown", ann.key: "unknown"}
    assert _kinds(robot, ann)[ann.key] == "unknown"


def test_an_identity_with_an_agents_address_is_no_person() -> None:
    agents = [
        git("Claude", "noreply@anthropic.com"),
        git("Claude Opus", "noreply@anthropic.com"),
        git("GitHub Enterprise", "noreply@ghe.acme.dev"),
        git("Renovate Bot", "renovate@whitesourcesoftware.com"),
    ]
    assert set(_kinds(*agents).values()) == {"bot"}


_NAMES = st.sampled_from(["Ann Lee", "ann", "Ben", "Ben via Relay", "robot[bot]", ""])
_EMAILS = st.sampled_from(
    [
        "ann@x.io",
        "ANN@x.io",
        "ben@x.io",
        "7+ann@users.noreply.github.com",
        "ann@users.noreply.github.com",
        "8+ann@users.noreply.github.com",
        "root@localhost",
        "",
    ]
)
_ACCOUNTS = st.builds(
    Identity,
    source=st.sampled_from(["github", "linear"]),
    source_id=st.sampled_from(["7", "8", "9"]),
    username=st.sampled_from(["ann", "ben", "robot[bot]", None]),
    email=_EMAILS,
    kind=st.sampled_from(["person", "bot", "organization", "unknown"]),
    email_verified=st.booleans(),
)
_COMMITS = st.builds(
    lambda name, email, username: git(
        name, email, username=username, email_verified=bool(username)
    ),
    _NAMES,
    _EMAILS,
    st.sampled_from([None, "ann", "ben"]),
)


def _unique(identities: list[Identity]) -> list[Identity]:
    return list({identity.key: identity for identity in identities}.values())


def _comparable(actors: list[Actor]) -> object:
    return [(a.id, a.display_name, a.kind, a.members) for a in actors]


@given(st.lists(st.one_of(_ACCOUNTS, _COMMITS), max_size=12).map(_unique), st.randoms())
def test_any_order_gives_the_same_people_with_each_identity_once(
    identities: list[Identity], random: object
) -> None:
    shuffled = list(identities)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    actors = decide("default", identities).actors
    assert _comparable(actors) == _comparable(decide("default", shuffled * 2).actors)
    members = [member.identity.key for actor in actors for member in actor.members]
    assert sorted(members) == sorted(identity.key for identity in identities)


@given(st.lists(st.one_of(_ACCOUNTS, _COMMITS), max_size=12).map(_unique))
def test_bots_and_people_are_never_one(identities: list[Identity]) -> None:
    for actor in decide("default", identities).actors:
        accounts = [member.identity for member in actor.members if member.identity.source != "git"]
        assert len({account.is_bot for account in accounts}) <= 1
        if any(member.identity.is_bot for member in actor.members):
            assert actor.kind == "bot"


def test_a_login_that_was_given_up_and_taken_over_names_neither_account() -> None:
    before = github("5", "mira-old", logins=("mira", "mira-old"))
    assert people(before, git("Mira", "mira@acme.dev", username="mira")) == [{"mira-old", "mira"}]
    taken = github("9", "mira")
    assert sorted(map(len, people(before, taken, git("M", "m@acme.dev", username="mira")))) == [
        *(1, 1, 1)
    ]


def test_an_address_and_a_login_of_one_host_name_no_account_of_another() -> None:
    host = "users.noreply.ghe.acme.dev"
    assert people(
        github("5", "zed"), github("5@ghe.acme.dev", "mira"), git("Mira", f"5+mira@{host}")
    ) == [{"mira", "Mira"}, {"zed"}]


def test_evidence_of_several_handles_is_told_in_their_order() -> None:
    # Sets of texts have another order in each process: with eight, they hardly ever have this one.
    handles = [f"{letter}falcon{letter}" for letter in "abcdefgh"]
    pair = [git("Ann Oakley", f"ann@{host}.dev") for host in ("acme", "beta")]
    clues = [replace(read_clues(identity), logins=frozenset(handles)) for identity in pair]
    bonds = handle_bonds(pair, clues, ())
    assert [made.evidence.detail for made in bonds] == [f"both use {each}" for each in handles]
