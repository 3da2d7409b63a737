"""The host of a payload, by whatever address it has, and its ids."""

from __future__ import annotations

from typing import Any

import pytest

from lightfast_pipelines.providers.api_contract import LinkedResource
from lightfast_pipelines.providers.github.api.place import address, repository
from lightfast_pipelines.providers.github.host import host_in, identity, localized
from lightfast_pipelines.providers.github.provider import GitHub


@pytest.mark.parametrize(
    ("payload", "host"),
    [
        ({"repository": {"id": 7, "html_url": "https://ghe.acme.dev/plat/billing"}}, "ghe.acme.dev"),
        ({"repository": {"id": 7, "url": "https://GHE.acme.dev:8443/api/v3/repos/a/b"}}, "ghe.acme.dev"),
        ({"sender": {"id": 7, "url": "https://ghe.acme.dev/api/v3/users/mira"}}, "ghe.acme.dev"),
        ({"installation": {"id": 7, "html_url": "https://ghe.acme.dev/apps/x"}}, "ghe.acme.dev"),
        ({"enterprise": {"html_url": "https://ghe.acme.dev/enterprises/acme"}}, "ghe.acme.dev"),
        ({"issue": {"html_url": "https://ghe.acme.dev/plat/billing/issues/3"}}, "ghe.acme.dev"),
        ({"repository": {"url": "https://api.acme.ghe.com/repos/a/b"}}, "acme.ghe.com"),
        ({"repository": {"url": "https://api.github.com/repos/a/b"}}, "github.com"),
        ({"repository": {"html_url": "https://www.github.com/a/b"}}, "github.com"),
        ({"repository": {"id": 7, "full_name": "a/b"}, "sender": None}, "github.com"),
        ({"repository": {"html_url": "http://[broken/a/b"}}, "github.com"),
    ],
)  # fmt: skip
def test_a_payload_belongs_to_the_host_of_its_addresses(payload: dict[str, Any], host: str) -> None:
    found = localized({**payload, "account": {"id": 5}})
    assert host_in(found) == host
    assert identity(found["account"]) == ("5" if host == "github.com" else f"5@{host}")


def test_a_repository_of_another_host_is_reached_only_by_its_own_link() -> None:
    payload = {
        "action": "added",
        "installation": {"id": 7, "html_url": "https://ghe.acme.dev/apps/memory"},
        "repositories_added": [{"id": 77, "full_name": "plat/billing"}],
    }
    route = GitHub().route("installation_repositories", payload)
    assert route is not None
    assert route.resource_id == "installation:7@ghe.acme.dev"
    (name,) = route.names
    assert (name.alias, name.place) == (
        "github:ref:ghe.acme.dev/plat/billing",
        "github:ref:77@ghe.acme.dev",
    )
    pushed = {"repository": {"id": 77, "html_url": "https://ghe.acme.dev/plat/billing"}}
    route = GitHub().route("push", pushed)
    assert route is not None
    assert (route.resource_key, route.resource_id) == (
        "github:repository:77@ghe.acme.dev",
        "77@ghe.acme.dev",
    )


def test_the_history_of_another_hosts_repository_makes_the_same_facts_as_its_webhooks() -> None:
    place = LinkedResource(
        provider="github", resource_id="77@ghe.acme.dev", resource_name="plat/billing", meta={}
    )
    assert address(place) == "repositories/77"
    route = GitHub().route("push", {"repository": repository(place)})
    assert route is not None
    assert route.resource_id == place.resource_id
