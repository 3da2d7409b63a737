"""Pinecone's REST API over vectors in memory, which it really stores, filters, ranks and lists.

True to the wire as far as the adapter depends on it: refused keys, namespaces that do not exist until
they are written to, vectors without a number in them, metadata that is too large or null, ranges over
texts, pages of ids, and what a request costs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.servers.serving import Served, serve

Json = dict[str, Any]
KEY = "pcsk_key_of_the_tests"
_MOST_VECTORS = 1_000
_MOST_BYTES = 2 * 1024 * 1024
_MOST_METADATA = 40 * 1024
_MOST_IDS = 1_000


@dataclass(frozen=True, slots=True)
class Stored:
    """A vector as it was written last."""

    values: NDArray[np.float64]
    metadata: Json


@dataclass(slots=True)
class PineconeWorld:
    """An index: its shape, and the vectors of each namespace by id."""

    name: str = "lightfast"
    dimension: int = 256
    metric: str = "cosine"
    key: str = KEY
    tells_shape: bool = True
    """Whether `describe_index_stats` tells dimension and metric."""
    namespaces: dict[str, dict[str, Stored]] = field(default_factory=dict)

    def vectors(self) -> dict[str, Stored]:
        """The vectors of all namespaces by `namespace id`."""
        return {
            f"{namespace} {identifier}": stored
            for namespace, vectors in self.namespaces.items()
            for identifier, stored in vectors.items()
        }


class _Refused(Exception):
    def __init__(self, message: str, status: int = 400, code: int = 3) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@contextmanager
def serve_pinecone(world: PineconeWorld) -> Iterator[Served]:
    """Runs the control plane and the data plane of the index on one free port."""
    with serve(_application(world)) as served:
        yield served


def _application(world: PineconeWorld) -> Starlette:
    def route(path: str, method: str, answer: Any) -> Route:
        async def endpoint(request: Request) -> Response:
            if request.headers.get("api-key") != world.key:
                return Response("Invalid API Key", status_code=401)
            body = await request.body()
            try:
                return JSONResponse(answer(world, request, json.loads(body) if body else {}))
            except _Refused as error:
                answered = {"code": error.code, "message": str(error), "details": []}
                return JSONResponse(answered, status_code=error.status)

        return Route(path, endpoint, methods=[method])

    return Starlette(
        routes=[
            route("/indexes/{name}", "GET", _describe),
            route("/describe_index_stats", "POST", _stats),
            route("/vectors/upsert", "POST", _upsert),
            route("/vectors/delete", "POST", _delete),
            route("/vectors/list", "GET", _list),
            route("/vectors/fetch", "GET", _fetch),
            route("/query", "POST", _query),
        ]
    )


def _describe(world: PineconeWorld, request: Request, _body: Json) -> Json:
    if request.path_params["name"] != world.name:
        raise _Refused(f"Resource {request.path_params['name']} not found", 404, 5)
    vector = {"type": "dense_vector", "dimension": world.dimension, "metric": world.metric}
    return {
        "name": world.name,
        "host": str(request.base_url).rstrip("/"),
        "status": {"ready": True, "state": "Ready"},
        "schema": {"fields": {"_values": vector}},
        "deployment": {"deployment_type": "managed", "cloud": "aws", "region": "us-east-1"},
        "deletion_protection": "disabled",
    }


def _stats(world: PineconeWorld, _request: Request, _body: Json) -> Json:
    counts = {name: {"vectorCount": len(vectors)} for name, vectors in world.namespaces.items()}
    shape = {"dimension": world.dimension, "metric": world.metric} if world.tells_shape else {}
    return {
        "namespaces": counts,
        "totalVectorCount": sum(map(len, world.namespaces.values())),
        **shape,
    }


def _upsert(world: PineconeWorld, request: Request, body: Json) -> Json:
    if int(request.headers.get("content-length", 0)) > _MOST_BYTES:
        raise _Refused("Request size exceeds the maximum supported size of 2097152", 413, 11)
    vectors = body["vectors"]
    if len(vectors) > _MOST_VECTORS:
        raise _Refused(f"Upsert size {len(vectors)} exceeds the maximum of {_MOST_VECTORS}")
    stored = {}
    for vector in vectors:
        values = np.asarray(vector["values"], np.float64)
        if len(values) != world.dimension:
            raise _Refused(
                f"Vector dimension {len(values)} does not match the dimension of the index "
                f"{world.dimension}"
            )
        if not values.any():
            raise _Refused("Dense vectors must contain at least one non-zero value")
        _check_metadata(vector["id"], vector.get("metadata", {}))
        stored[_id(vector["id"])] = Stored(values, vector.get("metadata", {}))
    world.namespaces.setdefault(body.get("namespace", ""), {}).update(stored)
    return {"upsertedCount": len(vectors)}


def _id(identifier: str) -> str:
    if not identifier.isascii() or not 0 < len(identifier) <= 512:
        raise _Refused(
            f"Vector ID must be ASCII and at most 512 characters, but got {identifier!r}"
        )
    return identifier


def _check_metadata(identifier: str, metadata: Mapping[str, Any]) -> None:
    size = len(json.dumps(metadata, ensure_ascii=False).encode())
    if size > _MOST_METADATA:
        raise _Refused(f"Metadata size is {size} bytes, which exceeds the limit of 40960 bytes")
    for name, value in metadata.items():
        is_list = isinstance(value, list) and all(isinstance(item, str) for item in value)
        if not is_list and not isinstance(value, str | int | float | bool):
            raise _Refused(
                "Metadata value must be a string, number, boolean or list of strings, got "
                f"{value!r} for field {name!r} of {identifier}"
            )


def _delete(world: PineconeWorld, _request: Request, body: Json) -> Json:
    vectors = _namespace(world, body.get("namespace", ""))
    if body.get("deleteAll"):
        del world.namespaces[body.get("namespace", "")]
        return {}
    if len(body["ids"]) > _MOST_IDS:
        raise _Refused(f"Delete size {len(body['ids'])} exceeds the maximum of {_MOST_IDS}")
    for identifier in body["ids"]:
        vectors.pop(identifier, None)
    return {}


def _namespace(world: PineconeWorld, name: str) -> dict[str, Stored]:
    if name not in world.namespaces:
        raise _Refused("Namespace not found", 404, 5)
    return world.namespaces[name]


def _list(world: PineconeWorld, request: Request, _body: Json) -> Json:
    namespace, after = (
        request.query_params["namespace"],
        request.query_params.get("paginationToken"),
    )
    prefix, limit = request.query_params.get("prefix", ""), request.query_params.get("limit", "100")
    ids = sorted(key for key in _namespace(world, namespace) if key.startswith(prefix))
    page = [key for key in ids if after is None or key > after][: int(limit)]
    more = {"pagination": {"next": page[-1]}} if page and page[-1] != ids[-1] else {}
    vectors = [{"id": key} for key in page]
    return {"vectors": vectors, "namespace": namespace, "usage": {"readUnits": 1}, **more}


def _fetch(world: PineconeWorld, request: Request, _body: Json) -> Json:
    vectors = world.namespaces.get(request.query_params["namespace"], {})
    return {
        "namespace": request.query_params["namespace"],
        "usage": {"readUnits": 1},
        "vectors": {
            key: {
                "id": key,
                "values": vectors[key].values.tolist(),
                "metadata": vectors[key].metadata,
            }
            for key in request.query_params.getlist("ids")
            if key in vectors
        },
    }


def _query(world: PineconeWorld, _request: Request, body: Json) -> Json:
    wanted = np.asarray(body["vector"], np.float64)
    if len(wanted) != world.dimension:
        raise _Refused(f"Vector dimension {len(wanted)} does not match {world.dimension}")
    matches = [
        (
            float(wanted @ stored.values / np.linalg.norm(wanted) / np.linalg.norm(stored.values)),
            key,
        )
        for key, stored in world.namespaces.get(body.get("namespace", ""), {}).items()
        if _admits(body.get("filter") or {}, stored.metadata)
    ]
    matches.sort(key=lambda match: (-match[0], match[1]))
    vectors = world.namespaces.get(body.get("namespace", ""), {})
    return {
        "namespace": body.get("namespace", ""),
        "usage": {"readUnits": 5},
        "matches": [
            {
                "id": key,
                "score": score,
                **({"metadata": vectors[key].metadata} if body["includeMetadata"] else {}),
            }
            for score, key in matches[: body["topK"]]
        ],
    }


def _admits(condition: Mapping[str, Any], metadata: Mapping[str, Any]) -> bool:
    for name, wanted in condition.items():
        if name == "$and":
            if not all(_admits(part, metadata) for part in wanted):
                return False
        elif not all(_holds(metadata.get(name), *comparison) for comparison in wanted.items()):
            return False
    return True


def _holds(value: Any, operator: str, wanted: Any) -> bool:
    if re.fullmatch(r"\$[gl]te?", operator):
        if isinstance(wanted, bool) or not isinstance(wanted, int | float):
            raise _Refused(f"the {operator} operator must be followed by a number, got {wanted!r}")
        if not isinstance(value, int | float):
            return False
        return bool(
            {"$gt": value > wanted, "$gte": value >= wanted, "$lt": value < wanted}.get(
                operator, value <= wanted
            )
        )
    held = value if isinstance(value, list) else [value]
    if operator == "$eq":
        return wanted in held
    if operator == "$in":
        return not set(held).isdisjoint(wanted)
    raise _Refused(f"unknown operator {operator}")
