"""Asks a provider's API on behalf of one installation: authorized, within budget, again where it helps.

What an answer means is the provider's (`providers/history.py`); what is left to ask stands in
`budget.py`, the credential in `credentials.py`.
"""

from __future__ import annotations

from lightfast_pipelines.providers.history import Answer, Call, Outcome


class CallFailedError(Exception):
    """A request that will not succeed; the message is for an operator and holds no secret."""

    def __init__(self, outcome: Outcome, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.outcome = outcome
        self.message = message
        self.retry_after = retry_after


class Api:
    """One installation's access to its provider's API."""

    def ask(self, call: Call, *, reserve: bool = True) -> Answer:
        """A good answer, or one of 304. Waits for the budget, obeys Retry-After, tries again what may
        succeed later. With `reserve` it leaves what is kept for live use. Raises CallFailedError."""
        raise NotImplementedError(call, reserve)
