"""Defines every setting once, and reads them from the environment.

Nothing else reads the environment. Values are validated here and handed on as plain fields.
`mistakes.py` words the message for a wrong value, `home.py` finds the home.
"""

from __future__ import annotations

import os
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import SettingsConfigDict

from lightfast_pipelines.settings.addresses import (
    ApiAddress,
    Network,
    dagster_address,
    host_names,
    listening_address,
    networks,
    postgres_address,
    proxies,
)
from lightfast_pipelines.settings.home import Home, absolute, find_home
from lightfast_pipelines.settings.mistakes import SettingsError, explain
from lightfast_pipelines.settings.retention import RetentionSettings

__all__ = ["Settings", "SettingsError", "settings", "the_home"]

# Older than every provider: an earlier time comes from a wrong clock, and each year of partitions
# costs Dagster time.
_EARLIEST_DAY = date(2008, 1, 1)

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]


def _day(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return date.fromisoformat(value.strip()) if value.strip() else None
    except ValueError as error:
        raise ValueError("a day, as 2024-01-31") from error


def _upper(value: object) -> object:
    return value.strip().upper() if isinstance(value, str) else value


class Settings(RetentionSettings):
    """Settings of every process. A field's description is what `docs/operations.md` prints."""

    # Read by alias only: by field name, the variable HOME would set `home`, and HOST `host`.
    # An empty variable counts as unset: containers and service managers pass on blanks.
    model_config = SettingsConfigDict(
        extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    home: Annotated[Path, AfterValidator(absolute)] = Field(
        default_factory=lambda: the_home().folder,
        alias="LIGHTFAST_HOME",
        description=(
            "Folder of the embedded database, logs and Dagster's local files; default: the nearest "
            "`.lightfast` in the current folder or above it, else `~/.lightfast`."
        ),
    )
    database_url: Annotated[SecretStr | None, AfterValidator(postgres_address)] = Field(
        default=None,
        alias="LIGHTFAST_DATABASE_URL",
        description=(
            "A Postgres 16+ with pgvector, with its owner's login. Without any address an embedded "
            "server is started."
        ),
    )
    receiver_database_url: Annotated[SecretStr | None, AfterValidator(postgres_address)] = Field(
        default=None,
        alias="LIGHTFAST_RECEIVER_DATABASE_URL",
        description="The same Postgres with the receiver's own login (`lightfast db roles` makes it).",
    )
    pipeline_database_url: Annotated[SecretStr | None, AfterValidator(postgres_address)] = Field(
        default=None,
        alias="LIGHTFAST_PIPELINE_DATABASE_URL",
        description="The same Postgres with the pipeline's own login, also for Dagster's tables there.",
    )
    analyst_database_url: Annotated[SecretStr | None, AfterValidator(postgres_address)] = Field(
        default=None,
        alias="LIGHTFAST_ANALYST_DATABASE_URL",
        description="The same Postgres with the analyst's own login, for `lightfast db url` and `db psql`.",
    )
    dagster_database_url: Annotated[SecretStr | None, AfterValidator(dagster_address)] = Field(
        default=None,
        alias="LIGHTFAST_DAGSTER_DATABASE_URL",
        description="Dagster's own storage; default: a database `dagster` on the same server.",
    )
    host: str = Field(
        default="127.0.0.1",
        alias="LIGHTFAST_HOST",
        description="Address that the receiver binds to.",
    )
    receiver_port: int = Field(
        default=4100,
        ge=0,
        le=65535,
        alias="LIGHTFAST_RECEIVER_PORT",
        description="Port of the receiver; 0: any free port.",
    )
    receiver_workers: int = Field(
        default=1,
        ge=1,
        le=64,
        alias="LIGHTFAST_RECEIVER_WORKERS",
        description="Processes that receive side by side; they share the limits below.",
    )
    metrics_address: Annotated[str, AfterValidator(listening_address)] = Field(
        default="127.0.0.1:4101",
        alias="LIGHTFAST_METRICS_ADDRESS",
        description="Where the receiver serves `/metrics` for Prometheus; `off`: nowhere.",
    )
    dagster_port: int = Field(
        default=3000,
        ge=0,
        le=65535,
        alias="LIGHTFAST_DAGSTER_PORT",
        description="Port of Dagster's UI; 0: any free port.",
    )
    dagster_host: str = Field(
        default="127.0.0.1",
        alias="LIGHTFAST_DAGSTER_HOST",
        description="Address that Dagster's UI binds to. It has no password: see below before you change this.",
    )
    dagster_names_listed: Annotated[str, AfterValidator(host_names)] = Field(
        default="",
        alias="LIGHTFAST_DAGSTER_NAMES",
        description="Names under which browsers open Dagster's UI, such as a proxy's, separated by commas.",
    )
    partitions_start: Annotated[date | None, BeforeValidator(_day)] = Field(
        default=None,
        alias="LIGHTFAST_PARTITIONS_START",
        description="First daily partition (UTC), as 2024-01-31. Unset: the day of the oldest data.",
    )
    max_body_bytes: int = Field(
        default=25 * 1024 * 1024,
        gt=0,
        alias="LIGHTFAST_MAX_BODY_BYTES",
        description="Largest body the receiver accepts.",
    )
    max_inflight_bytes: int = Field(
        default=128 * 1024 * 1024,
        gt=0,
        alias="LIGHTFAST_MAX_INFLIGHT_BYTES",
        description="Total size of bodies that the receiver holds at once, in bytes; beyond that it answers 503.",
    )
    body_timeout_seconds: float = Field(
        default=20.0,
        allow_inf_nan=False,
        gt=0,
        alias="LIGHTFAST_BODY_TIMEOUT_SECONDS",
        description="How long a client may take to send a body.",
    )
    max_connections: int = Field(
        default=1024,
        gt=0,
        alias="LIGHTFAST_MAX_CONNECTIONS",
        description="Connections that the receiver keeps open; beyond that it closes the longest-waiting ones.",
    )
    max_connections_per_address: int = Field(
        default=256,
        ge=0,
        alias="LIGHTFAST_MAX_CONNECTIONS_PER_ADDRESS",
        description="Connections from one address (an IPv6 /64); 0: no limit.",
    )
    trusted_proxies: Annotated[str | None, AfterValidator(proxies)] = Field(
        default=None,
        alias="LIGHTFAST_TRUSTED_PROXIES",
        description=(
            "Addresses or networks, separated by commas, whose `X-Forwarded-For` the receiver "
            "believes; they may open any number of connections. Unset: it believes nobody's."
        ),
    )
    batch_rows: int = Field(
        default=500,
        gt=0,
        alias="LIGHTFAST_BATCH_ROWS",
        description="Deliveries captured in one transaction.",
    )
    batch_seconds: float = Field(
        default=30.0,
        allow_inf_nan=False,
        gt=0,
        alias="LIGHTFAST_BATCH_SECONDS",
        description="Time limit of such a transaction, plus 0.1 s per delivery and 5 s per MiB of bodies.",
    )
    run_rows: int = Field(
        default=20_000,
        gt=0,
        alias="LIGHTFAST_RUN_ROWS",
        description="Most deliveries that one Dagster run captures.",
    )
    worker: bool = Field(
        default=False,
        alias="LIGHTFAST_WORKER",
        description="Whether `lightfast up` also runs a worker, which captures deliveries within a second.",
    )
    log_level: Annotated[LogLevel, BeforeValidator(_upper)] = Field(
        default="INFO",
        alias="LIGHTFAST_LOG_LEVEL",
        description="Level of the structured logs: DEBUG, INFO, WARNING, ERROR or CRITICAL.",
    )
    github_webhook_secret: SecretStr | None = Field(
        default=None,
        alias="GITHUB_WEBHOOK_SECRET",
        description="GitHub's webhook secret; two, comma-separated, while rotating. Unset: deliveries are refused.",
    )
    vercel_client_integration_secret: SecretStr | None = Field(
        default=None,
        alias="VERCEL_CLIENT_INTEGRATION_SECRET",
        description="The Vercel integration's client secret.",
    )
    linear_webhook_signing_secret: SecretStr | None = Field(
        default=None,
        alias="LINEAR_WEBHOOK_SIGNING_SECRET",
        description="Linear's webhook signing secret.",
    )
    linear_timestamp_tolerance_seconds: float = Field(
        default=28_800.0,
        allow_inf_nan=False,
        gt=0,
        alias="LINEAR_TIMESTAMP_TOLERANCE_SECONDS",
        description="Maximum age of Linear's signed time; retries keep the first attempt's time, up to 7 hours old.",
    )
    sentry_client_secret: SecretStr | None = Field(
        default=None,
        alias="SENTRY_CLIENT_SECRET",
        description="The Sentry integration's client secret.",
    )
    sentry_timestamp_tolerance_seconds: float = Field(
        default=300.0,
        allow_inf_nan=False,
        gt=0,
        alias="SENTRY_TIMESTAMP_TOLERANCE_SECONDS",
        description="How far the time in Sentry's header may differ from now; every retry has a new time.",
    )
    encryption_key: SecretStr | None = Field(
        default=None,
        alias="ENCRYPTION_KEY",
        description="Seals stored secrets: 32 bytes, hex or base64. The first of several (comma-separated) seals.",
    )
    github_app_id: str | None = Field(
        default=None, alias="GITHUB_APP_ID", description="The GitHub App's id, for its API."
    )
    github_app_private_key: SecretStr | None = Field(
        default=None,
        alias="GITHUB_APP_PRIVATE_KEY",
        description="The GitHub App's private key: PEM (\\n may stand for line ends) or base64 of PEM.",
    )
    linear_client_id: str | None = Field(
        default=None,
        alias="LINEAR_CLIENT_ID",
        description="The Linear application's client id, to renew tokens.",
    )
    linear_client_secret: SecretStr | None = Field(
        default=None,
        alias="LINEAR_CLIENT_SECRET",
        description="The Linear application's client secret, to renew tokens.",
    )
    sentry_client_id: str | None = Field(
        default=None,
        alias="SENTRY_CLIENT_ID",
        description="The Sentry integration's client id, to renew tokens with SENTRY_CLIENT_SECRET.",
    )
    github_api_url: ApiAddress = Field(
        default=None,
        alias="GITHUB_API_URL",
        description="GitHub's API; default https://api.github.com. GitHub Enterprise Server: https://HOST/api/v3.",
    )
    vercel_api_url: ApiAddress = Field(
        default=None,
        alias="VERCEL_API_URL",
        description="Vercel's API; default https://api.vercel.com.",
    )
    linear_api_url: ApiAddress = Field(
        default=None,
        alias="LINEAR_API_URL",
        description="Linear's API; default https://api.linear.app.",
    )
    sentry_api_url: ApiAddress = Field(
        default=None,
        alias="SENTRY_API_URL",
        description="Sentry's API; default https://sentry.io. EU: https://de.sentry.io.",
    )
    api_reserve: int = Field(
        default=50,
        ge=0,
        alias="LIGHTFAST_API_RESERVE",
        description="Requests of each rate limit that reading history leaves unused.",
    )
    api_timeout_seconds: float = Field(
        default=30.0,
        allow_inf_nan=False,
        gt=0,
        alias="LIGHTFAST_API_TIMEOUT_SECONDS",
        description="How long to wait for a provider's API.",
    )
    sweep_share: float = Field(
        default=0.05,
        allow_inf_nan=False,
        gt=0,
        le=1,
        alias="LIGHTFAST_SWEEP_SHARE",
        description="Share of each rate limit that sweeps may use in an hour.",
    )

    @classmethod
    def secret_names(cls) -> set[str]:
        """Variables that hold a secret."""
        return {
            str(field.alias)
            for field in cls.model_fields.values()
            if SecretStr.__name__ in str(field.annotation)
        }

    @property
    def is_embedded(self) -> bool:
        """Whether the embedded database is used: no address of another one is set."""
        return self.database_url is None and not self.addresses_of_roles()

    def addresses_of_roles(self) -> dict[Literal["receiver", "pipeline", "analyst"], str]:
        """The address of each role that has a login of its own."""
        addresses: dict[Literal["receiver", "pipeline", "analyst"], SecretStr | None] = {
            "receiver": self.receiver_database_url,
            "pipeline": self.pipeline_database_url,
            "analyst": self.analyst_database_url,
        }
        return {role: url.get_secret_value() for role, url in addresses.items() if url is not None}

    @property
    def earliest_day(self) -> date:
        """The first day of any delivery; what happened before counts as of this day."""
        return self.partitions_start or _EARLIEST_DAY

    @property
    def dagster_names(self) -> list[str]:
        """The names listed in LIGHTFAST_DAGSTER_NAMES."""
        return [name for part in self.dagster_names_listed.split(",") if (name := part.strip())]

    def proxy_networks(self) -> list[Network]:
        """The networks of `trusted_proxies`."""
        return networks(self.trusted_proxies or "")

    def api_urls(self) -> dict[str, str]:
        """The API addresses that are set, by variable name."""
        fields = ("github_api_url", "vercel_api_url", "linear_api_url", "sentry_api_url")
        return {name.upper(): url for name in fields if (url := getattr(self, name))}

    def webhook_secrets(self, names: tuple[str, ...]) -> list[tuple[str, bytes]]:
        """(`env:NAME` or `env:NAME#2`, secret) for each secret set in these environment variables.

        A name without a field here belongs to a provider that was added as a folder.
        """
        secrets: list[tuple[str, bytes]] = []
        by_alias = {field.alias: name for name, field in type(self).model_fields.items()}
        for name in names:
            if name in by_alias:
                field = getattr(self, by_alias[name])
                value = field.get_secret_value() if field else ""
            else:
                value = os.environ.get(name, "")
            parts = [part.strip() for part in value.split(",")]
            for position, part in enumerate((part for part in parts if part), start=1):
                secrets.append(
                    (f"env:{name}" if position == 1 else f"env:{name}#{position}", part.encode())
                )
        return secrets


def the_home() -> Home:
    """The home that the environment and the current folder give, and why."""
    return find_home(os.environ)


@cache
def settings() -> Settings:
    """The process's settings, read once. Raises SettingsError: one line, without a secret."""
    try:
        return Settings()
    except ValidationError as error:
        message = explain(error, Settings.model_fields)
    # Raised outside the handler, so that no traceback shows pydantic's error, which holds the input.
    raise SettingsError(message)
