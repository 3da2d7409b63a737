"""Requests about many contents at once: which share one, what came of each, and what is asked again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import Any, Protocol, TypeVar

from lightfast_pipelines.language.asking import Asker, NotAskedError
from lightfast_pipelines.language.port import Prompt, PromptRejectedError, Reply
from lightfast_pipelines.store.model_answers import ContentKey, NewAnswer

# The model itself declines, and would decline again.
_FINAL = frozenset({"refused"})
# The content is at fault even if nothing else succeeds: the model was well enough to say so.
_CERTAIN = frozenset({"refused", "cut short"})

Item = TypeVar("Item")
Item_contra = TypeVar("Item_contra", contravariant=True)
Read = Sequence[Mapping[str, Any] | str | None]
"""For each item: a valid answer, why there will never be one, or None if it is missing or invalid."""


class Form(Protocol[Item_contra]):
    """How a purpose asks about its items, and reads the answers."""

    @property
    def most(self) -> int:
        """How many items a request may hold."""
        ...

    def key(self, item: Item_contra) -> ContentKey: ...

    def prompt(self, items: Sequence[Item_contra]) -> Prompt: ...

    def read(self, text: str, items: Sequence[Item_contra]) -> Read | None:
        """None if the text is no answer at all."""
        ...


def requests_about(form: Form[Item], items: Sequence[Item]) -> list[Sequence[Item]]:
    """The items of each request. Texts of two tenants never share one."""

    def workspace(item: Item) -> int:
        return form.key(item)[0]

    requests: list[Sequence[Item]] = []
    for _, group in groupby(sorted(items, key=workspace), key=workspace):
        own = list(group)
        requests.extend(own[start : start + form.most] for start in range(0, len(own), form.most))
    return requests


def answers_in(
    reply: Reply, keys: Sequence[ContentKey], read: Callable[[str], Read | None]
) -> list[NewAnswer] | str:
    """What the reply says about each content, or the problem if it says nothing about any of them."""
    if reply.ending != "complete":
        return reply.ending
    answers = read(reply.text)
    if answers is None or all(answer is None for answer in answers):
        return "invalid"
    shares = _shares(reply.tokens.input, len(keys)), _shares(reply.tokens.output, len(keys))
    return [
        NewAnswer(key, None, answer or "invalid", answer is not None, *tokens)
        if answer is None or isinstance(answer, str)
        else NewAnswer(key, answer, None, False, *tokens)
        for key, answer, *tokens in zip(keys, answers, *shares, strict=True)
    ]


def _shares(total: int, parts: int) -> list[int]:
    """The total in equal shares that add up to it."""
    return [total // parts + (number < total % parts) for number in range(parts)]


def ask_in_parts(
    asker: Asker, form: Form[Item], requests: Sequence[Sequence[Item]]
) -> Iterator[tuple[Sequence[Item], list[NewAnswer]]]:
    """What came of each item. A request that brings no answer is asked again in halves."""
    parts = deque(requests)
    while parts:
        part = parts.popleft()
        reply: Reply | None = None
        try:
            reply = asker.ask(form.prompt(part))
            keys = [form.key(item) for item in part]
            answers = answers_in(reply, keys, partial(form.read, items=part))
        except PromptRejectedError:
            answers = "rejected"
        if not isinstance(answers, str):
            asker.was_useful()
            yield part, answers
            continue
        asker.was_useless(answers)
        if len(part) > 1:
            parts += (part[: len(part) // 2], part[len(part) // 2 :])
        elif answers in _CERTAIN or asker.has_succeeded:
            tokens = (reply.tokens.input, reply.tokens.output) if reply else (0, 0)
            yield part, [NewAnswer(form.key(part[0]), None, answers, answers in _FINAL, *tokens)]
        else:
            # Nothing has succeeded, so it is not known to be the content's fault.
            asker.pause(f"the answer is of no use: {answers}", only_purpose=True)
            raise NotAskedError(f"the answer is of no use: {answers}")
