"""Counts operations, because time would depend on the machine."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


def operations(run: Callable[[], object]) -> int:
    """The number of calls of Python and built-in functions and of generator steps in `run`."""
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
