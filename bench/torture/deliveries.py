"""What is sent: made of the seed alone, before anything starts.

Stories of many days, told by the package's own demo for all four providers, lines of a recorded history
where the corpus is there, deliveries sent twice, bodies sent again under another id, and poison.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from bench.corpus import CORPUS, deliveries
from bench.torture.poison import POISONS
from lightfast_pipelines.demo.stage import Scene
from lightfast_pipelines.demo.story import tell

# (organisation, workspace) of the tenants; what belongs to nobody is parked.
TENANTS = (("north", "harbor"), ("north", "yard"), ("south", "harbor"))
_CORPUS = CORPUS / "starlette.jsonl.gz"
_CORPUS_LINES = 400
_POISON_EVERY = 100
_TWICE, _SAME_BODY, _NOBODYS = 0.08, 0.03, 0.02


@dataclass(frozen=True, slots=True)
class Planned:
    """One delivery to send at `at` seconds of the load. `copy` numbers the copies of one delivery."""

    scene: Scene
    tenant: int | None
    at: float = 0.0
    kind: str = "story"
    copy: int = 0

    @property
    def is_refused(self) -> bool:
        """Whether the receiver has to refuse it (a wrong signature, a body that is no JSON)."""
        return self.scene.fate == "refused"


def plan(seed: int, count: int, seconds: float) -> list[Planned]:
    """`count` deliveries in the order in which they are sent, evenly over `seconds`."""
    chance = random.Random(f"deliveries {seed}")
    latest = date(2025, 1, 1) + timedelta(days=chance.randrange(365))
    sent = list(itertools.islice(_mixed(chance, latest), count))
    return [replace(each, at=number * seconds / count) for number, each in enumerate(sent)]


def _mixed(chance: random.Random, latest: date) -> Iterator[Planned]:
    plain = _interleaved(chance, latest)
    poisons = itertools.cycle(chance.sample(sorted(POISONS), len(POISONS)))
    again: list[Planned] = []
    for number, each in enumerate(plain, 1):
        yield each
        if number % _POISON_EVERY == 0:
            yield _poisoned(each, next(poisons), chance)
        if each.is_refused or each.scene.trick:
            continue
        if chance.random() < _TWICE:
            again.append(replace(each, kind="sent twice", copy=1))
        if each.scene.provider in {"github", "sentry"} and chance.random() < _SAME_BODY:
            other = replace(each.scene, delivery_id=f"{each.scene.delivery_id}-again")
            again.append(replace(each, scene=other, kind="same body again"))
        # At once or some time later.
        if again and chance.random() < 0.1:
            yield again.pop(chance.randrange(len(again)))


def _interleaved(chance: random.Random, latest: date) -> Iterator[Planned]:
    """Several histories at a time, each in its own order, as from several repositories."""
    unread = itertools.chain([_corpus()], (_story(latest, days) for days in itertools.count(2)))
    open_histories = [next(unread) for _ in range(5)]
    while True:
        history = chance.choice(open_histories)
        each = next(history, None)
        if each is not None:
            yield each
        else:
            open_histories[open_histories.index(history)] = next(unread)


def _story(latest: date, days_ago: int) -> Iterator[Planned]:
    tenant = days_ago % len(TENANTS)
    for number, scene in enumerate(tell(latest - timedelta(days=days_ago)).scenes):
        is_repeated = scene.trick == "repeated"
        yield Planned(
            replace(scene, trick=None) if is_repeated else scene,
            tenant,
            kind="sent twice" if is_repeated else "refused" if scene.trick else "story",
            copy=2 if is_repeated else 0,
        )
        if number % int(1 / _NOBODYS) == 1 and scene.provider == "github" and not scene.trick:
            yield _of_nobody(scene)


def _of_nobody(scene: Scene) -> Planned:
    """The same event in a repository that nobody has linked."""
    payload = json.loads(scene.body)
    payload["repository"] = {**payload["repository"], "id": 77, "full_name": "nobody/nothing"}
    body = json.dumps(payload).encode()
    other = replace(scene, body=body, delivery_id=f"{scene.delivery_id}-nobody")
    return Planned(other, None, kind="not linked")


def _corpus() -> Iterator[Planned]:
    if not _CORPUS.exists():
        return
    for line in itertools.islice(deliveries(_CORPUS), _CORPUS_LINES):
        body = json.dumps(line["payload"], ensure_ascii=False).encode()
        received_at = datetime.fromisoformat(line["occurred_at"]).astimezone(UTC)
        scene = Scene(
            line["event"],
            *(line["event"], body, line["delivery_id"], received_at),
            *("delivered", "webhook", None, "github"),
        )
        yield Planned(scene, 0, kind="recorded")


def _poisoned(each: Planned, poison: str, chance: random.Random) -> Planned:
    scene = each.scene
    if scene.provider == "linear" or scene.trick:
        # Linear's are written anew for each sending; the same poison comes in another's body.
        scene = _PLAIN
    body = POISONS[poison](json.loads(scene.body), chance)
    number = chance.randrange(10**9)
    # A delivery of Vercel's carries its id in the body.
    delivery_id = scene.delivery_id if scene.provider == "vercel" else f"poison-{number}"
    other = replace(scene, body=body, delivery_id=delivery_id)
    return Planned(other, each.tenant, kind=f"poison: {poison}")


_PLAIN = next(
    scene
    for scene in tell(date(2026, 1, 1)).scenes
    if scene.provider == "github" and scene.event == "pull_request" and scene.trick is None
)
