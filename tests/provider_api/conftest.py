"""The linked repository and the plain API of the backfills' tests."""

from tests.backfill.conftest import read, source

__all__ = ["read", "source"]
