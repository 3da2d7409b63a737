"""Settings are read from their documented variables only."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lightfast_pipelines.settings import Settings, SettingsError, settings
from lightfast_pipelines.settings.addresses import with_options


@pytest.fixture
def from_environment() -> Iterator[Callable[[], Settings]]:
    """Reads the settings anew, as a process does when it starts."""
    settings.cache_clear()
    yield settings
    settings.cache_clear()


def test_a_variable_named_like_a_field_sets_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("LIGHTFAST_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".lightfast").mkdir()
    for name in ("HOME", "HOST", "LOG_LEVEL", "DATABASE_URL", "home", "host"):
        monkeypatch.setenv(name, "/somewhere/else")
    chosen = Settings()
    assert chosen.home == tmp_path / ".lightfast"
    assert (chosen.host, chosen.log_level, chosen.database_url) == ("127.0.0.1", "INFO", None)


def test_a_setting_may_hold_two_secrets_during_rotation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_WEBHOOK_SECRET", "new, old")
    assert Settings().webhook_secrets(("GITHUB_WEBHOOK_SECRET",)) == [
        ("env:GITHUB_WEBHOOK_SECRET", b"new"),
        ("env:GITHUB_WEBHOOK_SECRET#2", b"old"),
    ]


@pytest.mark.parametrize(
    ("name", "value", "understood"),
    [
        ("LIGHTFAST_RECEIVER_PORT", "many", "a whole number from 0 to 65535"),
        ("LIGHTFAST_DAGSTER_PORT", "70000", "a whole number from 0 to 65535"),
        ("LIGHTFAST_MAX_BODY_BYTES", "25MB", "a whole number above 0"),
        ("LIGHTFAST_BATCH_ROWS", "1.5", "a whole number above 0"),
        ("LIGHTFAST_API_TIMEOUT_SECONDS", "nan", "a number above 0"),
        ("LIGHTFAST_SWEEP_SHARE", "2", "a number above 0 and of at most 1"),
        ("LIGHTFAST_API_RESERVE", "-1", "a whole number of at least 0"),
        ("LIGHTFAST_PARTITIONS_START", "gestern", "a day, as 2024-01-31"),
        ("LIGHTFAST_PARTITIONS_START", "2024-13-01", "a day, as 2024-01-31"),
        ("LIGHTFAST_PARTITIONS_START", "2024", "a day, as 2024-01-31"),
        ("LIGHTFAST_PARTITIONS_START", "31.01.2024", "a day, as 2024-01-31"),
        ("LIGHTFAST_LOG_LEVEL", "LOUD", "one of 'DEBUG', 'INFO'"),
        ("GITHUB_API_URL", "ghe.acme.com", "https://HOST"),
        ("LIGHTFAST_OPENAI_MODEL", "ada", "'text-embedding-3-small' or 'text-embedding-3-large'"),
        ("LIGHTFAST_OPENAI_DIMENSIONS", "2000", "or LIGHTFAST_OPENAI_MODEL=text-embedding-3-large"),
        ("LIGHTFAST_OPENAI_DIMENSIONS", "3", "64 to 1536 dimensions for text-embedding-3-small"),
    ],
)
def test_a_wrong_setting_gives_one_line_with_its_value_and_what_is_valid(
    name: str,
    value: str,
    understood: str,
    monkeypatch: pytest.MonkeyPatch,
    from_environment: Callable[[], Settings],
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as raised:
        from_environment()
    message = str(raised.value)
    assert message.startswith(f"{name}={value!r} is not understood: ")
    assert understood in message
    assert "\n" not in message


@pytest.mark.parametrize(
    "value",
    [
        "mysql://app:hunter2@db/memory",
        "postgresql+psycopg2://app:hunter2@db/memory",
        "postgresql://app:hun/ter2@db/memory",
        "postgresql://app:hun@ter2@db/memory",
        "postgresql://app:hun#ter2@db/memory",
        "postgresql://app:hun?ter2@db/memory",
        "postgresql://app:hunter2%@db/memory",
        "postgresql://app:hun[ter2@db/memory",
        "postgresql://app:hun\u2100ter2@db/memory",
        "postgresql://app:hun ter2@db/memory",
        "postgresql://app:hunter2@db:port/memory",
        "postgresql://app:hunter2@db:99999/memory",
        "postgresql://db/memory?hunter2",
        "host=db password=hunter2",
        "hunter2",
    ],
)
@pytest.mark.parametrize("name", ["LIGHTFAST_DATABASE_URL", "LIGHTFAST_DAGSTER_DATABASE_URL"])
def test_an_invalid_database_address_is_refused_without_showing_its_password(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, from_environment: Callable[[], Settings]
) -> None:
    if name == "LIGHTFAST_DAGSTER_DATABASE_URL" and "+psycopg2" in value:
        value = value.replace("hunter2", "hun/ter2")
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as raised:
        from_environment()
    shown = "".join(traceback.format_exception(raised.value))
    assert name in shown
    assert "postgresql://USER" in shown
    assert not [part for part in ("hun", "ter2") if part in shown.replace("not understood", "")]


@pytest.mark.parametrize(
    "value",
    [
        "postgresql://app:hun%2Fter2@db:5433/memory?sslmode=require",
        "postgres://app:p:w@one:5432,two:5432/memory",
        "postgresql://app@[::1]:5432/memory",
        "postgresql:///memory?host=%2Fvar%2Frun%2Fpostgresql",
    ],
)
def test_addresses_that_libpq_can_read_are_kept_unchanged(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIGHTFAST_DATABASE_URL", f" {value} ")
    address = Settings().database_url
    assert address is not None
    assert address.get_secret_value() == value


def test_an_api_address_with_a_password_is_refused_without_showing_it(
    monkeypatch: pytest.MonkeyPatch, from_environment: Callable[[], Settings]
) -> None:
    monkeypatch.setenv("GITHUB_API_URL", "https://me:hunter2@ghe.acme.com/api/v3")
    with pytest.raises(SettingsError, match="without user and password") as raised:
        from_environment()
    assert "hunter2" not in str(raised.value)


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "LIGHTFAST_DATABASE_URL",
        "LIGHTFAST_RECEIVER_PORT",
        "GITHUB_WEBHOOK_SECRET",
        "LIGHTFAST_PARTITIONS_START",
    ):
        monkeypatch.setenv(name, "")
    chosen = Settings()
    assert (chosen.database_url, chosen.receiver_port, chosen.github_webhook_secret) == (
        None,
        4100,
        None,
    )
    assert chosen.partitions_start is None


def test_options_are_added_to_an_address_without_a_host() -> None:
    assert with_options("postgresql:///memory?host=%2Frun&options=-c%20a%3D1", "-c b=2") == (
        "postgresql:///memory?host=%2Frun&options=-c%20a%3D1%20-c%20b%3D2"
    )
