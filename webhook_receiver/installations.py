"""The installations' own webhook secrets, read from the database and cached for half a minute.

One query reads them all, so requests for unknown installations cost the database nothing. A secret
that ENCRYPTION_KEY does not open is the operator's mistake, not the sender's: its deliveries are
answered 503, so that they are sent again, because a sender that gets a 401 gives up.
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

CACHED_SECONDS = 30.0
"""The longest time until a new secret is used, or a removed one no longer is."""
NAMED_INSTALLATIONS = 10
"""The most installations that a log line names."""

log = logging.getLogger("webhook_receiver")


@dataclass(slots=True)
class InstallationKeys:
    """The secrets that verify an installation's deliveries, and how many more cannot be opened."""

    secrets: list[Secret] = field(default_factory=list)
    unopened: int = 0


class InstallationSecrets:
    """`keys` open the stored secrets; without them no installation's delivery can be verified."""

    def __init__(
        self, writer: Writer, keys: Keys | None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._writer = writer
        self._keys = keys
        self._clock = clock
        self._keys_by_installation: Mapping[tuple[str, str], InstallationKeys] = {}
        self._unopened: Mapping[int, str] = {}
        self._read_at: float | None = None
        self._reading = asyncio.Lock()

    async def find(self, provider: str, external_id: str) -> InstallationKeys | None:
        """None if there is no such installation or it never had a secret.

        Raises Unavailable while the database is away.
        """
        await self._read_if_old()
        return self._keys_by_installation.get((provider, external_id))

    async def fault(self) -> str | None:
        """What an operator has to fix before any installation's delivery can be verified.

        None while at least one secret opens: one installation's broken secret must not make the
        receiver unavailable to all others. Raises Unavailable while the database is away.
        """
        await self._read_if_old()
        if not self._unopened or any(keys.secrets for keys in self._keys_by_installation.values()):
            return None
        return _advice(self._unopened)

    async def _read_if_old(self) -> None:
        if self._is_fresh():
            return
        async with self._reading:
            if not self._is_fresh():
                self._open(await self._writer.read(SECRETS_SQL))
                self._read_at = self._clock()

    def _is_fresh(self) -> bool:
        return self._read_at is not None and self._clock() - self._read_at < CACHED_SECONDS

    def _open(self, rows: Sequence[Sequence[object]]) -> None:
        keys_by_installation: dict[tuple[str, str], InstallationKeys] = {}
        unopened: dict[int, str] = {}
        for provider, external_id, installation, key_id, text in rows:
            keys = keys_by_installation.setdefault(
                (str(provider), str(external_id)), InstallationKeys()
            )
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
        self._keys_by_installation = keys_by_installation
        self._log_changes(unopened)

    def _log_changes(self, unopened: Mapping[int, str]) -> None:
        """Logs which secrets cannot be opened, only when that changes."""
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
