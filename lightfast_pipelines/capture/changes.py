"""Applies what payloads change besides facts: connections, resources, and the names of places."""

from __future__ import annotations

from collections.abc import Iterable

from lightfast_pipelines.capture.reading import ReadPayload
from lightfast_pipelines.capture.routing import RoutedPayloads
from lightfast_pipelines.capture.writers.lifecycle import apply_lifecycle
from lightfast_pipelines.capture.writers.place_names import add_names, stubs_named, withdraw_names
from lightfast_pipelines.capture.writers.stub_names import WorkspaceKey
from lightfast_pipelines.store.database import Connection


def apply_changes(
    conn: Connection, routed: RoutedPayloads, displaced: Iterable[ReadPayload]
) -> set[WorkspaceKey]:
    """Applies the changes, and withdraws those of `displaced` payloads, which turned out to be repeats.

    Returns the stubs whose names may now mean another place.
    """
    settled = apply_lifecycle(conn, routed.payloads)
    names = withdraw_names(conn, displaced)
    names |= add_names(conn, routed.payloads, routed.reached, settled)
    return stubs_named(conn, names)
