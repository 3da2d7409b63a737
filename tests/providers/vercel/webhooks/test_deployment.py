"""What Vercel's events state: deployments, their states and their commits."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import permutations

import pytest
from msgspec.structs import replace

from lightfast_pipelines.domain.enrichment import enrich
from lightfast_pipelines.domain.events import Filtered, Lifecycle, Parked, Statement
from lightfast_pipelines.domain.folding import StatementSource, fold
from lightfast_pipelines.domain.serving import history
from lightfast_pipelines.domain.states import StateFact
from lightfast_pipelines.providers.vercel import PROVIDER
from tests.providers.vercel import payloads
from tests.providers.vercel.payloads import AT, MINUTE
from tests.providers.vercel.readings import edges, read, statement_of, states

ONE, TWO, PROJECT = "vercel:deployment:dpl_1", "vercel:deployment:dpl_2", "vercel:project:prj_1"


def timeline(found: list[Statement], key: str, state_type: str) -> list[str]:
    facts = [
        StateFact(s.value, s.at, s.rank, f.source_id, s.at, s.reason, s.metadata)
        for f in found
        for s in f.states
        if (s.thing.key, s.state_type) == (key, state_type)
    ]
    believed = [entry for entry in history(facts) if entry.superseded_at is None]
    return [one.value for one in sorted(believed, key=lambda one: one.valid_from)]


def test_a_deployment_that_fails_and_another_that_succeeds_are_four_observations() -> None:
    found = [
        statement_of(payloads.deployment("created", "dpl_1")),
        statement_of(payloads.deployment("error", "dpl_1", at=AT + MINUTE)),
        statement_of(payloads.deployment("created", "dpl_2", at=AT + 2 * MINUTE)),
        statement_of(payloads.deployment("succeeded", "dpl_2", at=AT + 3 * MINUTE)),
    ]
    assert len({one.source_id for one in found}) == 4
    assert {one.subject.key for one in found} == {ONE, TWO}
    for order in permutations(found):
        assert timeline(list(order), ONE, "status") == ["building", "failed"]
        assert timeline(list(order), TWO, "status") == ["building", "succeeded"]
        assert timeline(list(order), PROJECT, "live_deployment:production") == [TWO]


def test_ready_and_succeeded_are_one_transition_in_either_order() -> None:
    ready = statement_of(payloads.deployment("ready", at=AT + MINUTE))
    succeeded = statement_of(payloads.deployment("succeeded", at=AT + 2 * MINUTE))
    assert ready.source_id == succeeded.source_id == f"{ONE}|succeeded"
    stated = [
        (StatementSource("webhook", one.occurred_at, bytes([number])), one)
        for number, one in enumerate((ready, succeeded))
    ]
    assert fold(stated) == fold(stated[::-1])


def test_a_repeated_delivery_states_the_same() -> None:
    again = payloads.deployment("promoted", at=AT)
    assert statement_of(again) == statement_of(payloads.deployment("promoted", at=AT))
    later = statement_of(payloads.deployment("promoted", at=AT + MINUTE))
    assert later.source_id != statement_of(again).source_id


def test_a_rollback_ends_one_live_deployment_and_restores_another() -> None:
    story = [
        statement_of(payloads.deployment("succeeded", "dpl_1")),
        statement_of(payloads.deployment("promoted", "dpl_1", at=AT + 1000)),
        statement_of(payloads.deployment("succeeded", "dpl_2", at=AT + MINUTE)),
        statement_of(payloads.deployment("promoted", "dpl_2", at=AT + MINUTE + 1000)),
        statement_of(payloads.rollback("dpl_2", "dpl_1", AT + 2 * MINUTE)),
    ]
    assert timeline(story, PROJECT, "live_deployment:production") == [ONE, TWO, ONE]
    assert timeline(story, TWO, "status") == ["succeeded", "promoted", "rolled_back"]
    assert timeline(story, ONE, "status") == ["succeeded", "promoted"]
    rolled_back = story[-1]
    assert rolled_back.subject.key == TWO
    assert rolled_back.source_type == "deployment.rollback"
    assert edges(rolled_back) == {(TWO, "references", ONE), (TWO, "belongs_to", PROJECT)}


@pytest.mark.parametrize(
    ("target", "custom", "environment"),
    [
        ("production", None, "production"),
        ("staging", None, "staging"),
        (None, None, "preview"),
        (None, "env_1", "env_1"),
    ],
)
def test_the_environment_is_the_target_and_never_guessed(
    target: str | None, custom: str | None, environment: str
) -> None:
    payload = payloads.deployment("succeeded", target=target)
    payload["payload"]["deployment"]["customEnvironmentId"] = custom
    statement = statement_of(payload)
    assert statement.metadata["environment"] == environment
    live = {key[1]: value for key, value in states(statement).items() if key[0] == PROJECT}
    assert live == ({} if environment == "preview" else {f"live_deployment:{environment}": ONE})


@pytest.mark.parametrize(
    "transition", ["created", "ready", "error", "blocked", "canceled", "cleanup", "checks.failed"]
)
def test_a_deployment_that_does_not_succeed_never_goes_live(transition: str) -> None:
    found = [statement_of(payloads.deployment(transition))]
    assert timeline(found, PROJECT, "live_deployment:production") == []


def test_an_end_without_a_target_concerns_production() -> None:
    story = [
        statement_of(payloads.deployment("succeeded", "dpl_1")),
        statement_of(payloads.deployment("succeeded", "dpl_2", at=AT + MINUTE)),
    ]
    failed = payloads.deployment("checks.failed", "dpl_2", at=AT + 2 * MINUTE)
    preview = payloads.deployment("error", "dpl_1", target=None, at=AT + 3 * MINUTE)
    del failed["payload"]["target"]
    found = [*story, statement_of(failed), statement_of(preview)]
    assert timeline(found, PROJECT, "live_deployment:production") == [ONE]


def test_a_deployment_points_at_commit_branch_pull_request_and_project() -> None:
    git = payloads.meta(githubPrId="12", githubCommitRef="cart", githubCommitRepoId="77")
    statement = statement_of(payloads.deployment(git=git))
    assert edges(statement) == {
        (ONE, "deploys", f"github:commit:{payloads.sha('head')}"),
        (ONE, "on_branch", "github:branch:77:cart"),
        # The commit is of that branch whether or not its push ever arrives.
        (f"github:commit:{payloads.sha('head')}", "on_branch", "github:branch:77:cart"),
        (ONE, "references", "github:pr:1#12"),
        (ONE, "belongs_to", PROJECT),
    }
    assert {reference.type for reference in statement.references} == {
        *("commit", "branch", "pr", "deployment", "project")
    }
    assert statement.branch == "cart"


def test_a_pull_request_without_a_repository_id_is_named_by_its_repository() -> None:
    git = payloads.meta(githubPrId="12")
    del git["githubRepoId"], git["githubCommitRepoId"]
    all_edges = edges(statement_of(payloads.deployment(git=git)))
    assert (ONE, "references", "github:ref:acme/shop#12") in all_edges
    assert not any(relation == "on_branch" for _, relation, _ in all_edges)


@pytest.mark.parametrize("commit_sha", ["abc1234", "", "HEAD", "g" * 40])
def test_without_a_full_commit_id_a_deployment_deploys_no_commit(commit_sha: str) -> None:
    git = {**payloads.meta(), "githubCommitSha": commit_sha}
    all_edges = edges(statement_of(payloads.deployment(git=git)))
    assert not any(relation == "deploys" for _, relation, _ in all_edges)


def test_a_deployment_does_not_repeat_what_the_commits_message_closes() -> None:
    statement = statement_of(payloads.deployment())
    assert "Fixes acme/shop#5" in statement.content
    related = {edge.object.key for edge in enrich(statement).edges}
    assert related == {edge.object.key for edge in statement.edges}


def test_a_redeployment_references_the_original() -> None:
    git = payloads.meta(action="redeploy", originalDeploymentId="dpl_1")
    statement = statement_of(payloads.deployment(identity="dpl_2", git=git))
    (edge,) = [edge for edge in statement.edges if edge.type == "references"]
    assert (edge.object.key, edge.evidence) == (ONE, "redeploy")


def test_the_actor_is_the_account_and_the_author_comes_from_the_commit() -> None:
    statement = statement_of(payloads.deployment())
    assert statement.actor is not None
    assert (statement.actor.source, statement.actor.source_id) == ("vercel", "usr_1")
    assert statement.author is not None
    assert (statement.author.source, statement.author.source_id) == ("git", "Ada <ada@acme.test>")
    # Anybody can write these into a deployment: they vouch for no account and no address.
    assert statement.author.username is None
    assert statement.author.email_verified is False
    git = {**payloads.meta(), "githubCommitAuthorEmail": None}
    nameless = statement_of(payloads.deployment(git=git))
    assert nameless.author is None
    assert nameless.metadata["gitCommitAuthor"] == "Ada"


@pytest.mark.parametrize(
    ("transition", "title", "mark"),
    [
        ("created", "[Deployment Started] shop from main", ">"),
        ("succeeded", "[Deployment Succeeded] shop from main", "+"),
        ("error", "[Deployment Failed] shop from main", "x"),
        ("canceled", "[Deployment Canceled] shop from main", "!"),
        ("promoted", "[Deployment Promoted] shop from main", "+"),
        ("cleanup", "[Deployment Cleaned Up] shop from main", ">"),
        ("check-rerequested", "[Check Re-requested] shop from main", ">"),
    ],
)
def test_the_title_has_the_project_and_the_branch(transition: str, title: str, mark: str) -> None:
    statement = statement_of(payloads.deployment(transition))
    assert statement.title == title
    assert statement.content.startswith(f"{mark} ")
    assert "Add a cart" in statement.content
    assert statement.source_type == f"deployment.{transition}"
    assert statement.occurred_at == datetime(2024, 5, 2, 10, 0, tzinfo=UTC)


def test_checks_name_what_failed_and_a_rerequested_check_is_another_observation() -> None:
    checks = [{"name": "Lighthouse", "conclusion": "failed"}, {"name": "E2E"}]
    failed = statement_of(payloads.deployment("checks.failed", checks=checks))
    assert "Failed checks: Lighthouse" in failed.content
    again = [
        statement_of(payloads.deployment("check-rerequested", check={"id": identity}))
        for identity in ("chk_1", "chk_2")
    ]
    assert again[0].source_id != again[1].source_id


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("deployment", "created"),
        ("deployment-ready", "succeeded"),
        ("deployment-prepared", "ready"),
        ("deployment-error", "error"),
        ("deployment-canceled", "canceled"),
    ],
)
def test_replaced_names_of_events_mean_the_same_as_the_current_ones(old: str, new: str) -> None:
    payload = payloads.deployment(new)
    assert statement_of({**payload, "type": old}) == statement_of(payload)
    assert PROVIDER.sync_event(old, payload) == f"deployment.{new}"


@pytest.mark.parametrize("writer", ["github", "gitlab", "bitbucket", "git"])
def test_a_deployment_deploys_its_commit_from_any_source(writer: str) -> None:
    git = {
        f"{writer}CommitSha": payloads.sha("x"),
        f"{writer}CommitRef": "main",
        f"{writer}CommitMessage": "Add",
    }
    statement = statement_of(payloads.deployment(git=git))
    # Only GitHub's branches have keys, and without a repository's id not even they.
    assert edges(statement) == {
        (ONE, "belongs_to", PROJECT),
        (ONE, "deploys", f"github:commit:{payloads.sha('x')}"),
    }
    assert statement.branch == "main"
    assert statement.metadata["gitCommitSha"] == payloads.sha("x")


def test_the_apis_git_source_names_the_commit_where_meta_does_not() -> None:
    payload = payloads.deployment(git={"deployHookName": "nightly"})
    source = {"type": "github", "repoId": 7, "ref": "main", "sha": payloads.sha("x"), "prId": 12}
    payload["payload"]["deployment"]["gitSource"] = source
    all_edges = edges(statement_of(payload))
    assert (ONE, "deploys", f"github:commit:{payloads.sha('x')}") in all_edges
    assert (ONE, "on_branch", "github:branch:7:main") in all_edges
    assert (ONE, "references", "github:pr:7#12") in all_edges


@pytest.mark.parametrize(("dirty", "relation"), [("1", "references"), ("0", "deploys")])
def test_a_deployment_with_local_changes_does_not_deploy_the_commit(
    dirty: str, relation: str
) -> None:
    git = {"gitCommitSha": payloads.sha("x"), "gitCommitRef": "main", "gitDirty": dirty}
    all_edges = edges(statement_of(payloads.deployment(git=git)))
    commit = f"github:commit:{payloads.sha('x')}"
    assert {edge for edge in all_edges if edge[2] == commit} == {(ONE, relation, commit)}


@pytest.mark.parametrize(
    "why",
    [
        {
            "errorMessage": "The Deployment has been canceled as a result of running the command"
            ' defined in the "Ignored Build Step" setting.'
        },
        {"buildSkipped": True},
        {"errorCode": "BUILD_SKIPPED"},
        {"errorMessage": "Automatically canceled because a newer commit was pushed"},
        {"readyStateReason": "Skipped: the project is unaffected by this commit"},
    ],
)
def test_a_skipped_build_is_routine_and_a_canceled_one_is_not(why: dict[str, object]) -> None:
    payload = payloads.deployment("canceled")
    canceled = enrich(statement_of(payload)).significance_score
    payload["payload"]["deployment"] |= why
    skipped = statement_of(payload)
    assert skipped.title == "[Deployment Skipped] shop from main"
    assert skipped.source_id == f"{ONE}|canceled"
    assert enrich(skipped).significance_score < 25 < canceled
    live = [statement_of(payloads.deployment("promoted", "dpl_0", at=AT - MINUTE)), skipped]
    assert timeline(live, PROJECT, "live_deployment:production") == ["vercel:deployment:dpl_0"]


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("user", "person"),
        ("bot", "bot"),
        ("system", "bot"),
        ("integration", "bot"),
        (None, "unknown"),
    ],
)
def test_the_type_of_an_account_says_whether_it_is_a_person(said: str | None, kind: str) -> None:
    payload = payloads.deployment()
    payload["payload"]["user"] = {"id": "usr_1", "type": said}
    actor = statement_of(payload).actor
    assert actor is not None
    assert actor.kind == kind


def test_only_a_deployment_of_a_push_has_the_authors_name() -> None:
    git = payloads.meta(githubDeployment="1")
    by_push = statement_of(payloads.deployment(git=git)).actor
    assert by_push is not None
    assert (by_push.source_id, by_push.name, by_push.username) == ("usr_1", "Ada", None)
    others = [
        payloads.deployment(),
        payloads.deployment("promoted", git=git),
        payloads.deployment("canceled", git=git),
        payloads.deployment(git={**git, "action": "redeploy", "originalDeploymentId": "dpl_0"}),
        payloads.deployment(git={**git, "deployHookId": "hook"}),
    ]
    for payload in others:
        actor = statement_of(payload).actor
        assert actor is not None
        assert actor.name is None
    named = payloads.deployment(git=git)
    named["payload"]["user"]["username"] = "lovelace"
    actor = statement_of(named).actor
    assert actor is not None
    assert (actor.username, actor.name) == ("lovelace", None)


def test_a_new_project_is_an_observation_and_its_removal_a_lifecycle_event() -> None:
    created = statement_of(payloads.project())
    assert (created.source_id, created.source_type) == (f"{PROJECT}|created", "project.created")
    removed = read(payloads.project("removed"))
    assert isinstance(removed, Lifecycle)
    (event,) = removed.events
    assert (event.subject_kind, event.subject_id, event.change) == ("resource", "prj_1", "removed")
    renamed = read(payloads.project("renamed", name="store"))
    assert isinstance(renamed, Lifecycle)
    assert renamed.events[0].value == {"name": "store"}


def test_a_configuration_that_is_removed_takes_its_installation_with_it() -> None:
    reading = read(payloads.configuration())
    assert isinstance(reading, Lifecycle)
    (event,) = reading.events
    assert (event.subject_kind, event.subject_id) == ("installation", "icfg_1")
    assert event.change == "removed"
    assert "Vercel" in event.reason


def test_changed_permissions_give_and_take_projects() -> None:
    reading = read(
        payloads.configuration(
            "permission-upgraded", projects={"added": ["prj_2"], "removed": [{"id": "prj_1"}]}
        )
    )
    assert isinstance(reading, Lifecycle)
    assert [(event.subject_id, event.change) for event in reading.events] == [
        ("prj_2", "active"),
        ("prj_1", "removed"),
    ]
    assert isinstance(read(payloads.configuration("permission-upgraded")), Filtered)
    assert isinstance(read(payloads.configuration("scope-change-confirmed")), Filtered)


def test_an_unknown_type_and_one_that_contradicts_the_body_are_parked() -> None:
    assert isinstance(read(payloads.envelope("deployment.paused", {"x": 1})), Parked)
    assert isinstance(read(payloads.envelope("firewall.attack", {"x": 1})), Parked)
    assert isinstance(read(payloads.envelope("domain.created", {"x": 1})), Filtered)
    assert isinstance(PROVIDER.read("deployment.error", payloads.deployment("created")), Parked)


@pytest.mark.parametrize("field", ["createdAt", "payload"])
def test_a_delivery_without_time_or_content_is_parked(field: str) -> None:
    payload = payloads.deployment()
    del payload[field]
    assert isinstance(read(payload), Parked)
    payload = payloads.deployment()
    payload["payload"]["deployment"] = {}
    assert isinstance(read(payload), Parked)


def test_two_ids_of_one_event_differ_only_in_webhook_id() -> None:
    one = statement_of(payloads.deployment(event_id="evt_1"))
    other = statement_of(payloads.deployment(event_id="evt_2"))
    assert replace(one, metadata={**one.metadata, "webhookId": "evt_2"}) == other


def test_a_repository_of_an_enterprise_server_is_keyed_by_its_host() -> None:
    git = payloads.meta(githubHost="ghe.acme.dev", githubPrId="5", githubCommitRef="cart")
    all_edges = edges(statement_of(payloads.deployment(git=git)))
    assert (ONE, "references", "github:pr:1@ghe.acme.dev#5") in all_edges
    assert (ONE, "on_branch", "github:branch:1@ghe.acme.dev:cart") in all_edges
