"""The dictionary lists the values that the code makes."""

from __future__ import annotations

from lightfast_pipelines.cli.opening import CHECKOUT
from lightfast_pipelines.cli.values import read_vocabulary, values_section
from lightfast_pipelines.domain import key_categories
from lightfast_pipelines.providers import discover
from tests.vocabulary import Recorder, read_the_demo

VOCABULARY = read_vocabulary(CHECKOUT / "docs" / "vocabulary.json")


def test_every_declared_type_and_category_is_listed() -> None:
    text = values_section({})
    for provider in discover().values():
        for kind in (kind for rule in provider.events for kind in rule.source_types):
            assert f"| {provider.name} | `{kind}` |" in text
    for category in key_categories.categories().values():
        assert f"| `{category}` |" in text


def test_the_words_of_the_demo_are_in_the_vocabulary() -> None:
    """If this fails, the code has new words: `make docs` writes them."""
    recorder = Recorder()
    recorder.watch()
    read_the_demo()
    recorder.stop()
    words = recorder.written()
    assert set(words) == set(VOCABULARY)
    missing = {
        f"{kind}: {name} {value}"
        for kind, names in words.items()
        for name, values in names.items()
        for value in ("", *values)
        if name not in VOCABULARY[kind]
        # A state with many values is listed without them.
        or (value and VOCABULARY[kind][name] and value not in VOCABULARY[kind][name])
    }
    assert missing == set()


def test_states_with_few_values_are_listed_with_their_values() -> None:
    states = {"github:pr status": ["open", "merged"], "linear:issue assignee": []}
    text = values_section({"state": states})
    assert "| `github:pr:` | `status` | `open`, `merged` |" in text
    assert "| `linear:issue:` | `assignee` |  |" in text
