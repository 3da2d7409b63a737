"""Settings are read under the names people know, and under no other."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from lightfast_pipelines.cli.root import explain
from lightfast_pipelines.settings import Settings


def test_a_variable_named_like_a_field_sets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LIGHTFAST_HOME", raising=False)
    for name in ("HOME", "HOST", "LOG_LEVEL", "DATABASE_URL", "home", "host"):
        monkeypatch.setenv(name, "/somewhere/else")
    found = Settings()
    assert found.home == Path(".lightfast")
    assert (found.host, found.log_level, found.database_url) == ("127.0.0.1", "INFO", None)


def test_a_secret_may_be_two_for_rotation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_WEBHOOK_SECRET", "new, old")
    assert Settings().webhook_secrets(("GITHUB_WEBHOOK_SECRET",)) == [
        ("env:GITHUB_WEBHOOK_SECRET", b"new"),
        ("env:GITHUB_WEBHOOK_SECRET#2", b"old"),
    ]


@pytest.mark.parametrize("value", ["gestern", "2024-13-01", "2024", "31.01.2024"])
def test_a_start_of_partitions_that_is_no_day_is_said_in_one_line(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIGHTFAST_PARTITIONS_START", value)
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert explain(caught.value) == (
        f"settings: LIGHTFAST_PARTITIONS_START: {value!r} is not a day; write one as 2024-01-31"
    )


def test_an_empty_start_of_partitions_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIGHTFAST_PARTITIONS_START", "")
    assert Settings().partitions_start is None
