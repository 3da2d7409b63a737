"""Other users of the machine cannot read what `up` makes in the home."""

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lightfast_pipelines.cli.stack.children import Children
from lightfast_pipelines.cli.stack.processes import _dagster_home


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("before", [None, 0o755, 0o777])
def test_logs_and_dagsters_files_are_private_even_if_an_older_release_left_them_open(
    tmp_path: Path, before: int | None
) -> None:
    for name in ("logs", "dagster"):
        if before is not None:
            (tmp_path / name).mkdir()
            (tmp_path / name).chmod(before)
    children = Children(tmp_path / "logs")
    command = [sys.executable, "-c", ""]
    children.start("child", command, environment={}, folder=tmp_path)
    children.end()
    assert _dagster_home(tmp_path) == tmp_path / "dagster"
    assert {_mode(tmp_path / "logs"), _mode(tmp_path / "dagster")} == {0o700}
