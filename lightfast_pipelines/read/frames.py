"""Runs a statement and makes data frames of its answer: one, or one after another.

Types of columns are in `column_types.py`, the statements in `selection.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from lightfast_pipelines.read.column_types import array_of, dtype_of
from lightfast_pipelines.read.errors import ReadError

if TYPE_CHECKING:
    import pandas as pd
    from psycopg import Cursor, ServerCursor, sql

    from lightfast_pipelines.read.analyst_connection import AnalystConnection
    from lightfast_pipelines.read.catalogue import Catalogue

    Statement = bytes | sql.Composed

Parameters = Sequence[Any] | Mapping[str, Any] | None


def one_frame(on: AnalystConnection, statement: Statement, parameters: Parameters) -> pd.DataFrame:
    """The whole answer."""
    catalogue = on.catalogue()
    with on.session() as conn, conn.cursor(binary=True) as cursor:
        cursor.execute(statement, parameters or None)
        shape = _Shape(cursor, catalogue)
        return shape.frame(cursor.fetchall())


def frames(
    on: AnalystConnection, statement: Statement, parameters: Parameters, rows: int
) -> Iterator[pd.DataFrame]:
    """The answer in frames of at most so many rows; an empty answer is one empty frame.

    It begins with the first frame, and holds a session until the last one, or until it is closed.
    """
    if rows < 1:
        raise ReadError(f"chunks={rows!r} is no number of rows: give 1 or more")
    return _frames(on, statement, parameters, rows)


def _frames(
    on: AnalystConnection, statement: Statement, parameters: Parameters, rows: int
) -> Iterator[pd.DataFrame]:
    catalogue = on.catalogue()
    with on.session() as conn:
        # All rows will be read; by default a cursor is planned for the first tenth of them.
        conn.execute("SET LOCAL cursor_tuple_fraction = 1")
        with conn.cursor("lightfast_read") as cursor:
            cursor.execute(statement, parameters or None, binary=True)
            shape = _Shape(cursor, catalogue)
            # Rows and former frames are not kept while the caller works with a frame.
            yield shape.frame(cursor.fetchmany(rows))
            while fetched := cursor.fetchmany(rows):
                frame = shape.frame(fetched)
                del fetched
                yield frame
                del frame


class _Shape:
    """The names, types and categories of an answer's columns, the same for each of its frames.

    A value that the dictionary does not list is added behind the others, in this frame and those after it.
    """

    def __init__(self, cursor: Cursor[Any] | ServerCursor[Any], catalogue: Catalogue) -> None:
        if cursor.description is None or cursor.pgresult is None:
            raise ReadError("this statement has no rows to read: write a SELECT")
        self._names = [column.name for column in cursor.description]
        twice = {name for name in self._names if self._names.count(name) > 1}
        if twice:
            raise ReadError(
                f"more than one column is called {', '.join(sorted(twice))}: name them with AS"
            )
        self._dtypes = [dtype_of(column.type_code) for column in cursor.description]
        answer = cursor.pgresult
        self._categories = [
            catalogue.values_of(answer.ftable(number), answer.ftablecol(number))
            if dtype == "str"
            else None
            for number, dtype in enumerate(self._dtypes)
        ]

    def frame(self, rows: Sequence[tuple[Any, ...]]) -> pd.DataFrame:
        import pandas as pd

        columns = list(zip(*rows, strict=True)) or [()] * len(self._names)
        return pd.DataFrame(
            {name: self._column(number, columns[number]) for number, name in enumerate(self._names)}
        )

    def _column(self, number: int, values: Sequence[Any]) -> pd.Series[Any]:
        import pandas as pd

        known = self._categories[number]
        if known is None:
            return array_of(values, self._dtypes[number])
        others = {value for value in values if value is not None}.difference(known)
        if others:
            known = self._categories[number] = (*known, *sorted(others))
        categories = pd.Index(list(known), dtype="str")
        return pd.Series(pd.Categorical(cast(Any, values), categories=categories))
