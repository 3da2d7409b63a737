"""Every document and address that is sent to a provider fits the schema that it publishes."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from graphql import GraphQLSchema, build_ast_schema, parse, validate
from graphql.execution.values import get_variable_values
from graphql.language import OperationDefinitionNode

from lightfast_pipelines.providers.api_contract import (
    Call,
    Cursor,
    LinkedResource,
    Window,
    discover_apis,
)
from lightfast_pipelines.providers.files_contract import discover_files
from lightfast_pipelines.providers.recovery_contract import KnownEntity, discover_recovery

WINDOW = Window(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))
PLACES = {
    "github": LinkedResource("github", "1", "acme/shop", {"default_branch": "main"}),
    "linear": LinkedResource("linear", "team-1", "Engineering", installation_id="org-1"),
    "sentry": LinkedResource("sentry", "42", "acme/shop"),
    "vercel": LinkedResource("vercel", "prj_1", "shop", {"teamId": "team_1"}),
}
# Where a walk asks for what did not fit beside a thing.
DEEPER: Mapping[tuple[str, str], list[Cursor]] = {
    ("github", "review"): [{"more": [[5, "c"]], "then": None}],
    ("github", "discussion"): [
        {"more": [[5, None, "c"]], "then": None},
        {"more": [[5, "node", "c"]], "then": None},
    ],
    ("linear", "issue"): [{"after": None, "deep": ["i"], "before": "c", "then": None}],
    ("sentry", "issue"): [{"organization": "acme", "pending": ["7"]}],
    ("sentry", "error"): [
        {"organization": "acme", "pending": ["7"]},
        {"organization": "acme", "pending": ["7"], "oldest": True},
    ],
}


# Where a sweep does.
SWEPT_DEEPER: list[Cursor] = [
    {"more": [[5, None, "c"]], "then": None},
    {"more": [[5, "node", "c"]], "then": None},
]


def calls_of(provider: str) -> Iterator[Call]:
    """The calls of walks, estimates and sweeps, and those about files."""
    provider_api, place = discover_apis()[provider], PLACES[provider]
    call = provider_api.identify(place)
    if call is not None:
        yield call
    for walker in provider_api.walkers:
        begin = walker.start(place, WINDOW)
        for cursor in (begin, *DEEPER.get((provider, walker.entity_type), ())):
            yield walker.call(place, WINDOW, cursor, walker.page_size)
        probe = walker.probe(place, WINDOW, [])
        if isinstance(probe, Call):
            yield probe
    for sweep in discover_recovery()[provider].sweeps:
        yield sweep.call(place, None)
        if sweep.kind == "discussion-comment":
            yield from (sweep.call(place, cursor) for cursor in SWEPT_DEEPER)
        key = "a:b:1:5" if provider == "sentry" else "a:b:c:1#5"
        yield sweep.confirm(place, [KnownEntity(key, None, "", {"comment": {"node_id": "DC_5"}})])
        resource = sweep.resource(place)
        if resource is not None:
            yield resource
    files = discover_files().get(provider)
    if files is not None:
        yield files.changes(place, "c" * 40, ["README.md", "docs/a.md"])


def _published(shared: Path, name: str) -> str:
    path = shared / "schemas" / name
    if not path.exists():
        pytest.skip(f"{path} is not there: providers' schemas are not kept in the repository")
    return gzip.decompress(path.read_bytes()).decode()


def _faults(schema: GraphQLSchema, body: Mapping[str, Any]) -> list[str]:
    document = parse(body["query"])
    wrong = [error.message for error in validate(schema, document)]
    for operation in document.definitions:
        if isinstance(operation, OperationDefinitionNode) and not wrong:
            given = body.get("variables") or {}
            values = get_variable_values(schema, operation.variable_definitions or (), given)
            wrong += [error.message for error in values] if isinstance(values, list) else []
    return wrong


@pytest.mark.parametrize("provider", ["github", "linear"])
def test_every_graphql_document_and_its_variables_fit_the_published_schema(
    shared: Path, provider: str
) -> None:
    text = _published(shared, f"{provider}.graphql.gz")
    schema = build_ast_schema(parse(text, no_location=True), assume_valid=True)
    bodies = [call.json for call in calls_of(provider) if call.path == "graphql"]
    assert len(bodies) >= 8
    faults = {body["query"]: wrong for body in bodies if (wrong := _faults(schema, body))}
    assert faults == {}


# Sentry does not publish its endpoint of incidents.
UNPUBLISHED = ("/incidents/",)


def test_every_address_and_parameter_asked_of_sentry_is_published(shared: Path) -> None:
    paths = json.loads(_published(shared, "sentry-openapi.json.gz"))["paths"]
    methods_by_path = {
        re.compile(re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(path)) + "$"): methods["get"]
        for path, methods in paths.items()
        if "get" in methods
    }
    for call in calls_of("sentry"):
        parts = urlsplit(call.path)
        if parts.path.endswith(UNPUBLISHED):
            continue
        published = [each for pattern, each in methods_by_path.items() if pattern.match(parts.path)]
        assert published, parts.path
        named = {
            parameter.get("name")
            for operation in published
            for parameter in operation.get("parameters", ())
        }
        asked = {name for name, _ in parse_qsl(parts.query)}
        assert asked - named <= TAKEN, (parts.path, asked - named)


# Parameters that Sentry takes everywhere (its base classes read them) and does not list.
TAKEN = {"cursor", "per_page", "limit", "start", "end", "statsPeriod", "projectSlug", "collapse"}
