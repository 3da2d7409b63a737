"""From Postgres' types to pandas': the type of a column alone decides, so that an empty answer has the
same types as a full one.

Which rows are read does not belong here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from psycopg.adapt import Buffer, Loader
from psycopg.postgres import types
from psycopg.pq import Format
from psycopg.types import TypeInfo
from psycopg.types.datetime import DateBinaryLoader, TimestampBinaryLoader, TimestamptzBinaryLoader

if TYPE_CHECKING:
    import pandas as pd

    from lightfast_pipelines.store.database import Connection

_DTYPES = {
    "bool": "boolean",
    **dict.fromkeys(("int2", "int4", "int8", "oid"), "Int64"),
    # Postgres sums integers as numeric. A fraction that a double cannot hold is rounded.
    **dict.fromkeys(("float4", "float8", "numeric"), "Float64"),
    **dict.fromkeys(("text", "varchar", "bpchar", "name", "uuid"), "str"),
    "timestamptz": "datetime64[us, UTC]",
    "timestamp": "datetime64[us]",
    # pandas' unit for whole days.
    "date": "datetime64[s]",
    "interval": "timedelta64[us]",
}
_DTYPE_OF = {types[name].oid: dtype for name, dtype in _DTYPES.items()}

OBJECT = "object"
"""Lists, dicts of JSON, bytes, ranges, vectors."""


def dtype_of(type_oid: int) -> str:
    return _DTYPE_OF.get(type_oid, OBJECT)


def array_of(values: Sequence[Any], dtype: str) -> pd.Series[Any]:
    """A column of this type; None is a missing value."""
    import pandas as pd

    if dtype == "Float64":
        values = [None if value is None else float(value) for value in values]
    elif dtype == "str":
        values = [None if value is None else str(value) for value in values]
    elif dtype == "datetime64[us, UTC]":
        # Sessions that set another time zone get times with its offsets.
        return pd.Series(pd.to_datetime(list(values), utc=True).as_unit("us"))
    return pd.Series(list(values), dtype=dtype)


_INFINITE = (b"\x7f" + b"\xff" * 7, b"\x80" + b"\x00" * 7)
_INFINITE_DAYS = (_INFINITE[0][:4], _INFINITE[1][:4])


class _FiniteTimestamptz(TimestamptzBinaryLoader):
    """Loads infinity, which Python has not, as a missing value: an interval without an end."""

    def load(self, data: Buffer) -> Any:
        return None if bytes(data) in _INFINITE else super().load(data)


class _FiniteTimestamp(TimestampBinaryLoader):
    def load(self, data: Buffer) -> Any:
        return None if bytes(data) in _INFINITE else super().load(data)


class _FiniteDate(DateBinaryLoader):
    def load(self, data: Buffer) -> Any:
        return None if bytes(data) in _INFINITE_DAYS else super().load(data)


class _VectorLoader(Loader):
    """Loads pgvector's `vector` as an array of float32: two bytes of length, two unused, the numbers."""

    format = Format.BINARY
    _type = ">f4"

    def load(self, data: Buffer) -> Any:
        import numpy as np

        return np.frombuffer(bytes(data), self._type, offset=4).astype(np.float32)


class _HalfVectorLoader(_VectorLoader):
    _type = ">f2"


def prepare_session(conn: Connection) -> None:
    """Makes the session's binary answers load as these types expect."""
    conn.adapters.register_loader("timestamptz", _FiniteTimestamptz)
    conn.adapters.register_loader("timestamp", _FiniteTimestamp)
    conn.adapters.register_loader("date", _FiniteDate)
    for name, loader in (("vector", _VectorLoader), ("halfvec", _HalfVectorLoader)):
        info = TypeInfo.fetch(conn, name)
        if info is not None:
            conn.adapters.register_loader(info.oid, loader)
    conn.rollback()
