"""Known items for search: questions whose answers are in a recorded history, and the memory without the questions.

What the question is taken from is masked before anything is ingested, so that no text, edge, entity or
cluster of the memory knows it:

- `commit`: the message of a commit. Its answers are the pull request that brought it in and the other
  commits of that. The commit is left out of the pushes.
- `pull request`: title and description of a pull request. Its answers are its commits; it is left out, and
  so is the merge commit, in which GitHub repeats the title.
- `sentence`: a sentence of a description, which is taken out of all texts that repeat it. Its answers are
  the pull request and its commits.
- `mention`: the text of something that names a pull request by its number, as a revert or a follow-up
  does; it is left out. Its answers are that pull request and its commits.

Numbers, ids and addresses are taken out of every question. Where question and answer have the same title,
or the memory repeats the beginning of the question word for word, a look-up would do: these are left out.
What is asked for by its name is a set of its own, from which nothing is learnt.
"""

from __future__ import annotations

import copy
import random
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.corpus import deliveries, gold_of

_SEED = 20_261_130
_MOST_OF_A_KIND = 160
_NAMED_ITEMS = 40
_NAMED = re.compile(r"(?<![\w/])#(\d+)\b")
_CLUES = (
    re.compile(r"https?://\S+"),
    re.compile(r"\b[\w.-]+/[\w.-]+#\d+"),
    re.compile(r"\(?#\d+\)?"),
    re.compile(r"\b(?:gh|GH)-\d+"),
    re.compile(r"\b(?=[0-9a-f]*\d)[0-9a-f]{7,40}\b"),
    re.compile(
        r"^(?:Co-authored-by|Signed-off-by|This reverts commit).*$", re.MULTILINE | re.IGNORECASE
    ),
)
_MERGE = re.compile(r"Merge pull request #(\d+) ")
# So much of a question, or all of a shorter one, must not be repeated word for word in the memory.
_REPEATED = 60
_SENTENCE = re.compile(r"[^.!?\n]{30,240}(?:[.!?](?=\s|$)|(?=\n|$))")


@dataclass(frozen=True, slots=True)
class KnownItem:
    """A question and the keys of the entities whose observations answer it."""

    kind: str
    question: str
    answers: frozenset[str]


@dataclass(slots=True)
class MaskedHistory:
    """The deliveries of a history without what the questions are taken from."""

    name: str
    items: list[KnownItem]
    named: list[KnownItem]
    deliveries: list[dict[str, Any]]


@dataclass(slots=True)
class _History:
    repository: str
    pulls: dict[int, dict[str, Any]] = field(default_factory=dict)
    messages: dict[str, str] = field(default_factory=dict)
    commits_of: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    pull_of: dict[str, int] = field(default_factory=dict)

    def keys_of(self, number: int, but: Sequence[str] = ()) -> frozenset[str]:
        """The pull request and its commits."""
        return frozenset(
            [
                f"github:pr:{self.repository}#{number}",
                *(f"github:commit:{sha}" for sha in self.commits_of[number] if sha not in but),
            ]
        )


def mask(file: Path, gold: Path, *, most: int = _MOST_OF_A_KIND) -> MaskedHistory:
    """Takes questions out of a history, the same in every run."""
    lines = list(deliveries(file))
    history = _read(lines, gold)
    chance = random.Random(_SEED)
    touched: set[int] = set()
    items: list[KnownItem] = []
    left_out_pulls: set[int] = set()
    left_out_commits: set[str] = set()
    taken_out: dict[int, str] = {}
    for candidates in (
        _mentions(history),
        _commits(history),
        _pulls(history),
        _sentences(history),
    ):
        drawn = list(candidates)
        chance.shuffle(drawn)
        chosen = 0
        for item, pulls, own_pull, own_commits, sentence in drawn:
            # A pull request is part of one question at most, so that no question masks another's answer.
            if chosen == most or touched & pulls or len(item.question.split()) < 4:
                continue
            touched |= pulls
            chosen += 1
            items.append(item)
            left_out_commits.update(own_commits)
            if own_pull is not None and sentence is None:
                left_out_pulls.add(own_pull)
            if own_pull is not None and sentence is not None:
                taken_out[own_pull] = sentence
    masked = [
        line
        for each in lines
        if (line := _masked(each, history, left_out_pulls, left_out_commits, taken_out)) is not None
    ]
    memory = _everything(masked)
    items = [item for item in items if _normal(item.question)[:_REPEATED] not in memory]
    names = _named(history, touched, chance)
    return MaskedHistory(file.name.partition(".")[0], items, names, masked)


def _named(history: _History, touched: set[int], chance: random.Random) -> list[KnownItem]:
    """Things that are asked for by number or by the beginning of their sha. Nothing is masked for them."""
    numbers = sorted(set(history.pulls) - touched)
    drawn = chance.sample(numbers, min(_NAMED_ITEMS, len(numbers)))
    items = [KnownItem("number", f"#{number}", history.keys_of(number)) for number in drawn]
    for number in drawn:
        if shas := history.commits_of[number]:
            question = f"what did {shas[0][:10]} change"
            items.append(KnownItem("sha", question, frozenset([f"github:commit:{shas[0]}"])))
    return items


def _everything(lines: Sequence[dict[str, Any]]) -> str:
    """All texts of the memory."""
    texts: list[str] = []
    for line in lines:
        payload = line["payload"]
        if line["event"] == "pull_request":
            pull = payload["pull_request"]
            texts += [pull["title"], pull.get("body") or ""]
        elif line["event"] == "push":
            texts += [commit["message"] for commit in payload["commits"]]
    return "\n".join(map(_normal, texts))


def _normal(text: str) -> str:
    return " ".join(_words(text))


def plain(text: str) -> str:
    """The text without numbers, ids and addresses of what it names."""
    for clue in _CLUES:
        text = clue.sub(" ", text)
    return " ".join(text.split())


def _read(lines: Sequence[dict[str, Any]], gold: Path) -> _History:
    history = _History("")
    threads = gold_of(gold)
    for line in lines:
        payload = line["payload"]
        history.repository = str(payload["repository"]["id"])
        if line["event"] == "pull_request":
            history.pulls[payload["number"]] = payload["pull_request"]
        elif line["event"] == "push":
            for commit in payload["commits"]:
                history.messages[commit["id"]] = commit["message"]
    for sha, message in history.messages.items():
        merge = _MERGE.match(message)
        number = merge[1] if merge else threads.get(sha, "")
        if number.isdigit() and int(number) in history.pulls:
            history.commits_of[int(number)].append(sha)
            history.pull_of[sha] = int(number)
    return history


# (question, pull requests that it touches, the masked one, masked commits, masked sentence)
_Draw = tuple[KnownItem, frozenset[int], int | None, Sequence[str], str | None]


def _mentions(history: _History) -> Iterator[_Draw]:
    for sha, message in history.messages.items():
        own = history.pull_of.get(sha)
        numbers = {int(number) for number in _NAMED.findall(message)} - {own}
        known = [number for number in numbers if number in history.pulls]
        if message.startswith("Merge pull request") or len(known) != 1:
            continue
        [number] = known
        title = _title(message)
        if _same(title, history.pulls[number]["title"]):
            continue
        question = _question(message)
        touched = frozenset({number} | ({own} if own is not None else set()))
        own_commits = history.commits_of[own] if own is not None else [sha]
        yield (
            KnownItem("mention", question, history.keys_of(number)),
            touched,
            own,
            own_commits,
            None,
        )


def _commits(history: _History) -> Iterator[_Draw]:
    for sha, number in history.pull_of.items():
        message = history.messages[sha]
        if message.startswith("Merge ") or _same(_title(message), history.pulls[number]["title"]):
            continue
        answers = history.keys_of(number, but=[sha])
        yield (
            KnownItem("commit", _question(message), answers),
            frozenset({number}),
            None,
            [sha],
            None,
        )


def _pulls(history: _History) -> Iterator[_Draw]:
    for number, pull in history.pulls.items():
        merges = [
            sha
            for sha in history.commits_of[number]
            if history.messages[sha].startswith("Merge pull request")
        ]
        others = [sha for sha in history.commits_of[number] if sha not in merges]
        if not others or any(_same(_title(history.messages[sha]), pull["title"]) for sha in others):
            continue
        answers = frozenset(f"github:commit:{sha}" for sha in others)
        question = _question(f"{pull['title']}\n{pull.get('body') or ''}")
        yield (
            KnownItem("pull request", question, answers),
            frozenset({number}),
            number,
            merges,
            None,
        )


def _sentences(history: _History) -> Iterator[_Draw]:
    for number, pull in history.pulls.items():
        title_words = set(_words(pull["title"]))
        for match in _SENTENCE.finditer(pull.get("body") or ""):
            sentence = match[0].strip()
            words = _words(plain(sentence))
            if len(words) >= 6 and len(set(words) - title_words) >= 4:
                yield (
                    KnownItem("sentence", plain(sentence).lstrip("*- "), history.keys_of(number)),
                    frozenset({number}),
                    number,
                    [],
                    sentence,
                )
                break


def _question(text: str) -> str:
    """What a person would ask with it: its title and the beginning of what follows."""
    title, _, rest = text.partition("\n")
    return f"{plain(title)} {plain(rest)[:200]}".strip()


def _title(message: str) -> str:
    return message.partition("\n")[0]


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", plain(text).lower())


def _same(one: str, other: str) -> bool:
    return _words(one) == _words(other)


def _masked(
    line: dict[str, Any],
    history: _History,
    pulls: set[int],
    commits: set[str],
    sentences: dict[int, str],
) -> dict[str, Any] | None:
    payload = line["payload"]
    if line["event"] == "pull_request":
        number = payload["number"]
        if number in pulls:
            return None
        if number in sentences:
            line = copy.deepcopy(line)
            pull = line["payload"]["pull_request"]
            pull["body"] = _without(pull["body"], sentences[number])
        return line
    if line["event"] != "push":
        return line
    kept = []
    for commit in payload["commits"]:
        sentence = sentences.get(history.pull_of.get(commit["id"], -1))
        if commit["id"] in commits:
            continue
        kept.append(
            commit
            if sentence is None
            else {**commit, "message": _without(commit["message"], sentence)}
        )
    if not kept:
        return None
    head = payload.get("head_commit")
    if head is not None:
        head = next((commit for commit in kept if commit["id"] == head["id"]), kept[-1])
    return {**line, "payload": {**payload, "commits": kept, "head_commit": head}}


def _without(text: str, sentence: str) -> str:
    """The text without the sentence, however its lines are broken."""
    return re.sub(r"\s+".join(map(re.escape, sentence.split())), "", text)
