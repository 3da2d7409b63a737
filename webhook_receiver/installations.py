"""The installations' own secrets, as the database has them, kept for half a minute.

One query reads them all, so that asking for installations that are none costs the database nothing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence

from lightfast_pipelines.providers.contract import Secret
from lightfast_pipelines.store.installations import SECRETS_SQL, identity
from lightfast_pipelines.store.sealed import Keys, Sealed, SealedError
from webhook_receiver.writer import Writer

KEPT_SECONDS = 30.0
"""How long a new secret may take to verify, and one that was removed to stop."""

log = logging.getLogger("webhook_receiver")

Known = Mapping[tuple[str, str], Sequence[Secret]]


class InstallationSecrets:
    """`keys` open what is stored; without them an installation is known and verifies nothing."""

    def __init__(
        self, writer: Writer, keys: Keys | None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._writer = writer
        self._keys = keys
        self._clock = clock
        self._known: Known = {}
        self._read_at: float | None = None
        self._reading = asyncio.Lock()

    async def find(self, provider: str, external_id: str) -> Sequence[Secret] | None:
        """The live secrets; None where there is no such installation or it never had one.

        Raises Unavailable while the database is away.
        """
        if not self._fresh():
            async with self._reading:
                if not self._fresh():
                    rows = await self._writer.read(SECRETS_SQL)
                    self._known = self._opened(rows)
                    self._read_at = self._clock()
        return self._known.get((provider, external_id))

    def _fresh(self) -> bool:
        return self._read_at is not None and self._clock() - self._read_at < KEPT_SECONDS

    def _opened(self, rows: Sequence[Sequence[object]]) -> Known:
        found: dict[tuple[str, str], list[Secret]] = {}
        for provider, external_id, installation, key_id, text in rows:
            secrets = found.setdefault((str(provider), str(external_id)), [])
            name = f"installation:{installation}"
            try:
                if self._keys is None:
                    raise SealedError("ENCRYPTION_KEY is not set")
                sealed = Sealed(str(key_id), str(text))
                secrets.append(
                    Secret(name, self._keys.open(sealed, identity(int(str(installation)))))
                )
            except SealedError as error:
                fields = {"installation": installation, "error": str(error)}
                log.warning("secret cannot be opened", extra={"fields": fields})
        return found
