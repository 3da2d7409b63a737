"""The example of docs/ works as a provider: its folder is copied in, and nothing else changed.

Everything runs in separate processes on a copy of the code, as for somebody who adds a provider.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lightfast_pipelines.providers.signing import digest
from lightfast_pipelines.store.database import Database
from tests.webhook_receiver.serving import receiver_process

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs/example_provider"
SECRET = "s3cret-of-acme"
DELIVERIES: list[dict[str, Any]] = [
    json.loads(line) for line in (EXAMPLE / "deliveries.jsonl").read_text().splitlines()
]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the code with the example's folder among its providers."""
    copy = tmp_path_factory.mktemp("checkout")
    no_bytecode = shutil.ignore_patterns("__pycache__")
    for package in ("lightfast_pipelines", "webhook_receiver"):
        shutil.copytree(ROOT / package, copy / package, ignore=no_bytecode)
    shutil.copytree(
        EXAMPLE / "acme_ci", copy / "lightfast_pipelines/providers/acme_ci", ignore=no_bytecode
    )
    return copy


def run(checkout: Path, *words: str, **environment: str) -> str:
    """The output of a Python process on the copy, which must succeed."""
    done = subprocess.run(
        [sys.executable, *words],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout), "PYTHONDONTWRITEBYTECODE": "1"}
        | environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def test_its_deliveries_are_verified_and_end_as_the_example_says(
    checkout: Path, database: Database, tmp_path: Path
) -> None:
    environment = {
        "LIGHTFAST_DATABASE_URL": database.url("migrator"),
        "LIGHTFAST_HOME": str(tmp_path / "home"),
    }

    def lightfast(*words: str) -> str:
        program = "from lightfast_pipelines.cli import app; app()"
        return run(checkout, "-c", program, *words, **environment)

    process = receiver_process(
        database,
        tmp_path,
        PYTHONPATH=str(checkout),
        PYTHONSAFEPATH="1",
        ACME_CI_WEBHOOK_SECRET=f"{SECRET},next",
    )
    with process as receiver:
        for number, delivery in enumerate(DELIVERIES):
            body = json.dumps(delivery["body"]).encode()
            headers = {
                "x-acme-delivery": f"d-{number}",
                "x-acme-signature": f"sha256={digest(body, SECRET.encode(), 'sha256')}",
            }
            url = "/webhooks/acme_ci"
            refused = receiver.client.post(url, content=body + b" ", headers=headers)
            assert refused.status_code == 401
            for is_again in (False, True):
                answer = receiver.client.post(url, content=body, headers=headers)
                assert answer.json() == {"received": True, "duplicate": is_again}
    lightfast("workspace", "add", "shop")
    lightfast("integration", "add", "-w", "shop", "--provider", "acme_ci", "--resource", "p-1")
    lightfast("process")
    with database.connect() as conn:
        ended = conn.execute(
            """
            SELECT p.verified_by, o.status, o.reason
            FROM lightfast.raw_payloads p JOIN lightfast.outcomes o ON o.raw_payload_id = p.id
            ORDER BY p.id
            """
        ).fetchall()
        types = conn.execute("SELECT source_type FROM lightfast.observations ORDER BY 1").fetchall()
        edges = conn.execute("SELECT count(*) FROM lightfast.relationships").fetchone()
    assert [status for _, status, _ in ended] == [one["outcome"] for one in DELIVERIES]
    assert {name for name, _, _ in ended} == {"env:ACME_CI_WEBHOOK_SECRET"}
    assert all(reason for _, status, reason in ended if status != "delivered")
    assert types == [("build.failed",), ("build.passed",)]
    assert edges == (2,)
    waiting = json.loads(lightfast("waiting", "--json"))
    assert [one["resource_key"] for one in waiting["unlinked"]] == ["acme_ci:project:p-2"]


def test_the_contract_tests_of_every_provider_hold_for_it(checkout: Path) -> None:
    contract = checkout / "test_every_provider.py"
    shutil.copy(ROOT / "tests/providers/test_every_provider.py", contract)
    said = run(
        checkout, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "acme_ci", str(contract)
    )
    assert " passed" in said


def test_the_page_about_it_names_every_file_of_it() -> None:
    page = (ROOT / "docs/adding-a-provider.md").read_text()
    files = [
        path.relative_to(EXAMPLE).as_posix()
        for path in EXAMPLE.rglob("*")
        if path.is_file() and path.suffix in {".py", ".jsonl"}
    ]
    assert len(files) >= 4
    assert [name for name in files if name not in page] == []
