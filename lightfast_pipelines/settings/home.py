"""Finds the home: the folder of the embedded database, logs and Dagster's local files.

The environment is a parameter; nothing is created here.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

NAME = ".lightfast"


@dataclass(frozen=True, slots=True)
class Home:
    """A folder, the reason it was chosen (for an operator), and whether LIGHTFAST_HOME names it."""

    folder: Path
    reason: str
    named: bool = False


def find_home(environment: Mapping[str, str], start: Path | None = None) -> Home:
    """LIGHTFAST_HOME, else the nearest `.lightfast` from `start` (the current folder) upwards, else
    the one in the user's home folder."""
    if environment.get("LIGHTFAST_HOME"):
        folder = Path(environment["LIGHTFAST_HOME"]).expanduser().absolute()
        return Home(folder, "by LIGHTFAST_HOME", named=True)
    try:
        here = (start or Path.cwd()).absolute()
    except FileNotFoundError:  # somebody removed the current folder
        here = None
    for folder in () if here is None else (here, *here.parents):
        # A file of that name counts too, and `problem_of` refuses it: skipping it would silently
        # choose another database.
        if os.path.lexists(folder / NAME):
            return Home(folder / NAME, f"the nearest {NAME} from {here} upwards")
    return Home(_folder_of_the_user(environment) / NAME, f"no {NAME} from {here} upwards")


def problem_of(folder: Path, *, named: bool) -> str | None:
    """Why the folder cannot be the home, and what to do; None if it can be, or does not exist yet.

    `named`: whether LIGHTFAST_HOME names it. Otherwise it must belong to the user: anyone can put a
    folder into /tmp, and under sudo the folder found is somebody else's.
    """
    try:
        folder.stat()
    except FileNotFoundError:
        if folder.is_symlink():
            return (
                f"{folder} is a link to a folder that is not there: repair it or set LIGHTFAST_HOME"
            )
        return None
    except NotADirectoryError:
        return f"{folder} is under a file: set LIGHTFAST_HOME to a folder"
    except PermissionError:
        return f"{folder} may not be read by {_user_name(os.geteuid())}: set LIGHTFAST_HOME to another folder"
    if not folder.is_dir():
        return f"{folder} is a file, and the home is a folder: move it away or set LIGHTFAST_HOME"
    owner = folder.stat().st_uid
    if not named and owner != os.geteuid():
        return (
            f"{folder} belongs to {_user_name(owner)}, and this command runs as "
            f"{_user_name(os.geteuid())}: run it as {_user_name(owner)}, or set LIGHTFAST_HOME"
        )
    return None


def absolute(folder: Path) -> Path:
    """The folder that a setting names."""
    try:
        return folder.expanduser().absolute()
    except RuntimeError as error:
        raise ValueError("a folder; its ~ names a user without one") from error


def _folder_of_the_user(environment: Mapping[str, str]) -> Path:
    """HOME if the user owns it (sudo may leave another user's), else the folder in the user database."""
    named = environment.get("HOME")
    try:
        if named and Path(named).stat().st_uid == os.geteuid():
            return Path(named)
    except OSError:
        pass  # a folder that is missing or closed to this user is not theirs
    try:
        return Path(pwd.getpwuid(os.geteuid()).pw_dir)
    except KeyError:  # a container's user without a name
        return Path(named or "/")


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
