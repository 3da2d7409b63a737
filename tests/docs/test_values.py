"""The dictionary lists the values that the code makes."""

from __future__ import annotations

from datetime import date

from lightfast_pipelines.cli.opening import CHECKOUT
from lightfast_pipelines.cli.values import read_vocabulary, values_section
from lightfast_pipelines.demo.story import tell
from lightfast_pipelines.domain import key_categories
from lightfast_pipelines.domain.events import Understood
from lightfast_pipelines.providers import discover

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
    missing: set[str] = set()
    for scene in tell(date(2026, 5, 20)).scenes:
        provider = discover()[scene.provider]
        if scene.trick == "malformed":
            continue
        reading = provider.read(scene.event, provider.decode(scene.body, {}))
        for statement in reading.statements if isinstance(reading, Understood) else ():
            kind = f"{statement.source} {statement.source_type}"
            fields = {name for name, value in statement.metadata.items() if value is not None}
            missing |= {
                f"{kind}: {name}" for name in fields - set(VOCABULARY["source_type"].get(kind, ()))
            }
            missing |= {edge.type for edge in statement.edges} - set(VOCABULARY["relationship"])
            missing |= {mention.role for mention in statement.mentions} - set(VOCABULARY["role"])
            states = {state.state_type.partition(":")[0] for state in statement.states}
            listed = {key.partition(" ")[2].removesuffix(":*") for key in VOCABULARY["state"]}
            missing |= states - listed
    assert missing == set()


def test_states_with_few_values_are_listed_with_their_values() -> None:
    states = {"github:pr status": ["open", "merged"], "linear:issue assignee": []}
    text = values_section({"state": states})
    assert "| `github:pr:` | `status` | `open`, `merged` |" in text
    assert "| `linear:issue:` | `assignee` |  |" in text
