"""Collects the body of one request, sent either with a stated length or in chunks.

Knows nothing about connections: the gate and `room.py` decide who has room for the bytes.
"""

from __future__ import annotations

from webhook_receiver.framing import Chunks, Head
from webhook_receiver.limits import Limits


class IncomingBody:
    """The body that follows a head, as far as it has arrived."""

    def __init__(self, head: Head, limits: Limits, now: float) -> None:
        self.content = bytearray()
        self.rest = b""
        """What arrived after the body's end."""
        self.head, self._limits = head, limits
        self._chunks = Chunks(limits) if head.length is None else None
        self._deadline = now + limits.body_timeout_seconds
        self._window_ends = now + limits.stall_seconds
        self._window_bytes = 0

    def feed(self, data: bytes) -> bool:
        """Adds what arrived; True when the body is complete. Raises Refusal."""
        size_before = len(self.content)
        if self._chunks is not None:
            is_complete = self._chunks.feed(data, self.content)
            self.rest = self._chunks.rest
        else:
            assert self.head.length is not None
            missing = self.head.length - size_before
            self.rest = data[missing:]
            self.content += data[:missing] if self.rest else data
            is_complete = len(self.content) == self.head.length
        self._window_bytes += len(self.content) - size_before
        return is_complete

    def is_late(self, now: float) -> bool:
        """Whether it takes too long, as a whole or over the last `stall_seconds`."""
        if now > self._deadline:
            return True
        if now < self._window_ends:
            return False
        limits = self._limits
        is_stalled = self._window_bytes < limits.min_bytes_per_second * limits.stall_seconds
        self._window_ends = now + limits.stall_seconds
        self._window_bytes = 0
        return is_stalled
