"""Errors that a user can act on end as one line."""

from __future__ import annotations

from importlib import import_module

import pytest

from lightfast_pipelines.cli.root import OPERATOR_ERRORS, explain


@pytest.mark.parametrize(("module", "name"), OPERATOR_ERRORS)
def test_an_error_for_operators_is_explained_in_its_own_words(module: str, name: str) -> None:
    error_class = getattr(import_module(module), name)
    error = error_class.__new__(error_class, "what to do")
    assert explain(error) == "what to do"
