"""The message for settings that cannot be used: which one, its value, and what would be valid.

Never shows the value of a secret.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo

_LONGEST_VALUE = 60
_CREDENTIALS = re.compile(r"//.*@")


class SettingsError(ValueError):
    """Settings that cannot be used; the message is one line for an operator, without secrets."""


def explain(error: ValidationError, fields: Mapping[str, FieldInfo]) -> str:
    """One line for all problems."""
    by_alias = {str(field.alias): field for field in fields.values()}
    return "; ".join(_describe(problem, by_alias) for problem in error.errors(include_url=False))


def _describe(problem: Any, by_alias: Mapping[str, FieldInfo]) -> str:
    name = str(problem["loc"][0]) if problem["loc"] else "settings"
    field = by_alias.get(name)
    understood = _understood(problem, field)
    if field is None or _is_secret(field):
        return f"{name} is not understood: give {understood}"
    value = _CREDENTIALS.sub("//...@", str(problem["input"]))
    cut = value if len(value) <= _LONGEST_VALUE else f"{value[:_LONGEST_VALUE]}..."
    return f"{name}={cut!r} is not understood: give {understood}"


def _is_secret(field: FieldInfo) -> bool:
    return SecretStr.__name__ in str(field.annotation)


def _understood(problem: Any, field: FieldInfo | None) -> str:
    kind = problem["type"]
    if kind == "value_error":
        # The setting's own validator words what can be given.
        return str(problem["ctx"]["error"])
    if field is not None and field.annotation in {int, float}:
        return _number(field)
    if kind == "literal_error":
        return f"one of {problem['ctx']['expected']}"
    return str(problem["msg"])


def _number(field: FieldInfo) -> str:
    bounds: dict[str, Any] = {}
    for item in field.metadata:
        for bound in ("ge", "gt", "le", "lt"):
            if getattr(item, bound, None) is not None:
                bounds[bound] = getattr(item, bound)
    what = "a whole number" if field.annotation is int else "a number"
    if "ge" in bounds and "le" in bounds:
        return f"{what} from {bounds['ge']} to {bounds['le']}"
    words = {"ge": "of at least", "gt": "above", "le": "of at most", "lt": "below"}
    limits = [f"{words[bound]} {value}" for bound, value in bounds.items()]
    return f"{what} {' and '.join(limits)}".strip()
