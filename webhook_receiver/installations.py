"""The installations' own secrets, as the database has them, kept for half a minute.

One query reads them all, so that asking for installations that are none costs the database nothing.
A secret that ENCRYPTION_KEY does not open is the operator's mistake and never the sender's: its
deliveries are to come again (503), because a sender that is told 401 gives up.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from lightfast_pipelines.providers.webhook_contract import Secret
from lightfast_pipelines.store.installations import SECRETS_SQL, identity
from lightfast_pipelines.store.sealed import Keys, Sealed, SealedError
from webhook_receiver.writer import Writer

KEPT_SECONDS = 30.0
"""How long a new secret may take to verify, and one that was removed to stop."""
NAMED_INSTALLATIONS = 10
"""How many installations a log line names."""

log = logging.getLogger("webhook_receiver")


@dataclass(slots=True)
class InstallationKeys:
    """What verifies an installation's deliveries, and how many of its secrets cannot be opened."""

    secrets: list[Secret] = field(default_factory=list)
    unopened: int = 0


class InstallationSecrets:
    """`keys` open what is stored; without them an installation is known and cannot be verified."""

    def __init__(
        self, writer: Writer, keys: Keys | None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._writer = writer
        self._keys = keys
        self._clock = clock
        self._known: Mapping[tuple[str, str], InstallationKeys] = {}
        self._unopened: Mapping[int, str] = {}
        self._read_at: float | None = None
        self._reading = asyncio.Lock()

    async def find(self, provider: str, external_id: str) -> InstallationKeys | None:
        """None where there is no such installation or it never had a secret.

        Raises Unavailable while the database is away.
        """
        await self._read_if_old()
        return self._known.get((provider, external_id))

    async def fault(self) -> str | None:
        """What an operator has to mend before any installation's delivery can be verified.

        None while at least one secret opens: a single installation's broken secret must not take
        the receiver away from all others. Raises Unavailable while the database is away.
        """
        await self._read_if_old()
        if not self._unopened or any(known.secrets for known in self._known.values()):
            return None
        return _advice(self._unopened)

    async def _read_if_old(self) -> None:
        if self._fresh():
            return
        async with self._reading:
            if not self._fresh():
                self._open(await self._writer.read(SECRETS_SQL))
                self._read_at = self._clock()

    def _fresh(self) -> bool:
        return self._read_at is not None and self._clock() - self._read_at < KEPT_SECONDS

    def _open(self, rows: Sequence[Sequence[object]]) -> None:
        known: dict[tuple[str, str], InstallationKeys] = {}
        unopened: dict[int, str] = {}
        for provider, external_id, installation, key_id, text in rows:
            keys = known.setdefault((str(provider), str(external_id)), InstallationKeys())
            number = int(str(installation))
            try:
                if self._keys is None:
                    raise SealedError("ENCRYPTION_KEY is not set")
                opened = self._keys.open(Sealed(str(key_id), str(text)), identity(number))
            except SealedError as error:
                keys.unopened += 1
                unopened[number] = str(error)
            else:
                keys.secrets.append(Secret(f"installation:{number}", opened))
        self._known = known
        self._tell(unopened)

    def _tell(self, unopened: Mapping[int, str]) -> None:
        """Logs what cannot be opened when that changes, not with each reading."""
        if unopened == self._unopened:
            return
        self._unopened = unopened
        if unopened:
            fields = {
                "installations": sorted(unopened)[:NAMED_INSTALLATIONS],
                "in_all": len(unopened),
                "error": _advice(unopened),
            }
            log.error("secrets cannot be opened", extra={"fields": fields})
        else:
            log.info("all secrets can be opened again")


def _advice(unopened: Mapping[int, str]) -> str:
    first = unopened[min(unopened)]
    return (
        f"webhook secrets of {len(unopened)} installation(s) cannot be opened: {first}; set "
        "ENCRYPTION_KEY as it was when they were stored and restart the receiver, or store them "
        "again with `lightfast installation secret` (`lightfast keys status` shows which key is missing)"
    )
