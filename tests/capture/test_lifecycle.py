"""What providers say of connections and resources themselves: the latest by their clock wins, whichever
comes first, an operator can read why, and nothing that is stored changes by it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import permutations
from random import Random
from typing import Any

import pytest

from lightfast_pipelines.domain.events import Filtered
from lightfast_pipelines.inbox.requeue import requeue_days
from lightfast_pipelines.providers import discover
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.deliveries import Delivery
from lightfast_pipelines.store.digest import digest_lines
from lightfast_pipelines.store.installations import add_installation
from lightfast_pipelines.store.linked_resources import (
    add_workspace,
    link_resource,
    list_integrations,
)
from tests.capture.deliveries import NOW, capture_all, delivery, one, receive, rows
from tests.capture.provider_deliveries import provider_delivery
from tests.providers.github import payloads as github
from tests.providers.linear import payloads as linear
from tests.providers.sentry import payloads as sentry
from tests.providers.vercel import payloads as vercel
from tests.providers.vercel.payloads import AT, MINUTE

Json = dict[str, Any]
# What an operator reads of the link: its name, its status, and why that is so.
Read = tuple[str | None, str, str | None]
Happened = Sequence[tuple[str, str, Json]]


def _day(number: int) -> str:
    return f"2024-05-{number:02}T00:00:00Z"


def _installed(action: str, day: int, *, names: bool = True, suspended: bool = False) -> Json:
    return {
        "action": action,
        "installation": {
            "id": 7,
            "account": {"login": "acme", "id": 70},
            "created_at": _day(1),
            "updated_at": _day(day),
            "suspended_at": _day(day) if suspended else None,
        },
        "repositories": [{"id": 1, "name": "shop", "full_name": "acme/shop"}] if names else [],
        "sender": github.user(),
    }


def _repositories(action: str) -> Json:
    return {
        "action": action,
        "installation": {"id": 7, "account": {"login": "acme", "id": 70}},
        "repository_selection": "selected",
        f"repositories_{action}": [{"id": 1, "name": "shop", "full_name": "acme/shop"}],
        "repositories_removed" if action == "added" else "repositories_added": [],
        "sender": github.user(),
    }


def _repository(action: str, day: int, name: str = "acme/shop", **more: Any) -> Json:
    return {
        "action": action,
        "repository": github.repository(name, 1, updated_at=_day(day), **more),
        "sender": github.user(),
    }


def _vercel(minute: int, payload: Json) -> tuple[str, str, Json]:
    moved = {**payload, "createdAt": AT + minute * MINUTE, "id": f"evt_{minute}"}
    return ("vercel", payload["type"], moved)


def _access(minute: int, **teams: list[str]) -> tuple[str, str, Json]:
    payload = {
        "type": "PermissionChange",
        "action": "teamAccessChanged",
        "organizationId": "org-1",
        "createdAt": f"2024-05-02T12:{minute:02}:00.000Z",
        **teams,
    }
    return ("linear", "PermissionChange", payload)


# Of which installation, which resource, what happened in order, and what is read after all of it.
STORIES: dict[str, tuple[str, str, str, Happened, Read]] = {
    "installed": (
        "github", "7", "1",
        [("github", "installation", _installed("created", 1))],
        ("acme/shop", "active", None),
    ),
    "uninstalled": (
        "github", "7", "1",
        [
            ("github", "installation", _installed("created", 1)),
            ("github", "installation", _installed("deleted", 1)),
        ],
        ("acme/shop", "removed", "GitHub: resource uninstalled with its installation"),
    ),
    "uninstalled, naming no repository": (
        "github", "7", "1",
        [("github", "installation", _installed("deleted", 1, names=False))],
        (None, "revoked", "GitHub: installation deleted"),
    ),
    "suspended": (
        "github", "7", "1",
        [
            ("github", "installation", _installed("created", 1)),
            ("github", "installation", _installed("suspend", 2, suspended=True)),
        ],
        ("acme/shop", "error", "GitHub: installation suspend"),
    ),
    "suspended and unsuspended": (
        "github", "7", "1",
        [
            ("github", "installation", _installed("suspend", 2, suspended=True)),
            ("github", "installation", _installed("unsuspend", 3)),
        ],
        ("acme/shop", "active", None),
    ),
    "suspended again": (
        "github", "7", "1",
        [
            ("github", "installation", _installed("suspend", 2, suspended=True)),
            ("github", "installation", _installed("unsuspend", 3)),
            ("github", "installation", _installed("suspend", 4, suspended=True)),
        ],
        ("acme/shop", "error", "GitHub: installation suspend"),
    ),
    "repository taken from the installation": (
        "github", "7", "1",
        [
            ("github", "installation_repositories", _repositories("added")),
            ("github", "installation_repositories", _repositories("removed")),
        ],
        ("acme/shop", "removed", "GitHub: resource taken from the installation"),
    ),
    "repository given back": (
        "github", "7", "1",
        [
            ("github", "installation_repositories", _repositories("removed")),
            ("github", "installation_repositories", _repositories("added")),
        ],
        ("acme/shop", "active", None),
    ),
    "renamed twice": (
        "github", "7", "1",
        [
            ("github", "repository", _repository("renamed", 2, "acme/store")),
            ("github", "repository", _repository("renamed", 3, "acme/market")),
        ],
        ("acme/market", "active", None),
    ),
    "transferred": (
        "github", "7", "1",
        [
            ("github", "repository", _repository("renamed", 2, "acme/store")),
            ("github", "repository", _repository("transferred", 3, "globex/store")),
        ],
        ("globex/store", "active", None),
    ),
    "handed from one installation to another": (
        "github", "9", "1",
        [
            ("github", "installation_repositories", _repositories("added")),
            ("github", "repository",
             {**_repository("transferred", 3, "globex/store"), "installation": {"id": 9}}),
            ("github", "installation_repositories", _repositories("removed")),
        ],
        ("globex/store", "active", None),
    ),
    "archived": (
        "github", "7", "1",
        [("github", "repository", _repository("archived", 2, archived=True))],
        ("acme/shop", "active", "GitHub: resource archived"),
    ),
    "archived, unarchived": (
        "github", "7", "1",
        [
            ("github", "repository", _repository("archived", 2, archived=True)),
            ("github", "repository", _repository("unarchived", 3)),
        ],
        ("acme/shop", "active", None),
    ),
    "deleted": (
        "github", "7", "1",
        [
            ("github", "repository", _repository("archived", 2, archived=True)),
            ("github", "repository", _repository("deleted", 3)),
        ],
        ("acme/shop", "removed", "GitHub: resource deleted"),
    ),
    "project renamed and removed": (
        "vercel", "icfg_1", "prj_1",
        [
            _vercel(1, vercel.project("renamed", name="store")),
            _vercel(2, vercel.project("removed", name="store")),
        ],
        ("store", "removed", "Vercel: project removed"),
    ),
    "project taken and given back": (
        "vercel", "icfg_1", "prj_1",
        [
            _vercel(1, vercel.configuration("permission-upgraded", projects={"removed": ["prj_1"]})),
            _vercel(2, vercel.configuration("permission-upgraded", projects={"added": ["prj_1"]})),
        ],
        (None, "active", None),
    ),
    "configuration removed": (
        "vercel", "icfg_1", "prj_1",
        [_vercel(1, vercel.configuration("removed"))],
        (None, "revoked", "Vercel: integration removed"),
    ),
    "configuration transferred": (
        "vercel", "icfg_1", "prj_1",
        [_vercel(1, vercel.configuration("transferred", newTeamId="team_9"))],
        (None, "active", None),
    ),
    "team taken from the application": (
        "linear", "org-1", "team-1",
        [_access(1, addedTeamIds=["team-1"]), _access(2, removedTeamIds=["team-1"])],
        (None, "removed", "Linear: the application lost access to the team"),
    ),
    "application revoked": (
        "linear", "org-1", "team-1",
        [
            (
                "linear", "OAuthApp",
                {"type": "OAuthApp", "action": "revoked", "organizationId": "org-1",
                 "createdAt": linear.CHANGED_AT},
            )
        ],
        (None, "revoked", "Linear: the application was revoked by the organization"),
    ),
    "sentry installed and uninstalled": (
        "sentry", sentry.UUID, "42",
        [
            ("sentry", "installation", sentry.installation("created")),
            ("sentry", "installation", sentry.installation("deleted")),
        ],
        (None, "revoked", "Sentry: installation deleted"),
    ),
}  # fmt: skip


def _deliveries(happened: Happened) -> list[Delivery]:
    """Received an hour apart, in the order in which it happened."""
    return [
        provider_delivery(provider, event, payload, at=NOW + timedelta(hours=hour))
        for hour, (provider, event, payload) in enumerate(happened)
    ]


def _link(conn: Connection, provider: str, installation: str, resource: str) -> None:
    added, _ = add_installation(conn, provider, installation, org_id="default")
    workspace = add_workspace(conn, "shop")
    link_resource(conn, workspace, provider, resource, installation_id=added.id)
    conn.commit()


@pytest.mark.parametrize("story", STORIES)
def test_the_status_of_a_link_is_the_same_in_any_order(
    new_database: Callable[[], Database], story: str
) -> None:
    provider, installation, resource, happened, expected = STORIES[story]
    for order in permutations(_deliveries(happened)):
        with new_database().connect() as conn:
            _link(conn, provider, installation, resource)
            for each in order:
                receive(conn, [each])
                assert capture_all(conn).outcomes == {"filtered": 1}
            (link,) = list_integrations(conn)
            assert (link.resource_name, link.resource_status, link.status_reason) == expected
            assert link.is_active


@pytest.mark.parametrize("story", STORIES)
def test_lifecycle_events_from_before_a_link_hold_after_it(conn: Connection, story: str) -> None:
    provider, installation, resource, happened, expected = STORIES[story]
    receive(conn, _deliveries(happened))
    capture_all(conn)
    _link(conn, provider, installation, resource)
    capture_all(conn)
    (link,) = list_integrations(conn)
    conn.rollback()
    assert (link.resource_name, link.resource_status, link.status_reason) == expected


def test_a_repository_is_read_through_the_installation_that_has_it_now(conn: Connection) -> None:
    add_installation(conn, "github", "9", org_id="default")
    add_installation(conn, "github", "8", org_id="rival")
    _link(conn, "github", "7", "1")
    for number in (8, 9):
        payload = {**_repositories("added"), "installation": {"id": number}}
        receive(conn, [provider_delivery("github", "installation_repositories", payload)])
    receive(
        conn, [provider_delivery("github", "installation_repositories", _repositories("removed"))]
    )
    receive(
        conn, [provider_delivery("github", "installation", _installed("deleted", 4, names=False))]
    )
    capture_all(conn)
    (link,) = list_integrations(conn)
    assert (link.resource_status, link.status_reason) == ("active", None)
    where = """
        SELECT n.external_id FROM lightfast.resources r
        JOIN lightfast.installations n ON n.id = r.installation_id
    """
    assert one(conn, where) == "9"  # not that of another organisation


@pytest.mark.parametrize(
    ("ended", "came_back"),
    [
        (
            ("installation_repositories", _repositories("removed")),
            ("installation_repositories", _repositories("added")),
        ),
        (
            ("installation", _installed("suspend", 2, suspended=True)),
            ("installation", _installed("unsuspend", 3)),
        ),
    ],
    ids=["repository", "suspended"],
)
def test_documents_are_looked_at_when_access_comes_back(
    conn: Connection, ended: tuple[str, Json], came_back: tuple[str, Json]
) -> None:
    """Without access no pushes came, and the next one may be far away."""
    _link(conn, "github", "7", "1")
    conn.execute("UPDATE lightfast.integrations SET config_status = 'ok'")
    conn.commit()
    for queued, each in enumerate(_deliveries([("github", *ended), ("github", *came_back)])):
        receive(conn, [each])
        capture_all(conn)
        assert one(conn, "SELECT count(*) FROM lightfast.document_queue") == queued


def test_lifecycle_events_change_neither_stored_rows_nor_routing(conn: Connection) -> None:
    for provider, installation, resource in {story[:3] for story in STORIES.values()}:
        _link(conn, provider, installation, resource)
    deployed = vercel.deployment()
    said = [
        provider_delivery("github", "issues", github.issue()),
        provider_delivery("vercel", deployed["type"], deployed),
        provider_delivery("linear", "Issue", linear.issue()),
        provider_delivery("sentry", "issue", sentry.issue()),
    ]
    receive(conn, said[:2])
    capture_all(conn)
    everything = [each for story in STORIES.values() for each in _deliveries(story[3])]
    Random(5).shuffle(everything)
    receive(conn, everything)
    capture_all(conn)
    receive(conn, said[2:])
    assert capture_all(conn).outcomes == {"delivered": 2}
    before = digest_lines(conn)
    conn.execute("DELETE FROM lightfast.lifecycle_events")
    conn.execute("UPDATE lightfast.resources SET status = 'active'")
    requeue_days(conn, [NOW.date(), NOW.date() + timedelta(days=1)])
    conn.commit()
    capture_all(conn)
    assert digest_lines(conn) == before
    statuses = dict(rows(conn, "SELECT status, count(*)::int FROM lightfast.outcomes GROUP BY 1"))
    assert statuses["delivered"] == 4


def test_a_link_made_by_hand_gets_what_its_repository_states(conn: Connection) -> None:
    """Nobody said which installation it belongs to: the payload names the repository."""
    workspace = add_workspace(conn, "shop")
    link_resource(conn, workspace, "github", "1")
    conn.commit()
    suspended = _installed("suspend", 2, suspended=True)
    receive(conn, [provider_delivery("github", "installation", suspended)])
    capture_all(conn)
    (link,) = list_integrations(conn)
    assert link.status_reason == "GitHub: resource suspended with its installation"
    receive(conn, [provider_delivery("github", "installation", _installed("deleted", 2))])
    capture_all(conn)
    (link,) = list_integrations(conn)
    assert link.resource_status == "removed"


def test_an_installation_of_another_provider_or_id_is_left_alone(conn: Connection) -> None:
    for provider, identifier in (("github", "7"), ("github", "77"), ("vercel", "7")):
        add_installation(conn, provider, identifier, org_id="default")
    conn.commit()
    receive(conn, [provider_delivery("github", "installation", _installed("deleted", 1))])
    capture_all(conn)
    found = rows(
        conn, "SELECT provider, external_id FROM lightfast.installations WHERE status <> 'active'"
    )
    assert found == [("github", "7")]


def test_lifecycle_events_of_older_rules_are_withdrawn(
    conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    _link(conn, "github", "7", "1")
    receive(conn, [delivery("repository", _repository("deleted", 3))])
    capture_all(conn)
    assert one(conn, "SELECT status FROM lightfast.resources") == "removed"
    provider = type(discover()["github"])
    monkeypatch.setattr(provider, "read", lambda *_: Filtered("not any more"))
    requeue_days(conn, [NOW.date()])
    conn.commit()
    capture_all(conn)
    assert one(conn, "SELECT status, status_reason FROM lightfast.resources") == ("active", None)
    assert one(conn, "SELECT count(*) FROM lightfast.lifecycle_events") == 0


def test_the_installation_keeps_its_current_account(conn: Connection) -> None:
    _link(conn, "vercel", "icfg_1", "prj_1")
    receive(conn, _deliveries(STORIES["configuration transferred"][3]))
    capture_all(conn)
    info = one(conn, "SELECT provider_account_info FROM lightfast.installations")
    assert info == {"account_id": "team_9"}
