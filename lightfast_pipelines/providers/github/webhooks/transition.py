"""How an action of a webhook is shown, for things that can be open or closed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ItemTransition:
    """A transition. `tag` stands before the title, `time` is the field that holds its time.

    `state` is empty if the state does not change; `rank` orders changes of one moment; `weight` is
    the base significance.
    """

    name: str
    tag: str
    time: str
    state: str
    rank: int
    weight: int
