"""Labelled references, the deliveries that state them, and how a label is compared with an edge.

Used by `bench.references` and by the test that checks the rules against the labels.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from bench import corpus

GOLD = Path(__file__).parent / "gold" / "references.tsv"
DEMO_DAY = date(2026, 1, 15)

_LINE = re.compile(r"(corpus/[\w.-]+):(\d+)")
_NUMBERED = re.compile(r"github:(?:pr|issue|discussion):(\d+#\d+)")
_STUB = re.compile(r"(?:github|linear|sentry|vercel):ref:")


@dataclass(frozen=True, slots=True)
class Label:
    """`kind`: edge, none, or filtered (stated by a filtered delivery: an edge if that is ever kept)."""

    file: str
    kind: str
    subject: str
    type: str
    object: str
    why: str


@dataclass(frozen=True, slots=True)
class Sent:
    """A delivery; labels refer to it by `file`, and deliveries of one `group` share a database."""

    file: str
    group: str
    provider: str
    event: str
    body: bytes

    @property
    def delivery_id(self) -> str:
        return hashlib.sha256(self.file.encode()).hexdigest()


class End(NamedTuple):
    """One end of an edge that was made: all its names, its own key first."""

    names: tuple[str, ...]


Made = Collection[tuple[End, str, End]]


class Verdict(NamedTuple):
    label: Label
    provider: str
    delivered: bool
    made: bool

    @property
    def wanted(self) -> bool:
        return self.label.kind != "none"

    @property
    def counts(self) -> bool:
        """In a filtered delivery only labels of kind `edge` count."""
        return self.delivered or self.label.kind == "edge"


@dataclass(frozen=True, slots=True)
class Figures:
    found: int
    missed: int
    wrong: int
    avoided: int

    @property
    def precision(self) -> float:
        return self.found / max(1, self.found + self.wrong)

    @property
    def recall(self) -> float:
        return self.found / max(1, self.found + self.missed)


def read_labels(path: Path = GOLD) -> list[Label]:
    rows = path.read_text().splitlines()[1:]
    return [Label(*row.split("\t")) for row in rows]


def refused_at_the_door() -> frozenset[str]:
    """Labelled deliveries of the demo that the receiver refuses."""
    from lightfast_pipelines.demo.story import tell

    tricks = ("forged", "malformed", "stale")
    return frozenset(
        f"demo:{scene.delivery_id}" for scene in tell(DEMO_DAY).scenes if scene.trick in tricks
    )


def deliveries(shared: Path) -> Iterator[Sent]:
    """All deliveries: both corpora, every recorded webhook, the demo."""
    for path in sorted((shared / "corpus").glob("*.jsonl.gz")):
        if not path.name.endswith("-commits.jsonl.gz"):
            yield from _corpus(path)
    yield from _recorded(shared / "payloads")
    yield from _demo()


def _corpus(path: Path) -> Iterator[Sent]:
    name = f"corpus/{path.name}"
    group = path.name.split(".")[0]
    for number, recorded in enumerate(corpus.deliveries(path), 1):
        body = json.dumps(recorded["payload"]).encode()
        yield Sent(f"{name}:{number}", group, "github", recorded["event"], body)


def _recorded(payloads: Path) -> Iterator[Sent]:
    index = payloads / "index.jsonl"
    if not index.exists():
        return
    for line in index.read_text().splitlines():
        entry = json.loads(line)
        if entry["kind"] != "webhooks" or not entry.get("event"):
            continue
        payload = json.loads((payloads / entry["path"]).read_bytes())
        file = f"payloads/{entry['path']}"
        body = json.dumps(_wrapped(entry, payload)).encode()
        yield Sent(file, "payloads", entry["provider"], entry["event"], body)


def _wrapped(entry: Mapping[str, Any], payload: Any) -> Any:
    """Inner payloads in their provider's envelope."""
    if "_payload_only" in entry["path"]:
        identity = hashlib.sha256(entry["path"].encode()).hexdigest()[:20]
        created = 1_700_000_000_000
        return {"id": identity, "type": entry["event"], "createdAt": created, "payload": payload}
    if "_data_only" in entry["path"]:
        installation = {"uuid": "7a485448-a9e2-4c85-8a3c-4f44175783c9"}
        actor = {"type": "application", "id": "sentry", "name": "Sentry"}
        envelope = {"action": entry["action"], "installation": installation, "actor": actor}
        return {**envelope, "data": payload}
    return payload


def _demo() -> Iterator[Sent]:
    from lightfast_pipelines.demo.story import tell

    for scene in tell(DEMO_DAY).scenes:
        if scene.trick is None:
            file = f"demo:{scene.delivery_id}"
            yield Sent(file, "demo", scene.provider, scene.event, scene.body)


def with_ids(labels: Iterable[Label], ids: Mapping[str, str]) -> list[Label]:
    """The labels with ids in place of repository names; `ids` is full name -> id, from payloads."""
    return [
        replace(label, subject=_by_id(label.subject, ids), object=_by_id(label.object, ids))
        for label in labels
    ]


def end(names: Iterable[str], ids: Mapping[str, str]) -> End:
    """An end by its names, its own key first; a stub with a repository's name also by its id."""
    lowered = tuple(name.lower() for name in names)
    return End(tuple(dict.fromkeys((*lowered, *(_by_id(name, ids) for name in lowered)))))


def _by_id(key: str, ids: Mapping[str, str]) -> str:
    name, sign, number = key.removeprefix("github:ref:").partition("#")
    repository_id = ids.get(name.lower()) if key.startswith("github:ref:") and sign else None
    return f"github:ref:{repository_id}#{number}" if repository_id else key.lower()


def repository_ids(sent: Iterable[Sent]) -> dict[str, str]:
    """Full name -> id of every repository in a payload."""
    ids: dict[str, str] = {}

    def look(part: Any) -> None:
        if isinstance(part, dict):
            if isinstance(part.get("full_name"), str) and isinstance(part.get("id"), int):
                ids[part["full_name"].lower()] = str(part["id"])
            for value in part.values():
                look(value)
        elif isinstance(part, list):
            for value in part:
                look(value)

    for delivery in sent:
        look(json.loads(delivery.body))
    return ids


def is_said(label: Label, made: Made) -> bool:
    return any(
        relation == label.type and _matches(label.subject, start) and _matches(label.object, target)
        for start, relation, target in made
    )


def _matches(key: str, end: End) -> bool:
    """By any name; a stub also by its number, if it is not known yet what has that number."""
    if key in end.names:
        return True
    numbered = _NUMBERED.fullmatch(key)
    is_stub = _STUB.match(end.names[0]) is not None
    return bool(numbered and is_stub and f"github:ref:{numbered[1]}" in end.names)


def figures(verdicts: Iterable[Verdict]) -> Figures:
    counted = Counter((v.wanted, v.made) for v in verdicts if v.counts)
    return Figures(
        counted[True, True], counted[True, False], counted[False, True], counted[False, False]
    )


def disagreements(verdicts: Sequence[Verdict]) -> list[Verdict]:
    return [v for v in verdicts if v.counts and v.wanted != v.made]


def wilson(right: int, of: int, z: float = 1.959964) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927); (0, 1) for a share of nothing."""
    if not of:
        return 0.0, 1.0
    share = right / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return max(0.0, middle - half), min(1.0, middle + half)
