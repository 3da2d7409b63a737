"""How many bytes, seconds and connections clients may use, each on its own and all together.

Every default is safe without a proxy in front. `room.py` decides whom to displace when there is no room.
"""

from __future__ import annotations

from dataclasses import dataclass

LARGE_BODY = 1024 * 1024
"""A larger body is hashed and parsed off the event loop, and may not use the budget's last quarter."""


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
    """From connecting, or from the first byte of a later head, to the head's end."""
    body_timeout_seconds: float = 20.0
    stall_seconds: float = 5.0
    min_bytes_per_second: int = 1024
    """A body that arrives more slowly than this, on average over `stall_seconds`, is refused."""
    answer_seconds: float = 10.0
    """How long a client may take to read an answer."""
    linger_seconds: float = 3.0
    """How long a refused client may go on sending, so that it reads the reason."""
    idle_seconds: float = 75.0
    """After an answer. Longer than the 60 s for which nginx keeps a connection, so that nginx ends it
    first."""
    life_seconds: float = 3600.0

    def room_for(self, body_bytes: int, *, is_known: bool) -> int:
        """How full the budget may be with this body in it.

        Large bodies leave the last quarter to small ones; bodies from addresses that never sent a
        verified delivery leave another quarter to known addresses.
        """
        quarters = 4 - (body_bytes > LARGE_BODY) - (not is_known)
        largest_body = min(self.max_body_bytes, self.max_inflight_bytes)
        return max(self.max_inflight_bytes * quarters // 4, largest_body)
