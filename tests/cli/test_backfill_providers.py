"""`lightfast backfill` of Vercel, Linear and Sentry: sealed credentials and real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from lightfast_pipelines import settings as settings_module
from tests.cli.conftest import Lightfast
from tests.providers.sentry.api.test_backfill import _world as sentry_world
from tests.servers import linear, sentry, vercel
from tests.servers.linear_life import lived
from tests.servers.serving import Served, serve

AT = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp() * 1000)
MINUTE = 60_000


@contextmanager
def _vercel() -> Iterator[Served]:
    ends = [("READY", 2), ("ERROR", 3), ("CANCELED", 1)]
    world = vercel.World(
        [
            vercel.Deployment(
                f"dpl_{n}", AT + n * 60 * MINUTE, state, AT + (n * 60 + after) * MINUTE
            )
            for n in range(150)
            for state, after in [ends[n % 3]]
        ]
    )
    with serve(vercel.application(world)) as served:
        yield served


@contextmanager
def _linear() -> Iterator[Served]:
    world = lived(21, 200, teams=1)
    with serve(linear.app(linear.Linear(world))) as served:
        yield served


@contextmanager
def _sentry() -> Iterator[Served]:
    with serve(sentry.application(sentry_world())) as served:
        yield served


SERVERS = {
    "vercel": (_vercel, "VERCEL_API_URL", vercel.TOKEN, "team_1", "shop", "deployment.succeeded"),
    "linear": (_linear, "LINEAR_API_URL", "lin_api_test", "team-1", "ENG", "issue.created"),
    "sentry": (_sentry, "SENTRY_API_URL", sentry.TOKEN, "42", "acme/shop", "issue.created"),
}


@pytest.mark.parametrize("provider", SERVERS)
def test_a_history_is_read_with_a_sealed_credential_and_becomes_observations(
    lightfast: Lightfast, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, address, token, resource, name, kind = SERVERS[provider]
    with server() as served:
        for variable, value in (
            ("ENCRYPTION_KEY", "07" * 32),
            (address, served.url),
            ("TOK", token),
        ):
            monkeypatch.setenv(variable, value)
        settings_module.settings.cache_clear()
        lightfast("workspace", "add", "shop")
        lightfast(
            *("integration", "add", "--workspace", "shop", "--provider", provider),
            *("--unchecked", "--resource", resource, "--name", name, "--credential-env", "TOK"),
        )
        asked = ("--workspace", "shop", "--since", "2023-01-01", "--until", "2026-11-01")
        done = lightfast.json("backfill", *asked)
        assert done["status"] == "completed"
        assert done["troubles"] == 0
        assert abs(done["requests"] - done["expected"]["requests"]) <= max(
            2, 0.1 * done["requests"]
        )
        before = len(served.asked)
        again = lightfast.json("backfill", *asked)
        assert (again["records"], len(served.asked)) == (0, before)
    lightfast("process")
    with lightfast.database.connect() as conn:
        outcomes: dict[str, int] = dict(
            conn.execute("SELECT status, count(*) FROM lightfast.outcomes GROUP BY 1").fetchall()
        )
        row = conn.execute(
            "SELECT count(*) FROM lightfast.observations WHERE source = %s AND source_type = %s",
            (provider, kind),
        ).fetchone()
    assert set(outcomes) <= {"delivered", "filtered"}
    assert row is not None
    assert row[0] > 10


def test_linears_token_is_renewed_when_it_has_expired(
    lightfast: Lightfast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With OAuth a refresh token works once, and the new one is kept."""
    api = linear.Linear(lived(3, 60, teams=1), tokens=set(), refresh_tokens={"refresh-0"})
    with serve(linear.app(api)) as served:
        for variable, value in (
            ("ENCRYPTION_KEY", "07" * 32),
            ("LINEAR_API_URL", served.url),
            ("LINEAR_CLIENT_ID", api.client[0]),
            ("LINEAR_CLIENT_SECRET", api.client[1]),
            ("TOK", "ended-token"),
            ("REFRESH", "refresh-0"),
        ):
            monkeypatch.setenv(variable, value)
        settings_module.settings.cache_clear()
        lightfast("workspace", "add", "shop")
        ended = datetime.now(UTC) - timedelta(hours=1)
        lightfast(
            *("integration", "add", "--workspace", "shop", "--provider", "linear"),
            *(
                "--unchecked",
                "--resource",
                "team-1",
                "--credential-kind",
                "oauth",
                "--credential-env",
                "TOK",
            ),
            *("--refresh-env", "REFRESH", "--expires-at", ended.isoformat()),
        )
        done = lightfast.json("backfill", "--workspace", "shop", "--since", "2023-01-01")
    assert (done["status"], api.renewals) == ("completed", 1)
    assert "credential.renewed" in [row["action"] for row in lightfast.json("activity")]
