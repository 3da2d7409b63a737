"""The interface of a vector index, which stores and searches vectors.

`embedder.py` makes vectors, `stage.py` decides which are missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

View = Literal["title", "content", "summary"]
VIEWS: tuple[View, ...] = ("title", "content", "summary")


@dataclass(frozen=True, slots=True)
class Vectors:
    """Vectors of one model, a row per observation and view: the lists are parallel.

    `vectors` is (rows, dimensions) float32 of length 1, or zeros for a text without words.
    """

    model: str
    workspace_ids: Sequence[int]
    observation_ids: Sequence[int]
    views: Sequence[View]
    vectors: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An observation near the searched vector; `similarity` is the cosine, -1 to 1."""

    observation_id: int
    view: str
    similarity: float


class VectorIndex(Protocol):
    """Stores vectors of observations, each workspace's apart."""

    def upsert(self, batch: Vectors) -> int:
        """Writes the rows, replacing those of the same observation, view and model; returns their number.

        Raises ValueError for vectors of other dimensions than the index has.
        """
        ...

    def search(
        self,
        workspace_id: int,
        vector: NDArray[np.float32],
        k: int,
        *,
        model: str,
        view: View | None = None,
    ) -> list[Neighbour]:
        """The k nearest rows of one workspace and model, nearest first."""
        ...
