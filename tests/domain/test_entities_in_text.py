"""Endpoints, settings, error classes, files and accounts in texts, and words that resemble them."""

from __future__ import annotations

import pytest

from lightfast_pipelines.domain.entities_in_text import find_entities


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("GET /api/users?id=1 fails", "endpoint:GET /api/users"),
        ("then POST  /v1/pay.", "endpoint:POST /v1/pay"),
        ("set DATABASE_URL first", "config:DATABASE_URL"),
        ("export $API_KEY=1", "config:API_KEY"),
        ("json.JSONDecodeError: x", "error:JSONDecodeError"),
        ("a NullPointerException.", "error:NullPointerException"),
        ("in `src/core/app.py`:12", "file:src/core/app.py"),
        ("./docs/index.md changed", "file:docs/index.md"),
        ("thanks @octo-cat!", "github:ref:@octo-cat"),
    ],
)
def test_an_entity_named_in_the_text_is_found(text: str, key: str) -> None:
    assert [mention.thing.key for mention in find_entities(text, logins=True)] == [key]


@pytest.mark.parametrize(
    "text",
    [
        "get /there soon",
        "PUT / back",
        "an Error or Exception, TypeErrors",
        "status.HTTP_200_OK, __INIT__, X86_64, UTF_8",
        "https://github.com/octo/repo/app.py or www.example.com/index.html",
        "and/or, Node.js, he/she.it",
        "/usr/lib/python3/os.py",
        "me@example.com, @types/node, @property, `@octocat`, @pytest.fixture, foo@bar",
    ],
)
def test_words_that_only_look_like_an_entity_are_not_found(text: str) -> None:
    assert find_entities(text, logins=True) == ()


def test_an_entity_is_found_once_with_the_words_around_it() -> None:
    (found,) = find_entities("x " * 60 + "raised\n  KeyError here and KeyError there" + " y" * 60)
    assert found.evidence is not None
    assert "raised KeyError here" in found.evidence
    assert found.evidence.startswith("…")
    assert len(found.evidence) <= 112


def test_accounts_are_read_only_where_an_at_sign_addresses_one() -> None:
    assert find_entities("ask @octocat") == ()
