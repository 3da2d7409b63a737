"""Who may import whom, and what an import may cost.

import-linter (pyproject.toml) holds the floors of the house. Here stands what it cannot say: the
exact table of allowed imports, what a fresh interpreter loads, and that the rules are pure.
"""

import ast
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parent.parent
PIPELINE = ROOT / "lightfast_pipelines"
HEAVY = {"numpy", "pandas", "pinecone", "openai", "anthropic", "wordllama", "matplotlib"}

# Direct imports inside the project, for each part of it. `cli` may import anything.
VOCABULARY = {"domain.events", "domain.keys", "settings"}
ORCHESTRATION = {"capture", "domain", "history", "store", "resources", "settings", "partitions"}
ALLOWED = {
    "definitions": {"sensors", "jobs", "assets", "resources", "settings", "partitions"},
    "sensors": {*ORCHESTRATION, "jobs", "assets"},  # a sensor starts a job
    "jobs": {*ORCHESTRATION, "assets"},  # a job selects assets
    "assets": ORCHESTRATION,
    "resources": {"store", "vectors", "models", "providers", "history", "settings"},
    "history": {"domain", "providers", "store", "settings"},
    "capture": {"domain", "providers", "store", "settings"},
    # Who is nobody, which words are quoted, what an address of Linear, Sentry or Vercel names, and on
    # what it is based that something serves.
    "providers": {
        *VOCABULARY,
        "domain.linear_names",
        "domain.markup",
        "domain.robots",
        "domain.sentry_names",
        "domain.serving",
        "domain.vercel_names",
    },
    "store": VOCABULARY,
    "vectors": VOCABULARY,
    "models": VOCABULARY,
    "partitions": {"settings", "store"},
    "settings": set(),
    "domain": set(),
    "demo": {"domain", "settings"},
    "webhook_receiver": {"providers", "store", "settings"},
}
ANYTHING = {"cli"}

# The rules take time, chance and settings as parameters.
IMPURE_MODULES = {
    "asyncio", "http", "io", "logging", "multiprocessing", "os", "pathlib", "random", "secrets",
    "shutil", "socket", "subprocess", "tempfile", "threading", "time", "urllib.request", "uuid",
}  # fmt: skip
IMPURE_CALLS = {"now", "utcnow", "today", "open", "input", "print", "getenv", "uuid1", "uuid4"}

DOMAIN_FILES = sorted((PIPELINE / "domain").rglob("*.py"))


def part_of(module: str) -> str:
    """`lightfast_pipelines.store.tables` -> `store`; the receiver is one part."""
    head, *rest = module.split(".")
    return rest[0] if head == "lightfast_pipelines" and rest else head


def allowed(importer: str, imported: str) -> bool:
    source, target = part_of(importer), part_of(imported)
    if source in ANYTHING or source == target or imported == "lightfast_pipelines":
        return True
    inside = imported.removeprefix("lightfast_pipelines.")
    return any(inside == door or inside.startswith(f"{door}.") for door in ALLOWED[source])


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("lightfast_pipelines", "webhook_receiver", cache_dir=None)


def test_every_part_of_the_house_is_in_the_table(graph: grimp.ImportGraph) -> None:
    parts = {part_of(module) for module in graph.modules} - {"lightfast_pipelines"}
    assert parts <= set(ALLOWED) | ANYTHING


def test_each_part_imports_only_what_it_may(graph: grimp.ImportGraph) -> None:
    forbidden = [
        f"{importer} -> {imported}"
        for importer in sorted(graph.modules)
        for imported in sorted(graph.find_modules_directly_imported_by(importer))
        if not allowed(importer, imported)
    ]
    assert forbidden == []


def test_no_provider_imports_another(graph: grimp.ImportGraph) -> None:
    providers = {path.name for path in (PIPELINE / "providers").glob("[a-z]*/")}

    def provider_of(module: str) -> str | None:
        name = module.removeprefix("lightfast_pipelines.providers.").split(".")[0]
        return name if name in providers else None

    crossing = [
        f"{importer} -> {imported}"
        for importer in sorted(graph.modules)
        if provider_of(importer)
        for imported in sorted(graph.find_modules_directly_imported_by(importer))
        if provider_of(imported) not in {None, provider_of(importer)}
    ]
    assert crossing == []


@pytest.mark.parametrize("path", DOMAIN_FILES, ids=lambda path: str(path.relative_to(PIPELINE)))
def test_a_rule_asks_neither_clock_nor_chance_nor_the_machine(path: Path) -> None:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import | ast.ImportFrom):
            source = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
            names = {source.rstrip("."), *(f"{source}{alias.name}" for alias in node.names)}
            found += [f"line {node.lineno} imports {n}" for n in sorted(names & IMPURE_MODULES)]
        elif isinstance(node, ast.Call):
            called = node.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            if name in IMPURE_CALLS:
                found.append(f"line {node.lineno} calls {name}()")
    assert found == []


def run_fresh(code: str) -> str:
    """What `code` prints in a new interpreter that knows nothing of this one's settings."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LIGHTFAST_")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def loaded_by(module: str) -> set[str]:
    code = f"import sys, {module}; print(*sorted({{m.split('.')[0] for m in sys.modules}}))"
    return set(run_fresh(code).split())


def test_the_receiver_loads_neither_dagster_nor_pandas_nor_numpy() -> None:
    assert find_spec("webhook_receiver.__main__"), "the receiver has no __main__"
    assert not loaded_by("webhook_receiver.__main__") & ({"dagster"} | HEAVY)


def test_a_command_does_not_load_dagster_before_it_needs_it() -> None:
    assert not loaded_by("lightfast_pipelines.cli") & ({"dagster"} | HEAVY)


def test_the_code_location_loads_little_beyond_dagster() -> None:
    """Every run pays for what the code location imports; bench/imports.py measures what it costs."""
    beyond = loaded_by("lightfast_pipelines.definitions") - loaded_by("dagster")
    ours = {"lightfast_pipelines", "msgspec", "pgvector", "psycopg", "psycopg_binary"}
    settings = {"dotenv", "pydantic_settings"}
    unknown = {
        name
        for name in beyond - ours - settings - {"sqlalchemy"} - sys.stdlib_module_names
        if not name.startswith("_")
    }
    assert unknown == set()
