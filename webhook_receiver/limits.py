"""What a client may take of the receiver, alone and together with all others: bytes, seconds, numbers.

Every default holds without a server in front. Who has to go when there is no room is in `room.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

LARGE_BODY = 1024 * 1024
"""From here a body is hashed and parsed off the event loop, and may not use the budget's last quarter."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Providers send heads of about 1 KB, bodies of at most 25 MB, and wait 5 to 10 seconds."""

    # One request.
    max_body_bytes: int = 25 * 1024 * 1024
    max_head_bytes: int = 32 * 1024
    max_headers: int = 100
    max_path_bytes: int = 2048
    max_trailer_bytes: int = 4 * 1024
    max_blank_lines: int = 4

    # All requests together.
    max_inflight_bytes: int = 128 * 1024 * 1024
    max_connections: int = 1024
    max_connections_per_address: int = 256

    # Time.
    head_seconds: float = 10.0
    """From the first byte of a head, or from connecting, to the head's end."""
    body_timeout_seconds: float = 20.0
    stall_seconds: float = 5.0
    min_bytes_per_second: int = 1024
    """A body that brings less than this, on average over `stall_seconds`, is ended."""
    answer_seconds: float = 10.0
    """How long a client may take to read an answer."""
    linger_seconds: float = 3.0
    """How long a client that was refused may go on sending, so that it reads why."""
    idle_seconds: float = 75.0
    """After an answer. Longer than the 60 s that nginx keeps a connection: the client should end it."""
    life_seconds: float = 3600.0

    def room_for(self, body_bytes: int, *, known: bool) -> int:
        """How full the budget may be with this body in it.

        Large bodies leave the last quarter to small ones; those of addresses that never sent a
        verified delivery also leave a quarter to the others.
        """
        quarters = 4 - (body_bytes > LARGE_BODY) - (not known)
        alone = min(self.max_body_bytes, self.max_inflight_bytes)
        return max(self.max_inflight_bytes * quarters // 4, alone)
