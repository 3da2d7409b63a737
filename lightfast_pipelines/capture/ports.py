"""What capture asks of models and of the vector index; they fill these ports without knowing of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

View = Literal["title", "content", "summary"]
VIEWS: tuple[View, ...] = ("title", "content", "summary")


class EmbeddingModel(Protocol):
    """Whose vectors they are. `name` goes into every row: another name makes all vectors anew."""

    name: str
    dimensions: int


class Embedder(EmbeddingModel, Protocol):
    """Makes vectors of texts."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(len(texts), dimensions) float32, rows of length 1; all zeros for a text without a token."""
        ...


@dataclass(frozen=True, slots=True)
class Vectors:
    """Vectors of one model, a row per observation and view: the three lists run side by side.

    `vectors` is (rows, dimensions) float32 of length 1, or zeros for a text without words.
    """

    model: str
    workspace_ids: Sequence[int]
    observation_ids: Sequence[int]
    views: Sequence[View]
    vectors: NDArray[np.float32]


class VectorIndex(Protocol):
    """Keeps vectors of observations. Everything is held apart by workspace."""

    def upsert(self, batch: Vectors) -> int:
        """Writes the rows, replacing those of the same observation, view and model; their number."""
        ...
