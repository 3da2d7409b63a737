"""How the organization and the project of a linked resource are found."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lightfast_pipelines.providers.api_contract import Answer, LinkedResource
from lightfast_pipelines.providers.sentry.api.envelope import site
from lightfast_pipelines.providers.sentry.api.organization import organization_of, project_params
from tests.providers.sentry.api.walked import (
    BEGIN,
    WALKERS,
    walked,
)
from tests.servers.sentry import UUID, Issue, World


def test_a_self_hosted_server_is_named_as_in_its_webhooks() -> None:
    place = LinkedResource("sentry", "42@sentry.acme.dev", "acme/shop", installation_id=UUID)
    inside = Answer(200, {}, [], url="http://sentry-web:9000/api/0/organizations/acme/issues/")
    assert site(place, inside) == "https://sentry.acme.dev"
    assert project_params(place) == {"project": "42"}
    named = LinkedResource("sentry", "acme/shop@sentry.acme.dev", None, installation_id=UUID)
    assert organization_of(named) == "acme"
    assert project_params(named) == {"projectSlug": "shop"}


def test_a_walk_asks_for_the_organization_if_nothing_names_it() -> None:
    place = LinkedResource("sentry", "42", "shop")
    world = World([Issue(1, [BEGIN])])
    for kind in WALKERS:
        assert walked(world, kind, place).cursors[0]["organization"] is None
    assert len(walked(world, "issue", place).records) == 1


@pytest.mark.parametrize("seen", [[], ["acme", "beta"]])
def test_no_organization_or_several_are_an_error_that_says_what_to_do(seen: list[str]) -> None:
    with pytest.raises(ValueError, match="organization/project"):
        walked(World(organizations=seen), "issue", LinkedResource("sentry", "42", "shop"))


def _places() -> Iterator[LinkedResource]:
    yield LinkedResource("sentry", "acme/shop", None)
    yield LinkedResource("sentry", "42", "acme/shop")
    yield LinkedResource("sentry", "42", "shop", account_login="acme")
    yield LinkedResource("sentry", "42", "shop", account={"organization": {"slug": "acme"}})
    yield LinkedResource("sentry", "acme", "Acme")
    yield LinkedResource("sentry", UUID, None, account_login="acme")


@pytest.mark.parametrize("place", list(_places()))
def test_the_organization_comes_from_whatever_names_it(place: LinkedResource) -> None:
    walk = walked(World([Issue(1, [BEGIN])]), "issue", place)
    assert walk.cursors[0]["organization"] == "acme"
    assert len(walk.records) == 1


def test_a_resource_that_names_no_project_is_an_error_that_says_what_to_do() -> None:
    place = LinkedResource("sentry", "no such thing", None, account_login="acme")
    with pytest.raises(ValueError, match="link the resource by one of them"):
        walked(World(), "issue", place)
