"""The interfaces of a vector index: what stores vectors, what searches them, and what is hosted elsewhere.

`embedder.py` makes vectors, `stage.py` decides which are missing. Postgres is the home of every vector;
a hosted index holds copies of them, which `projection.py` keeps up to date.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal, Protocol, get_args

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

View = Literal["title", "content", "summary"]
VIEWS: tuple[View, ...] = ("title", "content", "summary")

Layer = Literal["observations", "clusters", "profiles", "entities"]
LAYERS: tuple[Layer, ...] = get_args(Layer)


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

    def of(self, observations: Collection[int]) -> Vectors:
        """Only the rows of these observations."""
        rows = [row for row, id_ in enumerate(self.observation_ids) if id_ in observations]
        return Vectors(
            self.model,
            [self.workspace_ids[row] for row in rows],
            [self.observation_ids[row] for row in rows],
            [self.views[row] for row in rows],
            self.vectors[rows],
        )


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


@dataclass(frozen=True, slots=True)
class Tenant:
    """The workspace that a hosted index is asked about."""

    workspace_id: int
    org_id: str
    slug: str


@dataclass(frozen=True, slots=True)
class Filters:
    """Conditions that a hit has to meet, all of them; None or empty: no condition.

    `identities` are `source:source_id` of the author or actor: a person is all of their identities.
    """

    sources: Sequence[str] = ()
    kinds: Sequence[str] = ()
    identities: Sequence[str] = ()
    since: datetime | None = None
    before: datetime | None = None
    least_significance: int | None = None


NO_FILTERS = Filters()


@dataclass(frozen=True, slots=True)
class Hit:
    """A thing near the searched vector, with the view that was nearest.

    `key` is an observation's external id, a cluster's or an actor's id, or an entity's key; `similarity`
    is the cosine.
    """

    layer: Layer
    key: str
    similarity: float
    view: View | None = None


class LayeredIndex(Protocol):
    """Searches the vectors of all layers: pgvector, or a hosted index."""

    name: str

    def search(
        self,
        tenant: Tenant,
        layer: Layer,
        vector: NDArray[np.float32],
        k: int,
        *,
        model: str,
        filters: Filters = NO_FILTERS,
    ) -> list[Hit]:
        """The k nearest things of one workspace, layer and model, nearest first; each thing once."""
        ...


@dataclass(frozen=True, slots=True)
class VectorRecord:
    """A vector as a hosted index stores it. `values` is not all zeros."""

    id: str
    values: NDArray[np.float32]
    metadata: Mapping[str, str | int | list[str]]


@dataclass(slots=True)
class IndexUsage:
    """What a hosted index was asked since this was last read. `units` are those that its answers named."""

    requests: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    vectors: Counter[str] = field(default_factory=Counter)
    units: Counter[str] = field(default_factory=Counter)
    last_error: str | None = None


class HostedIndex(LayeredIndex, Protocol):
    """An index outside of Postgres, which holds copies. Writing again what is there changes nothing."""

    usage: IndexUsage

    def check(self, dimensions: int) -> None:
        """Raises IndexUnusable if vectors of this length cannot be compared by cosine in the index."""
        ...

    def upsert(self, tenant: Tenant, records: Sequence[VectorRecord]) -> None:
        """Writes the records, replacing those of the same id. Raises IndexAway, IndexUnusable, or
        RecordRefused."""
        ...

    def delete(self, tenant: Tenant, ids: Sequence[str]) -> None:
        """Deletes the vectors with these ids; unknown ids are ignored."""
        ...

    def ids(self, tenant: Tenant) -> Iterator[list[str]]:
        """The ids of all vectors of a workspace, a page at a time."""
        ...

    def clear(self, namespace: str) -> None:
        """Deletes everything that a workspace has in the index."""
        ...

    def namespace(self, tenant: Tenant) -> str:
        """What the workspace is called in the index."""
        ...


class IndexAway(Exception):
    """The hosted index did not answer, or not with an answer: trying again later may succeed."""


class IndexUnusable(Exception):
    """The hosted index does not fit or refuses the key; the message says what to change."""


class RecordRefused(Exception):
    """The hosted index refuses a vector or its metadata, and would refuse it again."""
