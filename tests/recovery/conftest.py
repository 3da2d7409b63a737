"""The linked repository and the plain API that the tests of a backfill have."""

from tests.backfill.conftest import read, source

__all__ = ["read", "source"]
