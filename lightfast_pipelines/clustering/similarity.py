"""How similar the units of a workspace are: cosines of their mean vectors, and their nearest units.

numpy is used here, so that the rules in `domain/` need none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from lightfast_pipelines.domain.pair_evidence import WINDOW_SECONDS
from lightfast_pipelines.store.database import Connection

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Each observation has this many nearest candidates, if their cosine is at least this.
_NEIGHBOURS = 3
_SIMILAR = 0.5
# Rows of a block, and how many earlier observations it is compared with: 16 MiB of cosines.
_BLOCK = 512
_BACK = 8_192


class VectorMeaning:
    """Implements `domain.affinity.Meaning` with the vectors of observations.

    `vectors` is (observations, dimensions) in order of time, zeros for those without one; `times` are
    seconds, `unit_of` the unit of each observation.
    """

    def __init__(
        self,
        vectors: NDArray[np.float16],
        times: Sequence[float],
        unit_of: Sequence[int],
        units: int,
    ) -> None:
        import numpy as np

        self._vectors = vectors
        self._times = np.asarray(times, np.float64)
        self._unit_of = np.asarray(unit_of, np.int64)
        self._means = np.zeros((units, vectors.shape[1]), np.float32)
        order = np.argsort(self._unit_of, kind="stable")
        for start in range(0, len(order), _BLOCK):
            rows = order[start : start + _BLOCK]
            # Added in the observations' order, so that rounding depends on the set alone.
            np.add.at(self._means, self._unit_of[rows], vectors[rows].astype(np.float32))
        lengths = np.linalg.norm(self._means, axis=1, keepdims=True)
        self._means /= np.where(lengths > 0, lengths, 1)

    def cosines(self, pairs: Sequence[tuple[int, int]]) -> Sequence[float]:
        import numpy as np

        cosines: list[float] = []
        for start in range(0, len(pairs), _BACK):
            a, b = np.asarray(pairs[start : start + _BACK], np.int64).T
            products = np.einsum("ij,ij->i", self._means[a], self._means[b])
            cosines += products.astype(np.float64).round(6).tolist()
        return cosines

    def nearest(self) -> Iterator[tuple[int, int]]:
        """Pairs of units with similar observations within the window; exact within a block."""
        import numpy as np

        for start in range(0, len(self._times), _BLOCK):
            stop = min(start + _BLOCK, len(self._times))
            first = int(np.searchsorted(self._times, self._times[start] - WINDOW_SECONDS))
            first = max(first, start - _BACK)
            rows = self._vectors[start:stop].astype(np.float32)
            cosines = rows @ self._vectors[first:stop].astype(np.float32).T
            # Only earlier observations within the window count, and none of the same unit.
            apart = self._times[start:stop, None] - self._times[None, first:stop]
            later = np.arange(first, stop)[None, :] >= np.arange(start, stop)[:, None]
            is_same_unit = self._unit_of[start:stop, None] == self._unit_of[None, first:stop]
            cosines[later | is_same_unit | (apart > WINDOW_SECONDS) | (cosines < _SIMILAR)] = -1
            neighbour_count = min(_NEIGHBOURS, cosines.shape[1])
            best = np.argpartition(-cosines, neighbour_count - 1, axis=1)[:, :neighbour_count]
            row, place = np.nonzero(np.take_along_axis(cosines, best, 1) > 0)
            units = self._unit_of[start + row].tolist()
            nearest = self._unit_of[first + best[row, place]].tolist()
            yield from zip(units, nearest, strict=True)


def load_vectors(
    conn: Connection, workspace_id: int, model: str, observation_ids: Sequence[int], dimensions: int
) -> NDArray[np.float16]:
    """The summary vectors (observations, dimensions) in the order of the ids; zeros for missing ones.

    Read in pgvector's binary format (see embedding/pgvector.py), a page at a time.
    """
    import numpy as np

    place = {observation: row for row, observation in enumerate(observation_ids)}
    vectors = np.zeros((len(observation_ids), dimensions), np.float16)
    with conn.cursor("lightfast_vectors", binary=True) as cursor:
        cursor.itersize = 2_000
        cursor.execute(
            """
            SELECT observation_id, vector FROM lightfast.observation_vectors
            WHERE workspace_id = %s AND model = %s AND view = 'summary'
            """,
            (workspace_id, model),
        )
        for page in _pages(cursor, 2_000):
            rows = [place.get(observation, -1) for observation, _ in page]
            numbers = np.frombuffer(b"".join(data[4:] for _, data in page), ">f2")
            block = numbers.reshape(len(page), dimensions)
            wanted = np.asarray(rows) >= 0
            vectors[np.asarray(rows)[wanted]] = block[wanted]
    return vectors


def _pages(rows: Iterable[tuple[int, bytes]], size: int) -> Iterator[list[tuple[int, bytes]]]:
    page: list[tuple[int, bytes]] = []
    for row in rows:
        page.append(row)
        if len(page) == size:
            yield page
            page = []
    if page:
        yield page
