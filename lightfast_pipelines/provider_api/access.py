"""Opens a client for an installation: with its API's address, credential and budget."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lightfast_pipelines.provider_api.budget import RateBudget
from lightfast_pipelines.provider_api.client import ApiClient
from lightfast_pipelines.provider_api.transport import open_http_client
from lightfast_pipelines.providers.api_contract import discover_apis
from lightfast_pipelines.settings import Settings
from lightfast_pipelines.store.database import Database
from lightfast_pipelines.store.sources import Source


class StoredAccess:
    """Opens clients with the sealed credentials that the database keeps."""

    def __init__(self, database: Database, settings: Settings, actor: str = "operator") -> None:
        self._database, self._settings, self._actor = database, settings, actor

    @contextmanager
    def open(self, source: Source, check: Callable[[], None] = lambda: None) -> Iterator[ApiClient]:
        """Raises CallFailedError if the credential is refused, SealedError if it cannot be opened."""
        from lightfast_pipelines.provider_api.credentials import StoredCredentials

        settings, provider_api = self._settings, discover_apis()[source.provider]
        base_url = provider_api.base_url(settings.api_urls())
        with (
            self._database.connect(autocommit=True, application_name="lightfast budget") as conn,
            open_http_client(settings.api_timeout_seconds) as http,
        ):
            budget = RateBudget(
                conn,
                source.installation_id,
                reserve=settings.api_reserve,
                sleep=time.sleep,
                check=check,
            )
            credentials = StoredCredentials(
                self._database,
                settings,
                provider_api,
                source.installation_id,
                base_url,
                http,
                actor=self._actor,
            )
            yield ApiClient(provider_api, base_url, http, credentials, budget, sleep=time.sleep)
