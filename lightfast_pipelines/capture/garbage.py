"""Pauses Python's search for cyclic garbage while a slice of the queue is captured, or a workspace decided.

Capture makes 100,000 values in a batch, none of which refers back to itself, so counting references frees all
of them. The search looked at them again and again, and took a sixth of capture's CPU time; in a process of
Dagster's it would look at all of its modules too. Consolidation spent an eighth of its time on it.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collection() -> Iterator[None]:
    """No search for cyclic garbage in the block; if it was off before, it stays off."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
