"""An answer other than 2xx, raised wherever a request has to be refused."""

from __future__ import annotations

RETRY_AFTER_SECONDS = 1


class Refusal(Exception):
    """`message` is for the sender, `reason` for the log."""

    def __init__(self, status: int, message: str, *, reason: str = "") -> None:
        super().__init__(status)
        self.status = status
        self.message = message
        self.reason = reason or message
