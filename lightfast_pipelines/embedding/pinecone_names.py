"""What a workspace and a vector are called in Pinecone.

Both names are made of identities without losing anything: two workspaces never share a namespace, and
two vectors never an id. Pinecone accepts ASCII, at most 512 characters.
"""

from __future__ import annotations

import hashlib
from urllib.parse import quote

from lightfast_pipelines.embedding.index import VIEWS, Layer, View

_LONGEST = 512


def namespace_of(org_id: str, slug: str) -> str:
    """The namespace of a workspace: its organisation and slug, in the case that they are written in."""
    name = f"{quote(org_id, safe='')}:{quote(slug, safe='')}"
    if len(name) <= _LONGEST:
        return name
    # Two colons, which no other namespace has.
    return f"::{hashlib.sha256(name.encode()).hexdigest()}"


def vector_id(layer: Layer, key: str, view: View | None = None) -> str:
    """The id of a thing's vector. An observation has one per view, other things have one and no view."""
    if view is not None:
        return f"{layer}#{key}#{view}"
    # `store/migrations/versions/vectors.sql` has the same rule. Keys may be long, and in any script.
    return f"{layer}#{hashlib.sha256(key.encode()).hexdigest()[:40]}"


def vector_ids(layer: Layer, key: str) -> tuple[str, ...]:
    """The ids of everything that the index may hold of a thing."""
    views = VIEWS if layer == "observations" else (None,)
    return tuple(vector_id(layer, key, view) for view in views)
