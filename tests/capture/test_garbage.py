"""Capture pauses the search for cyclic garbage, and only for itself."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from lightfast_pipelines.capture.garbage import without_collection


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    was_on = gc.isenabled()
    yield
    (gc.enable if was_on else gc.disable)()


def test_the_search_is_on_again_after_a_slice_that_failed() -> None:
    gc.enable()
    with pytest.raises(RuntimeError), without_collection():  # noqa: PT012 - the block has to fail late
        assert not gc.isenabled()
        raise RuntimeError
    assert gc.isenabled()


def test_who_turned_the_search_off_finds_it_off() -> None:
    gc.disable()
    with without_collection():
        pass
    assert not gc.isenabled()
