"""Histories grown to two sizes, once for all tests that compare them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import psycopg
import pytest

from bench.grown import leave_work, make_seed
from bench.grown_tables import Grown, grow
from lightfast_pipelines.embedded_postgres import Lease
from lightfast_pipelines.store.database import Database
from tests.bench.recorded_history import lines

PULL_REQUESTS, LATER = 80, 10
# Copies of the seed, which has about 330 observations.
SIZES = {"small": 10, "large": 40}


class GrownDatabase(NamedTuple):
    database: Database
    grown: Grown


@pytest.fixture(scope="session")
def processed_seed(postgres: Lease) -> Iterator[str]:
    """The name of a database with a short processed history."""
    name = "seed_of_grown"
    with Database(lease=postgres).connect("migrator", autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name} TEMPLATE lightfast_template")
    make_seed(Database(lease=postgres, name=name), lines(PULL_REQUESTS))
    yield name
    _drop(postgres, name)


@pytest.fixture(scope="session")
def grown_databases(postgres: Lease, processed_seed: str) -> Iterator[dict[str, GrownDatabase]]:
    """Both sizes, each with as much that waits: observations for the stages, deliveries for capture."""
    made = {}
    for size, copies in SIZES.items():
        name = f"grown_{size}"
        with Database(lease=postgres).connect("migrator", autocommit=True) as conn:
            conn.execute(f"CREATE DATABASE {name} TEMPLATE {processed_seed}")
        database = Database(lease=postgres, name=name)
        with database.connect("migrator") as owner:
            row = owner.execute("SELECT count(*) FROM lightfast.observations").fetchone()
            assert row is not None
            owner.rollback()
            grown = grow(owner, row[0] * (copies + 1))
        # One half waits for the stages, the other to be captured.
        later = list(lines(2 * LATER, first=PULL_REQUESTS + 1))
        leave_work(database, grown, later, len(later) // 2)
        with database.connect("migrator", autocommit=True) as owner:
            owner.execute("VACUUM ANALYZE")
        made[size] = GrownDatabase(database, grown)
    yield made
    for size in SIZES:
        _drop(postgres, f"grown_{size}")


def _drop(postgres: Lease, name: str) -> None:
    with psycopg.connect(postgres.url("postgres", "postgres"), autocommit=True) as conn:
        conn.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
