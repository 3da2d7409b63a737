"""Homes that the server's user can reach, and homes that it cannot."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.embedded_postgres.homes import Home


@pytest.fixture(scope="module")
def kept_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("kept")
    yield folder
    Home(folder / "home").remove()


@pytest.fixture
def home(kept_folder: Path) -> Iterator[Home]:
    """Its server stops after each test, its rows stay for the module's next: initdb is slow.

    As root the server's user cannot reach it: pytest closes its folders to others.
    """
    made = Home(kept_folder / "home")
    yield made
    made.close()


@pytest.fixture
def fresh_home(tmp_path: Path) -> Iterator[Home]:
    """One where no server ever ran."""
    made = Home(tmp_path / "home")
    yield made
    made.remove()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may pass through."""
    folder = Path(tempfile.mkdtemp(dir="/var/tmp", prefix="lf-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def open_home(open_folder: Path) -> Iterator[Home]:
    made = Home(open_folder / "home")
    yield made
    made.remove()
