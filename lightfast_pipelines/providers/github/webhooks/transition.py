"""How an action of a webhook is told, of things that are open, closed or the like."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Transition:
    """Its name, its tag before a title, the field that has its time, the state it leads to.

    `state` is empty where the state stays as it was; `rank` orders changes of one moment, `weight`
    is where the significance score begins.
    """

    name: str
    tag: str
    time: str
    state: str
    rank: int
    weight: int
