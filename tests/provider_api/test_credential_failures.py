"""A credential that cannot be renewed says why, and no token gets into what is logged or stored."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from lightfast_pipelines.provider_api.budget import RateBudget
from lightfast_pipelines.provider_api.client import ApiClient, CallFailedError
from lightfast_pipelines.provider_api.renewal import (
    CredentialError,
    CredentialRefusedError,
    RenewalFailedError,
)
from lightfast_pipelines.providers.api_contract import AnswerOutcome, Call, Credential
from lightfast_pipelines.settings import Settings
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.linked_resources import list_integrations
from lightfast_pipelines.store.tokens import load_credential, set_credential
from tests.provider_api.renewing import KEYS, Make, RenewingProviderApi, TokenServer, deeds, now
from tests.servers.serving import Fault, Served


def test_while_renewals_fail_a_token_is_used_to_its_end_without_asking_each_time(
    credentials: Make, give: Callable[..., None], api: Served
) -> None:
    give(60)
    api.faults.append(Fault(times=99, status=503))
    held = credentials()
    assert {held.current().access_token for _ in range(5)} == {"secret-access-0"}
    assert api.count() == 3


def test_a_refused_renewal_stops_the_integration_with_a_reason(
    credentials: Make,
    give: Callable[..., None],
    api: Served,
    conn: Connection,
    tokens: TokenServer,
) -> None:
    give()
    tokens.refresh = "another"
    with pytest.raises(CredentialRefusedError) as raised:
        credentials().current()
    assert raised.value.outcome is AnswerOutcome.CREDENTIAL
    reason = (
        "linear installation org_1: renewing its token was refused (status 400, invalid_grant): give a "
        "new one with `lightfast installation credential --provider linear --id org_1 --ask-credential`"
    )
    assert str(raised.value) == reason
    [item] = list_integrations(conn)
    assert (item.resource_status, item.status_reason) == ("error", reason)
    assert (item.sync_status, item.sync_error) == ("refused", reason)
    # Nothing more is asked with it.
    with pytest.raises(CredentialRefusedError, match="was refused"):
        credentials().current()
    assert api.count() == 1
    assert deeds(conn) == [("credential.refused", "dagster:run-1")]
    give(3_600)
    conn.rollback()
    [item] = list_integrations(conn)
    assert (item.resource_status, item.status_reason) == ("active", None)
    assert (item.sync_status, item.sync_error) == ("idle", None)
    assert credentials().current().access_token == "secret-access-0"


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        (Fault(times=9, status=503), "status 503"),
        (Fault(times=9, hangs=True), "no answer"),
        (Fault(times=9, status=200, body={"no": "token"}), "an answer that is not in its format"),
        (Fault(times=9, status=200, truncated=True), "an answer that is not in its format"),
        (Fault(times=9, status=429, headers={"Retry-After": "7"}), "too many requests"),
        (Fault(times=9, status=302, headers={"Location": "http://127.0.0.1:9/"}), "status 302"),
    ],
    ids=["unavailable", "hanging", "unknown", "truncated", "limited", "redirected"],
)
def test_a_failed_renewal_does_not_count_as_a_refusal(
    credentials: Make,
    give: Callable[..., None],
    api: Served,
    conn: Connection,
    fault: Fault,
    problem: str,
) -> None:
    give(60)
    api.faults.append(fault)
    # It still lives for a minute.
    assert credentials().current().access_token == "secret-access-0"
    with pytest.raises(RenewalFailedError) as raised:
        credentials(clock=lambda: now() + timedelta(minutes=2)).current()
    assert str(
        raised.value
    ) == f"linear installation org_1: renewing its token came to {problem}" + (
        " (status 429)" if "many" in problem else ""
    )
    assert raised.value.retry_after == (7 if "many" in problem else None)
    api.faults.clear()
    assert credentials().current().access_token == "secret-access-1"
    assert deeds(conn) == [("credential.renewed", "dagster:run-1")]


def test_a_transient_failure_of_a_renewal_is_retried(
    credentials: Make, give: Callable[..., None], api: Served
) -> None:
    give()
    api.faults.append(Fault(status=500))
    assert credentials().current().access_token == "secret-access-1"
    assert api.count() == 2


def test_a_refused_application_leaves_the_credential_alone(
    credentials: Make, give: Callable[..., None], api: Served, conn: Connection
) -> None:
    give()
    api.faults.append(Fault(status=401, body={"error": "invalid_client"}))
    with pytest.raises(CredentialError, match="check its client id and secret in the settings"):
        credentials().current()
    assert deeds(conn) == []
    assert credentials().current().access_token == "secret-access-1"


def test_a_missing_setting_is_named(
    credentials: Make, give: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    give()
    monkeypatch.delenv("LINEAR_CLIENT_ID")
    with pytest.raises(CredentialError, match=r"LINEAR_CLIENT_ID is not set \(\*\*\*\)"):
        credentials(settings=Settings()).current()
    monkeypatch.delenv("ENCRYPTION_KEY")
    with pytest.raises(CredentialError, match="ENCRYPTION_KEY is not set"):
        credentials(settings=Settings())
    monkeypatch.setenv("ENCRYPTION_KEY", "08" * 32)
    with pytest.raises(CredentialError, match="which ENCRYPTION_KEY does not hold"):
        credentials(settings=Settings()).current()


def test_a_token_that_cannot_be_renewed_lasts_until_it_ends(
    credentials: Make, give: Callable[..., None], conn: Connection
) -> None:
    with pytest.raises(CredentialError, match="has no credential: give a new one with"):
        credentials().current()
    give(60, kind="api_key")
    held = credentials()
    last = held.current()
    assert last.access_token == "secret-access-0"
    assert held.renewed(last) is None
    with pytest.raises(CredentialRefusedError, match=r"its token ended at .* cannot be renewed"):
        credentials(clock=lambda: now() + timedelta(minutes=2)).current()
    assert deeds(conn) == [("credential.refused", "dagster:run-1")]


def test_a_refusal_of_the_old_token_does_not_mark_the_new_one(
    credentials: Make, give: Callable[..., None], conn: Connection, installation: int
) -> None:
    give(None, kind="api_key")
    held = credentials()
    held.current()
    set_credential(conn, KEYS, installation, Credential("api_key", "secret-new"))
    conn.commit()
    held.refuse("401")
    assert credentials().current().access_token == "secret-new"
    held.current()
    held.refuse("401 for secret-new")
    with pytest.raises(CredentialRefusedError, match=r"401 for \*\*\*"):
        credentials().current()


def test_no_token_is_in_any_log_exception_output_or_row(  # noqa: PLR0917 - fixtures
    database: Database,
    credentials: Make,
    give: Callable[..., None],
    api: Served,
    tokens: TokenServer,
    conn: Connection,
    installation: int,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Every token here contains "secret", and the server echoes what it was sent."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="httpcore")
    texts: list[str] = []

    def asks(make: Callable[[], Any]) -> None:
        try:
            texts.append(repr(make()))
        except Exception as error:
            texts.append(
                "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))
            )

    echo = {
        "error": "secret-refresh-0",
        "error_description": "secret-refresh-0",
        "message": "secret",
    }
    faults = [
        [],
        [Fault(times=9, status=503, body=echo)],
        [Fault(times=9, hangs=True)],
        [Fault(times=9, status=200, body={"access_token": "secret-access-9"})],
        [Fault(times=9, status=200, body=b'{"access_token": "secret-access-9", "refr')],
        [Fault(times=9, status=429, body=echo)],
        [Fault(status=401, body={**echo, "error": "invalid_client"})],
        [Fault(status=400, body=echo)],
        [Fault(status=401, body=echo)],
    ]
    for some in faults:
        give()
        tokens.refresh = "secret-refresh-0"
        api.faults[:] = some
        held = credentials()
        asks(held.current)
        texts.append(repr(held))
    # A request of the API itself: 401, a renewal, 401 again.
    give(3_600)
    tokens.refresh = "secret-refresh-0"
    api.faults[:] = [Fault("items", times=9, status=401, body={"message": "Bad credentials"})]
    with database.connect(autocommit=True) as budgets, httpx.Client() as http:
        budget = RateBudget(budgets, installation, reserve=0, sleep=lambda _: None)
        client = ApiClient(
            RenewingProviderApi(), api.url, http, credentials(), budget, sleep=lambda _: None
        )
        asks(lambda: client.ask(Call("items")))
    with pytest.raises(CallFailedError):
        credentials().current()
    texts.append(repr(load_credential(conn, KEYS, installation)))
    tables = conn.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'lightfast' ORDER BY 1"
    ).fetchall()
    assert ("activity",) in tables
    for (table,) in tables:
        texts += [str(row) for row in conn.execute(f"SELECT t::text FROM lightfast.{table} t")]
    printed = capfd.readouterr()
    everything = "\n".join([*texts, caplog.text, printed.out, printed.err])
    assert "credential.refused" in everything
    assert "credential.renewed" in everything
    assert [line for line in everything.splitlines() if "secret-" in line] == []
