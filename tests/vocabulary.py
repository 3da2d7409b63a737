"""A pytest plugin that records which words the providers and the rules use: `make docs` runs it.

    pytest -p tests.vocabulary --vocabulary=docs/vocabulary.json tests/providers

Relationships, roles, states and metadata fields are made in too many places to find them in the
source, so they are recorded while the tests run. Random payloads are left out: their words mean nothing.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from lightfast_pipelines.demo.story import tell
from lightfast_pipelines.domain.enrichment import enrich
from lightfast_pipelines.domain.events import Reading, StateChange, Statement, Understood
from lightfast_pipelines.domain.occurrences import alone, counted
from lightfast_pipelines.providers import discover

_MOST_VALUES = 16
_WORD = re.compile(r"[a-z][a-z0-9_ -]*")

Seen = dict[str, dict[str, set[str]]]


class Recorder:
    """Records what providers read from payloads, and what the rules make of it."""

    def __init__(self) -> None:
        self.seen: Seen = defaultdict(lambda: defaultdict(set))
        self._undo: list[Callable[[], None]] = []

    def watch(self) -> None:
        for provider in discover().values():
            self._watch(type(provider))

    def reading(self, reading: Reading) -> None:
        for statement in reading.statements if isinstance(reading, Understood) else ():
            self.statement(statement)
            if statement.occurrence is not None:
                self.statement(alone(statement, is_first=True, is_regression=False))
                self.statement(counted(statement, 2, statement.occurred_at))

    def statement(self, made: Statement) -> None:
        fields = self.seen["source_type"][f"{made.source} {made.source_type}"]
        fields.update(name for name, value in made.metadata.items() if value is not None)
        enriched = enrich(made)
        for kind, words in (
            ("relationship", [edge.type for edge in enriched.edges]),
            ("role", [mention.role for mention in enriched.mentions]),
            ("account_role", [account.role for account in made.accounts]),
            ("reference", [reference.type for reference in made.references]),
        ):
            for word in words:
                self.seen[kind][word] = set()
        for change in made.states:
            self.state(change)

    def state(self, change: StateChange) -> None:
        name, colon, _ = change.state_type.partition(":")
        holder = ":".join(change.thing.key.split(":")[:2])
        self.seen["state"][f"{holder} {name}:*" if colon else f"{holder} {name}"].add(change.value)

    def stop(self) -> None:
        for undo in self._undo:
            undo()

    def written(self) -> dict[str, dict[str, list[str]]]:
        return {
            kind: {
                name: _listed(kind, values[name]) for name in sorted(values) if _is_written(name)
            }
            for kind, values in sorted(self.seen.items())
        }

    def _watch(self, kind: Any) -> None:
        read = kind.read

        def noted(provider: Any, event_type: str, payload: Any) -> Reading:
            reading: Reading = read(provider, event_type, payload)
            self.reading(reading)
            return reading

        kind.read = noted
        self._undo.append(lambda: setattr(kind, "read", read))


def _is_written(name: str) -> bool:
    return "acme_ci" not in name and not name.startswith("test")


def _listed(kind: str, values: set[str]) -> list[str]:
    if kind != "state":
        return sorted(values)
    words = sorted(value for value in values if _WORD.fullmatch(value))
    # Names and numbers depend on the thing, not on the rules.
    return words if len(words) == len(values) <= _MOST_VALUES else []


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--vocabulary", type=Path, help="Write the words that the code used here.")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--vocabulary"):
        recorder = Recorder()
        recorder.watch()
        read_the_demo()
        config.stash[_RECORDER] = recorder


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--vocabulary"):
        items[:] = [item for item in items if not _is_by_chance(item)]


def read_the_demo() -> None:
    for scene in tell(date(2026, 5, 20)).scenes:
        provider = discover()[scene.provider]
        if scene.trick != "malformed":
            provider.read(scene.event, provider.decode(scene.body, {}))


def _is_by_chance(item: pytest.Item) -> bool:
    return getattr(getattr(item, "obj", None), "is_hypothesis_test", False)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    recorder = session.config.stash.get(_RECORDER, None)
    if recorder is None:
        return
    recorder.stop()
    if exitstatus == pytest.ExitCode.OK:
        target: Path = session.config.getoption("--vocabulary")
        target.write_text(json.dumps(recorder.written(), indent=1) + "\n")


_RECORDER: pytest.StashKey[Recorder] = pytest.StashKey()
