"""The home is found from any folder, and another user's folder is never used by accident."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lightfast_pipelines.settings.home import find_home, problem_of


@pytest.fixture
def user(tmp_path: Path) -> Path:
    """The user's own folder, beside which there is no home."""
    folder = tmp_path / "user"
    folder.mkdir()
    return folder


def test_the_environment_takes_precedence(tmp_path: Path, user: Path) -> None:
    (tmp_path / ".lightfast").mkdir()
    named = find_home({"LIGHTFAST_HOME": str(user / "here"), "HOME": str(user)}, tmp_path)
    assert (named.folder, named.named) == (user / "here", True)


def test_every_folder_below_a_home_finds_it(tmp_path: Path, user: Path) -> None:
    checkout = tmp_path / "work" / "checkout"
    below = checkout / "docs" / "deep"
    below.mkdir(parents=True)
    (tmp_path / "work" / ".lightfast").mkdir()
    assert find_home({"HOME": str(user)}, below).folder == tmp_path / "work" / ".lightfast"
    (checkout / ".lightfast").mkdir()
    for folder in (below, checkout / "docs", checkout):
        assert find_home({"HOME": str(user)}, folder).folder == checkout / ".lightfast"


def test_the_default_is_the_users_own_home(tmp_path: Path, user: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for environment in ({"HOME": str(user)}, {"HOME": str(user), "LIGHTFAST_HOME": ""}):
        assert find_home(environment, elsewhere).folder == user / ".lightfast"


def test_another_users_folder_left_by_sudo_is_not_used(tmp_path: Path) -> None:
    folder = find_home({"HOME": str(tmp_path / "gone")}, tmp_path).folder
    assert tmp_path not in folder.parents


def test_a_file_in_its_place_is_refused_and_not_skipped(tmp_path: Path) -> None:
    (tmp_path / ".lightfast").write_text("")
    home = find_home({}, tmp_path)
    assert home.folder == tmp_path / ".lightfast"
    assert "is a file" in str(problem_of(home.folder, named=False))
    assert "under a file" in str(problem_of(home.folder / "deeper", named=True))


def test_a_broken_link_is_refused_and_not_skipped(tmp_path: Path) -> None:
    (tmp_path / ".lightfast").symlink_to(tmp_path / "unmounted")
    assert "not there" in str(problem_of(find_home({}, tmp_path).folder, named=False))


def test_a_folder_that_does_not_exist_yet_is_no_problem(tmp_path: Path) -> None:
    assert problem_of(tmp_path / ".lightfast", named=False) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_found_folder_of_another_user_is_refused_unless_it_is_named(tmp_path: Path) -> None:
    folder = tmp_path / ".lightfast"
    folder.mkdir()
    os.chown(folder, 65534, 65534)
    assert "belongs to" in str(problem_of(folder, named=False))
    assert problem_of(folder, named=True) is None
