"""What one delivery and all of them together may take: bytes and seconds.

Pure bookkeeping; reading a body by it is in `body.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

LARGE_BODY = 1024 * 1024
"""From here a body is hashed and parsed off the event loop, and may not use the budget's last quarter."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes and seconds."""

    max_body_bytes: int = 25 * 1024 * 1024
    max_inflight_bytes: int = 128 * 1024 * 1024
    body_timeout_seconds: float = 20.0


class Budget:
    """Bytes of bodies that are in memory now, over all requests.

    A body counts as its bytes arrive, not as they are announced: a client that announces much and
    sends little holds nothing. The last quarter is kept for small bodies, so that a few large ones
    do not shut the door to the many.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0

    def take(self, size: int, already_held: int) -> bool:
        """Counts `size` more bytes of a body of which `already_held` are counted; False: no room."""
        limit = self.limit if already_held + size <= LARGE_BODY else self.limit * 3 // 4
        if self.used + size > limit:
            return False
        self.used += size
        return True

    def give_back(self, size: int) -> None:
        self.used -= size
