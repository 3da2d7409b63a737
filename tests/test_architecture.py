"""What an import loads in a fresh interpreter, and that the domain reads neither clock nor randomness.

The import rules are in pyproject.toml; import-linter checks them.
"""

import ast
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PIPELINE = ROOT / "lightfast_pipelines"
HEAVY = {"numpy", "pandas", "pinecone", "openai", "anthropic", "wordllama", "matplotlib"}
IMPURE_CALLS = {"now", "utcnow", "today", "open", "input", "print", "getenv", "uuid1", "uuid4"}
DOMAIN_FILES = sorted((PIPELINE / "domain").rglob("*.py"))


@pytest.mark.parametrize("path", DOMAIN_FILES, ids=lambda path: str(path.relative_to(PIPELINE)))
def test_the_domain_reads_neither_clock_nor_randomness_nor_files(path: Path) -> None:
    impure_calls = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            called = node.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            if name in IMPURE_CALLS:
                impure_calls.append(f"line {node.lineno} calls {name}()")
    assert impure_calls == []


def run_fresh(code: str) -> str:
    """What `code` prints in a new interpreter without this one's settings."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("LIGHTFAST_")
    }
    completed = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert completed.returncode == 0, completed.stderr
    return completed.stdout


def loaded_by(module: str) -> set[str]:
    """The packages that importing `module` loads."""
    return {name.partition(".")[0] for name in modules_loaded_by(module)}


def modules_loaded_by(module: str) -> set[str]:
    return set(run_fresh(f"import sys, {module}; print(*sys.modules)").split())


def test_the_receiver_loads_neither_dagster_nor_pandas_nor_numpy() -> None:
    assert find_spec("webhook_receiver.__main__"), "the receiver has no __main__"
    assert not loaded_by("webhook_receiver.__main__") & ({"dagster"} | HEAVY)


def test_a_command_does_not_load_dagster_before_it_needs_it() -> None:
    assert not loaded_by("lightfast_pipelines.cli") & ({"dagster"} | HEAVY)


def test_the_code_location_loads_little_beyond_dagster() -> None:
    """Every run pays for the imports of the code location; bench/imports.py measures them."""
    beyond = loaded_by("lightfast_pipelines.definitions") - loaded_by("dagster")
    expected = {"lightfast_pipelines", "psycopg", "psycopg_binary", "dotenv", "pydantic_settings"}
    unknown = {
        name for name in beyond - expected - sys.stdlib_module_names if not name.startswith("_")
    }
    assert unknown == set()


# What only a run, or a tick that looks for its work, may load.
LOADED_BY_RUNS = (
    "backfill", "capture", "clustering", "embedding.layers", "embedding.pgvector",
    "embedding.openai_embedder", "embedding.pinecone_index", "embedding.projection",
    "embedding.stage", "embedding.wordllama_embedder", "inbox.isolation", "inbox.requeue",
    "inbox.rule_versions", "language.claude", "language.stage", "people", "processing",
    "provider_api.access", "providers", "recovery", "store.migrations", "store.tables",
)  # fmt: skip
# A module of constants.
LIGHT_RULES = {"lightfast_pipelines.domain.views"}


def test_the_code_location_loads_no_stage_rule_client_or_table() -> None:
    loaded = modules_loaded_by("lightfast_pipelines.definitions")
    heavy = [f"lightfast_pipelines.{name}" for name in LOADED_BY_RUNS]
    for name in heavy:
        assert find_spec(name), f"{name} is gone: name here what replaced it"
    assert [name for name in heavy if name in loaded] == []
    rules = {name for name in loaded if name.startswith("lightfast_pipelines.domain.")}
    assert rules == LIGHT_RULES
