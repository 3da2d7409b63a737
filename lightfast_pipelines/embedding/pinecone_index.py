"""The vector index at Pinecone, by Pinecone's own client.

All layers of a workspace are in one namespace and told apart by metadata. The client repeats a request
up to three times by itself and waits as long as `retry-after` says, at most a minute and a half.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from lightfast_pipelines.domain.secrets.masking import mask_text
from lightfast_pipelines.embedding.index import (
    NO_FILTERS,
    VIEWS,
    Filters,
    Hit,
    IndexAway,
    IndexUnusable,
    IndexUsage,
    Layer,
    RecordRefused,
    Tenant,
    VectorRecord,
)
from lightfast_pipelines.embedding.pinecone_names import namespace_of
from lightfast_pipelines.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

INDEX_IS_OFF = "PINECONE_API_KEY is not set"

# Pinecone takes at most 1,000 vectors and 2 MB a request; a small one costs little when it is repeated.
VECTORS_A_REQUEST = 200
BYTES_A_REQUEST = 1_800_000
IDS_A_DELETE = 1_000
_IDS_A_PAGE = 100
# Components are sent with 7 decimals (an error of 5e-8, as in float32): half the bytes of all 17 digits.
_DECIMALS = 7
_BYTES_A_NUMBER = 11
# An answer that a person waits for.
_SEARCH_SECONDS = 5.0
# More hits with their metadata may exceed the 4 MB that Pinecone answers.
_MOST_HITS = 1_000


class PineconeIndex:
    """Connects at the first use. `host` is the index's own address: without it, Pinecone is asked for the
    address of the index `name` (at `api_url`)."""

    def __init__(
        self,
        api_key: SecretStr,
        *,
        index: str,
        host: str | None = None,
        api_url: str | None = None,
        timeout: float = 30.0,
    ) -> None:
        self.name = _named(index, host)
        self.usage = IndexUsage()
        self._api_key = api_key
        self._index_name = index
        self._host = host
        self._api_url = api_url
        self._timeout = timeout
        self._client: Any = None
        self._connected: Any = None

    def close(self) -> None:
        """Closes the connections; the next use opens them again."""
        for opened in (self._connected, self._client):
            if opened is not None:
                opened.close()
        self._client = self._connected = None

    def namespace(self, tenant: Tenant) -> str:
        return namespace_of(tenant.org_id, tenant.slug)

    def check(self, dimensions: int) -> None:
        """Asks the data plane, which also shows that it answers; it may leave out either fact."""
        index = self._index()
        with self._asking("describe"):
            shape = index.describe_index_stats()
        create = f"create an index with dimension {dimensions} and metric cosine, set PINECONE_INDEX to its name"
        if shape.dimension is not None and shape.dimension != dimensions:
            raise IndexUnusable(
                f"the index {self._index_name} has dimension {shape.dimension}, the embedder makes "
                f"{dimensions}: {create}, or choose an embedder of {shape.dimension} dimensions"
            )
        if shape.metric is not None and shape.metric != "cosine":
            raise IndexUnusable(
                f"the index {self._index_name} ranks by {shape.metric}, which gives another order than "
                f"pgvector: {create}"
            )

    def upsert(self, tenant: Tenant, records: Sequence[VectorRecord]) -> None:
        """Writes the records in requests of a bounded size."""
        index, namespace = self._index(), self.namespace(tenant)
        for request in _requests(records):
            with self._asking("upsert", len(request)):
                index.upsert(vectors=request, namespace=namespace)

    def delete(self, tenant: Tenant, ids: Sequence[str]) -> None:
        index, namespace = self._index(), self.namespace(tenant)
        for start in range(0, len(ids), IDS_A_DELETE):
            part = list(ids[start : start + IDS_A_DELETE])
            with self._asking("delete", len(part), absent_is_fine=True):
                index.delete(ids=part, namespace=namespace)

    def clear(self, namespace: str) -> None:
        index = self._index()
        with self._asking("delete", absent_is_fine=True):
            index.delete(delete_all=True, namespace=namespace)

    def ids(self, tenant: Tenant) -> Iterator[list[str]]:
        index, namespace = self._index(), self.namespace(tenant)
        token: str | None = None
        while True:
            page = None
            with self._asking("list", absent_is_fine=True):
                page = index.list_paginated(
                    namespace=namespace, limit=_IDS_A_PAGE, pagination_token=token
                )
            if page is None:
                return
            self._count_units("list", page.usage)
            if page.vectors:
                yield [item.id for item in page.vectors if item.id is not None]
            token = page.pagination.next if page.pagination is not None else None
            if token is None:
                return

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
        index = self._index()
        # A thing has a vector per view: its best one counts.
        views = len(VIEWS) if layer == "observations" else 1
        answer = None
        with self._asking("search", absent_is_fine=True):
            answer = index.query(
                vector=_numbers(vector),
                top_k=min(k * views, _MOST_HITS),
                namespace=self.namespace(tenant),
                filter={"$and": _conditions(layer, model, filters)},
                include_metadata=True,
                timeout=min(_SEARCH_SECONDS, self._timeout),
            )
        if answer is None:
            return []
        self._count_units("search", answer.usage)
        best: dict[str, Hit] = {}
        for match in answer.matches:
            metadata = match.metadata or {}
            key = str(metadata.get("key", ""))
            best.setdefault(key, Hit(layer, key, float(match.score), metadata.get("view")))
        return list(best.values())[:k]

    def _index(self) -> Any:
        if self._connected is None:
            from pinecone import Pinecone

            with self._asking("describe"):
                self._client = self._client or Pinecone(
                    api_key=self._api_key.get_secret_value(),
                    host=self._api_url,
                    timeout=self._timeout,
                    source_tag="lightfast",
                )
                self._connected = (
                    self._client.index(host=self._host)
                    if self._host
                    else self._client.index(name=self._index_name)
                )
        return self._connected

    @contextmanager
    def _asking(
        self, operation: str, vectors: int = 0, *, absent_is_fine: bool = False
    ) -> Iterator[None]:
        """Counts the request, and explains its failure. With `absent_is_fine`, a namespace that does not
        exist is no failure: Pinecone makes one with its first vector."""
        from pinecone.errors import NotFoundError, PineconeError

        self.usage.requests[operation] += 1
        try:
            yield
        except NotFoundError as error:
            if absent_is_fine:
                return
            failure: Exception = IndexUnusable(
                f"Pinecone has no index {self._index_name}: create it, or set PINECONE_INDEX to the "
                f"name of another ({self._shortened(error)})"
            )
        except PineconeError as error:
            failure = _explained(error, operation, self._shortened(error))
        else:
            self.usage.vectors[operation] += vectors
            return
        self.usage.failures[operation] += 1
        self.usage.last_error = str(failure)
        raise failure from None

    def _shortened(self, error: Exception) -> str:
        # A proxy may answer with the request's headers.
        message = str(error).replace(self._api_key.get_secret_value(), "…")
        return f"{type(error).__name__}: {mask_text(message)[:200]}"

    def _count_units(self, operation: str, usage: Any) -> None:
        if usage is not None and usage.read_units:
            self.usage.units[operation] += usage.read_units


def _named(index: str, host: str | None) -> str:
    """An index at another address is another one, whatever it is called."""
    return f"pinecone:{index}@{urlsplit(host).netloc}" if host else f"pinecone:{index}"


def index_name(settings: Settings) -> str:
    """The name under which the index of the settings is known in the tables."""
    return _named(settings.pinecone_index, settings.pinecone_host)


def pinecone_index(settings: Settings) -> PineconeIndex | None:
    """The index that the settings name; None without a key."""
    if settings.pinecone_api_key is None:
        return None
    return PineconeIndex(
        settings.pinecone_api_key,
        index=settings.pinecone_index,
        host=settings.pinecone_host,
        api_url=settings.pinecone_api_url,
        timeout=settings.api_timeout_seconds,
    )


def _explained(error: Exception, operation: str, text: str) -> Exception:
    """The error in the index's terms, which say what follows from it; `text` describes it."""
    from pinecone.errors import (
        ApiError,
        ForbiddenError,
        PaymentRequiredError,
        PineconeValueError,
        RateLimitError,
        UnauthorizedError,
    )

    if isinstance(error, UnauthorizedError | ForbiddenError):
        return IndexUnusable(f"Pinecone refuses the key, check PINECONE_API_KEY: {text}")
    if isinstance(error, PaymentRequiredError):
        return IndexUnusable(f"Pinecone asks for payment: {text}")
    is_refused = isinstance(error, ApiError) and error.status_code in {400, 413, 422}
    if is_refused or isinstance(error, PineconeValueError):
        # Without a record, it is the settings that are wrong: an index that is not ready, a bad key.
        return RecordRefused(text) if operation == "upsert" else IndexUnusable(text)
    if isinstance(error, RateLimitError):
        return IndexAway(f"Pinecone's rate limit is used up: {text}")
    # Time-outs, cut connections, answers that are cut off, 5xx.
    return IndexAway(f"Pinecone does not answer properly: {text}")


def _numbers(vector: NDArray[np.float32]) -> list[float]:
    numbers: list[float] = vector.astype("float64").round(_DECIMALS).tolist()
    return numbers


def _requests(records: Sequence[VectorRecord]) -> Iterator[list[Mapping[str, Any]]]:
    request: list[Mapping[str, Any]] = []
    size = 0
    for record in records:
        metadata = len(json.dumps(dict(record.metadata), ensure_ascii=False).encode())
        record_size = len(record.id) + metadata + len(record.values) * _BYTES_A_NUMBER + 60
        if request and (len(request) >= VECTORS_A_REQUEST or size + record_size > BYTES_A_REQUEST):
            yield request
            request, size = [], 0
        request.append(
            {"id": record.id, "values": _numbers(record.values), "metadata": dict(record.metadata)}
        )
        size += record_size
    if request:
        yield request


def _conditions(layer: Layer, model: str, filters: Filters) -> list[dict[str, Any]]:
    conditions: list[dict[str, Any]] = [{"layer": {"$eq": layer}}, {"model": {"$eq": model}}]
    lists = {
        "source": filters.sources,
        "kind": filters.kinds,
        "identities": filters.identities,
    }
    conditions += [{name: {"$in": list(values)}} for name, values in lists.items() if values]
    # Pinecone compares numbers only, so times are milliseconds.
    if filters.since is not None:
        conditions.append({"occurred_at": {"$gte": round(filters.since.timestamp() * 1000)}})
    if filters.before is not None:
        conditions.append({"occurred_at": {"$lt": round(filters.before.timestamp() * 1000)}})
    if filters.least_significance is not None:
        conditions.append({"significance": {"$gte": filters.least_significance}})
    return conditions
