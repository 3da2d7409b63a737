"""A process that asks for a credential: `python -m tests.backfill.asking DATABASE ID API`.

It prints that it is ready, waits for a line, then prints a hash of the credential that it was given.
"""

from __future__ import annotations

import hashlib
import sys

import httpx

from lightfast_pipelines.provider_api.credentials import StoredCredentials
from lightfast_pipelines.settings import Settings
from lightfast_pipelines.store.database import Database
from tests.provider_api.renewing import RenewingProviderApi


def main(address: str, installation_id: str, api: str) -> None:
    with httpx.Client() as http:
        credentials = StoredCredentials(
            Database(address=address),
            Settings(),
            RenewingProviderApi(),
            int(installation_id),
            api,
            http,
        )
        print("ready", flush=True)  # noqa: T201
        sys.stdin.readline()
        token = credentials.current().access_token or ""
    print(hashlib.sha256(token.encode()).hexdigest(), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
