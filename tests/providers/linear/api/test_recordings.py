"""Requests fit Linear's published schema, and samples of its API's answers are understood."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from graphql import GraphQLSchema, build_ast_schema, parse, validate
from graphql.execution.values import get_variable_values
from graphql.language import OperationDefinitionNode

from lightfast_pipelines.domain.events import Statement
from lightfast_pipelines.providers.api_contract import (
    Answer,
    Call,
    Estimate,
    LinkedResource,
    Window,
)
from lightfast_pipelines.providers.linear import PROVIDER
from lightfast_pipelines.providers.linear.api import API
from tests.providers.agreement import statements

EVER = Window(datetime(2015, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC))
PLACES = (
    LinkedResource("linear", "team-1", "ENG", installation_id="org-1"),
    LinkedResource("linear", "org-1", "Acme", installation_id="org-1"),
)
WALKERS = {walker.entity_type: walker for walker in API.walkers}


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    path = Path(__file__).parents[5] / "shared/payloads/linear/api/_schema/schema.graphql"
    if not path.exists():
        pytest.skip(f"{path} is not there: Linear's schema is not kept in the repository")
    return build_ast_schema(parse(path.read_text(), no_location=True), assume_valid=True)


@pytest.mark.parametrize("place", PLACES, ids=["team", "organization"])
def test_every_query_and_its_variables_are_of_linears_schema(
    schema: GraphQLSchema, place: LinkedResource
) -> None:
    calls: list[Call | Estimate] = [API.identify(place)]
    for walker in API.walkers:
        calls.append(walker.call(place, EVER, walker.start(place, EVER), walker.page_size))
        calls.append(walker.probe(place, EVER, []))
    deep = {"ends": True, "deep": ["issue-1"], "before": "entry-1"}
    calls.append(WALKERS["issue"].call(place, EVER, deep, 20))
    for call in calls:
        assert isinstance(call, Call)
        document = parse(call.json["query"])
        assert not validate(schema, document)
        operation = document.definitions[0]
        assert isinstance(operation, OperationDefinitionNode)
        given = get_variable_values(schema, operation.variable_definitions, call.json["variables"])
        assert isinstance(given, dict), given


def _sample(shared: Path, name: str) -> Any:
    path = shared / "payloads/linear/api/_linear-zapier-samples" / f"{name}.json"
    return json.loads(path.read_text())


def _told(entity_type: str, connection: str, item: Any) -> list[Statement]:
    """What a list with this one item tells."""
    info = {"hasNextPage": False, "endCursor": item["id"]}
    data = {"organization": {"id": "org-1"}, connection: {"nodes": [item], "pageInfo": info}}
    page = WALKERS[entity_type].read(
        PLACES[1], EVER, {"after": None}, Answer(200, {}, {"data": data})
    )
    assert not page.troubles
    assert page.next is None
    return [
        statement
        for record in page.records
        for statement in statements(PROVIDER, record.event_type, record.payload, {})
    ]


def test_linears_sample_of_an_issue_is_understood(shared: Path) -> None:
    item = _sample(shared, "issue")
    # The sample is of Linear's Zapier app, which calls the state `status` and has no history.
    item |= {
        "state": item.pop("status"),
        "history": {"nodes": [], "pageInfo": {"hasNextPage": False}},
    }
    (made,) = _told("issue", "issues", item)
    assert made.source_type == "issue.created"
    assert made.title == "[Issue Created] SAMPLE-15: Zapier sample"
    assert made.author is not None
    assert made.author.email == "creator@example.com"
    assert [state.value for state in made.states if state.state_type == "status"] == ["started"]


def test_linears_sample_of_a_comment_is_understood(shared: Path) -> None:
    (made,) = _told("comment", "comments", _sample(shared, "issueComment"))
    assert made.source_type == "comment.created"
    assert made.title == "[Comment Added] SAMPLE-15: New comment"
    assert made.actor is not None


def test_linears_sample_of_a_comment_on_an_update_is_understood(shared: Path) -> None:
    (made,) = _told("comment", "comments", _sample(shared, "projectUpdateComment"))
    assert made.source_type == "comment.created"


def test_linears_sample_of_a_project_is_understood(shared: Path) -> None:
    (made,) = _told("project", "projects", _sample(shared, "project"))
    assert made.title == "[Project Created] Project: Test"
    # It was changed a minute later: its status then is not known.
    assert not made.states


def test_linears_sample_of_a_project_update_is_understood(shared: Path) -> None:
    told = _told("project_update", "projectUpdates", _sample(shared, "projectUpdate"))
    assert [statement.source_type for statement in told] == [
        "project-update.created",
        "project-update.edited",
    ]
