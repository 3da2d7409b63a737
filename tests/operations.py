"""Counts work where time would say more of the machine than of the code."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


def operations(run: Callable[[], object]) -> int:
    """Calls of functions, of Python's and built in, and steps of generators while it runs."""
    count = 0

    def step(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal count
        count += 1

    sys.setprofile(step)
    try:
        run()
    finally:
        sys.setprofile(None)
    return count
