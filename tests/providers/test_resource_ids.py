"""An operator links a resource by the id in payloads, or is told where to find it."""

from __future__ import annotations

from datetime import date

import pytest

from lightfast_pipelines.demo.story import tell
from lightfast_pipelines.providers import discover

PROVIDERS = discover()


@pytest.mark.parametrize("name", ["github", "vercel", "linear", "sentry"])
def test_the_ids_that_payloads_are_routed_by_are_taken_as_they_are(name: str) -> None:
    provider = PROVIDERS[name]
    found = {
        resource
        for scene in tell(date(2026, 5, 20)).scenes
        if scene.provider == name
        and scene.trick != "malformed"
        and (route := provider.route(scene.event, provider.decode(scene.body, {}))) is not None
        and not route.by_hand
        for resource in (route.resource_id, *(resource for _, resource in route.alternatives))
        # An organisation of Sentry's cannot be linked: a word alone may be anything.
        if name != "sentry" or resource.isdigit() or "/" in resource or len(resource) == 36
    }
    assert found
    assert {provider.resource_id(resource) for resource in found} == found


@pytest.mark.parametrize(
    ("name", "given", "taken"),
    [
        ("github", " 1296269 ", "1296269"),
        ("github", "organization:7", "organization:7"),
        ("vercel", "prj_9kXz", "prj_9kXz"),
        ("vercel", "team_9kXz", "team_9kXz"),
        ("vercel", "Qm" + "a" * 44, "Qm" + "a" * 44),
        ("linear", "9CFB482A-81E3-4154-B5B9-2C805E70A02D", "9cfb482a-81e3-4154-b5b9-2c805e70a02d"),
        ("sentry", "4504044639748096", "4504044639748096"),
        ("sentry", "Acme/Web-Shop", "acme/web-shop"),
        ("sentry", "9@Sentry.acme.dev", "9@sentry.acme.dev"),
        ("sentry", "acme/shop@sentry.acme.dev", "acme/shop@sentry.acme.dev"),
        ("sentry", "7a485448-a9e2-4c85-8a3c-4f44175783c9", "7a485448-a9e2-4c85-8a3c-4f44175783c9"),
    ],
)
def test_an_id_is_taken_however_it_is_written(name: str, given: str, taken: str) -> None:
    assert PROVIDERS[name].resource_id(given) == taken


@pytest.mark.parametrize(
    ("name", "given", "advice"),
    [
        ("github", "acme/shop", "gh api repos/acme/shop --jq .id"),
        ("github", "https://github.com/acme/shop.git", "gh api repos/acme/shop --jq .id"),
        ("github", "git@github.com:acme/shop.git", "gh api repos/acme/shop --jq .id"),
        ("github", "R_kgDOA", "OWNER/NAME"),
        ("github", "0", "number"),
        ("github", "", "number"),
        ("vercel", "shop", "prj_"),
        ("vercel", "dpl_123456", "prj_"),
        ("vercel", "https://vercel.com/acme/shop", "Settings"),
        ("linear", "ENG", "UUID"),
        ("linear", "acme", "UUID"),
        ("linear", "https://linear.app/acme/team/ENG", "Copy model UUID"),
        ("sentry", "web", "ORG/PROJECT"),
        ("sentry", "https://sentry.io/organizations/acme/projects/web/", "number"),
    ],
)
def test_an_id_that_no_payload_names_is_refused_with_a_hint_where_to_find_it(
    name: str, given: str, advice: str
) -> None:
    with pytest.raises(ValueError, match=name.capitalize()[:3]) as raised:
        PROVIDERS[name].resource_id(given)
    assert advice in str(raised.value)
