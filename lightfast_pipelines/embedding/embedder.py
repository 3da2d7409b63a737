"""The interface of embedders, which turn texts into vectors.

Each implementation has a file of its own. `stage.py` decides what is embedded and when, `index.py`
stores the vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class EmbeddingModel(Protocol):
    """The model that makes vectors. Every vector is stored with its `name`; under another name all are
    made again."""

    name: str
    dimensions: int


class Embedder(EmbeddingModel, Protocol):
    """Turns texts into vectors."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(len(texts), dimensions) float32, rows of length 1; all zeros for a text without a token."""
        ...


class RefusedTextError(ValueError):
    """The service refused a request for its texts, or made an unusable vector of one of them."""


@dataclass(slots=True)
class EmbeddingUsage:
    """What a hosted embedder used since it was last asked, and its last failure."""

    requests: int = 0
    failures: int = 0
    tokens: int = 0
    error: str | None = None


class HostedEmbedder(Embedder, Protocol):
    """An embedder whose model is asked over the network and costs money.

    `embed` raises ServiceUnavailableError if the service does not answer usably, and RefusedTextError if
    one of the texts is at fault.
    """

    provider: str

    def take_usage(self) -> EmbeddingUsage:
        """What was used since the last call, by failed requests too."""
        ...


def plain_text(text: str) -> str:
    """The text as UTF-8 can encode it: a lone surrogate becomes `?`, NUL a space."""
    return text.replace("\0", " ").encode("utf-8", "replace").decode()
