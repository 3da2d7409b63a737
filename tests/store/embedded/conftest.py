"""Homes that lie where the server's user can, and cannot, reach them."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.store.embedded.homes import Home


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """As root the server's user cannot reach this one: pytest closes its folders to others."""
    made = Home(tmp_path / "home")
    yield made
    made.close()


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
    made.close()
