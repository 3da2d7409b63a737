"""What a language model is asked about an observation, and what its answer may change.

An answer holds values of closed lists and words of the observation's own text, nothing else: so a text
that tells the model what to answer gains no more than its author could have written himself. Everything
that is applied here was checked here, whoever stored the answer.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from lightfast_pipelines.domain import keys
from lightfast_pipelines.domain.classification import CATEGORIES, conventional_prefix
from lightfast_pipelines.domain.enrichment import MAX_MENTIONS, Enriched, is_changed_file
from lightfast_pipelines.domain.events import Mention, Statement, Thing
from lightfast_pipelines.domain.key_categories import is_candidate

PURPOSE = "observations"
EXTRACTOR = "anthropic"
# Under every rule's confidence, so that a rule that finds the same entity is kept.
CONFIDENCE = 0.6

_LONGEST_TEXT = 1_500
_MOST_FILES = 20
_FEWEST_WORDS = 3
_MOST_TOPICS = 3
_ALL_TOPICS = 12
_MOST_ENTITIES = 10
_LONGEST_TOPIC = 40
_LONGEST_NAME = 80
_LONGEST_QUOTE = 200

# Broad kinds whose texts people write; checks and deployments repeat what machines say.
_KINDS_WITH_PROSE = frozenset(
    {"change", "issue", "review", "discussion", "release", "planning", "incident"}
)
# Things whose category the text decides; of all others the event does (a comment is discussion).
_CLASSIFIED_BY_TEXT = frozenset(
    (
        "commit", "pull-request", "issue", "project", "project-update", "initiative",
        "initiative-update", "document", "milestone", "customer-need",
    )
)  # fmt: skip

# Endpoints are left to the rules: a method and a path have one form.
ENTITY_KINDS = ("service", "file", "config", "error")
_NAMES = {
    "service": re.compile(r"[A-Za-z][\w.-]*(?: [A-Za-z][\w.-]*){0,3}"),
    "file": re.compile(r"[\w@+.-]+(?:/[\w@+.-]+)*\.[A-Za-z]\w{0,9}"),
    "config": re.compile(r"[A-Za-z]\w*(?:[._-]\w+)+"),
    "error": re.compile(r"[A-Za-z_][\w.]*"),
}
_TAG = re.compile(r"^\s*\[[^\]\n]{1,40}\]\s*")
_WORD = re.compile(r"\w+")
_SPACES = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked about an observation; transitions of one thing with one text ask the same."""

    kind: str
    title: str
    text: str
    files: tuple[str, ...]

    @property
    def content_hash(self) -> str:
        """The same in any database: SHA-256 over everything that is asked."""
        # With lengths, so that no two questions are the same text; JSON took three times as long.
        parts = (self.kind, self.title, self.text, *self.files)
        whole = "".join(f"{len(part)}:{part}" for part in parts)
        return hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class NamedEntity:
    """`name` is how the text calls it, `quote` the words around, as they stand in the text."""

    kind: str
    name: str
    quote: str


@dataclass(frozen=True, slots=True)
class ObservationAnswer:
    """An answer whose form is valid; whether its words are the text's is decided where it is applied."""

    category: str
    topics: tuple[str, ...] = ()
    entities: tuple[NamedEntity, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "category": self.category,
            "topics": list(self.topics),
            "entities": [
                {"kind": entity.kind, "name": entity.name, "quote": entity.quote}
                for entity in self.entities
            ],
        }


def question_about(
    source_type: str, observation_type: str, title: str, content: str, files: Sequence[str]
) -> Question | None:
    """The question; None if the observation holds no prose that a model could read better than rules."""
    if observation_type not in _KINDS_WITH_PROSE:
        return None
    question = Question(
        source_type.partition(".")[0],
        _TAG.sub("", title, count=1),
        content[:_LONGEST_TEXT],
        tuple(sorted(files)[:_MOST_FILES]),
    )
    words = islice(_WORD.finditer(f"{question.title} {question.text}"), _FEWEST_WORDS)
    return question if sum(1 for _ in words) == _FEWEST_WORDS else None


def question_of(statement: Statement, enriched: Enriched) -> Question | None:
    """The question about a statement. Events of a series are counted, so nothing is asked about them."""
    if statement.occurrence is not None:
        return None
    files = [
        mention.thing.key.removeprefix("file:")
        for mention in enriched.mentions
        if mention.role == "file"
    ]
    return question_about(
        statement.source_type,
        enriched.observation_type,
        statement.title,
        statement.content,
        files,
    )


def read_answer(value: object) -> ObservationAnswer | None:
    """The answer in a decoded JSON value; None if it has no category of the list.

    Topics and entities that are not of the right form are left out, and long ones cut: a model's
    explanation never makes its answer invalid.
    """
    if not isinstance(value, Mapping):
        return None
    category = value.get("category")
    if category not in CATEGORIES:
        return None
    return ObservationAnswer(
        str(category),
        tuple(dict.fromkeys(_topics(value.get("topics"))))[:_MOST_TOPICS],
        tuple(dict.fromkeys(_entities(value.get("entities"))))[:_MOST_ENTITIES],
    )


def with_answer(statement: Statement, enriched: Enriched, answer: ObservationAnswer) -> Enriched:
    """What is derived from the statement, with what the answer adds and its text bears out.

    A category that the event or the author states (a comment, `fix: ...`) stays.
    """
    category, topics = enriched.category, list(enriched.topics)
    title = _TAG.sub("", statement.title, count=1)
    by_text = statement.source_type.partition(".")[0] in _CLASSIFIED_BY_TEXT
    if by_text and conventional_prefix(title) is None:
        category = answer.category
        topics = [category, *(topic for topic in topics if topic != enriched.category)]
    said = frozenset(_words(f"{statement.title}\n{statement.content}"))
    added = [topic for topic in answer.topics if said.issuperset(_words(topic))]
    return replace(
        enriched,
        category=category,
        topics=tuple(dict.fromkeys([*topics[:1], *added, *topics[1:]]))[:_ALL_TOPICS],
        mentions=_with_mentions(enriched.mentions, tuple(_mentions(statement, answer))),
    )


def _mentions(statement: Statement, answer: ObservationAnswer) -> Iterator[Mention]:
    texts = (statement.title, statement.content)
    for entity in answer.entities:
        if entity.name not in entity.quote or not any(entity.quote in text for text in texts):
            continue
        evidence = _SPACES.sub(" ", entity.quote).strip()
        yield Mention(_thing(entity), "text", evidence, CONFIDENCE, EXTRACTOR)


def _with_mentions(
    mentions: tuple[Mention, ...], answered: tuple[Mention, ...]
) -> tuple[Mention, ...]:
    """The mentions with those of entities that none of them names, before the candidates."""
    named = {mention.thing.key for mention in mentions}
    candidates = tuple(m for m in mentions if is_candidate(m.thing.key))
    kept = mentions[: len(mentions) - len(candidates)]
    new = {m.thing.key: m for m in reversed(answered) if m.thing.key not in named}
    counted = sum(not is_changed_file(mention) for mention in kept)
    room = max(0, MAX_MENTIONS - counted)
    return (*kept, *[new[key] for key in sorted(new)][:room], *candidates)


def _thing(entity: NamedEntity) -> Thing:
    make = {
        "service": keys.service,
        "file": keys.file,
        "config": keys.config,
        "error": keys.error,
    }[entity.kind]
    return Thing(make(entity.name), entity.name)


def _topics(value: object) -> Iterator[str]:
    for topic in value if isinstance(value, list) else ():
        if isinstance(topic, str) and 0 < len(topic.strip()) <= _LONGEST_TOPIC:
            yield _SPACES.sub(" ", topic.strip().lower())


def _entities(value: object) -> Iterator[NamedEntity]:
    for entity in value if isinstance(value, list) else ():
        if not isinstance(entity, Mapping):
            continue
        kind, name, quote = (entity.get(field) for field in ("kind", "name", "quote"))
        if kind not in ENTITY_KINDS or not isinstance(name, str) or not isinstance(quote, str):
            continue
        if len(name) > _LONGEST_NAME or _NAMES[str(kind)].fullmatch(name) is None:
            continue
        yield NamedEntity(str(kind), name, _around(name, quote))


def _around(name: str, quote: str) -> str:
    """At most 200 characters of the quote, with the name among them."""
    if len(quote) <= _LONGEST_QUOTE:
        return quote
    start = max(0, quote.find(name) - (_LONGEST_QUOTE - len(name)) // 2)
    return quote[start : start + _LONGEST_QUOTE]


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())
