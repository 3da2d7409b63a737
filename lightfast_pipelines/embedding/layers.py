"""The stage that makes the vectors of clusters, people and entities, wherever one of them changed.

Triggers note what changed (`layer_changes`), so the cost is that of the changes. `layers_means.py` makes
the means, `layers_entities.py` embeds entities. A workspace's changes are done in one transaction, which
also deletes their rows, so a run that is killed loses nothing.

The local model makes all of them. Where a hosted model is on, it handles the same changes afterwards, so
that its outage delays nothing else. It embeds an entity only if it has embedded one of its observations.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from lightfast_pipelines.domain.narratives import RULE_VERSION
from lightfast_pipelines.embedding.embedder import Embedder, HostedEmbedder
from lightfast_pipelines.embedding.hosted_usage import pause_or_resume, record_embedding_usage
from lightfast_pipelines.embedding.index import LAYERS
from lightfast_pipelines.embedding.layers_entities import embed_entities
from lightfast_pipelines.embedding.layers_means import make_centroids, make_profile_vectors
from lightfast_pipelines.inbox.isolation import ServiceUnavailableError, WorkspaceIsolation
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.hosted_vectors import current_model
from lightfast_pipelines.store.stage_failures import workspace_given_up

DERIVED_LAYERS = tuple(layer for layer in LAYERS if layer != "observations")
_PAGE = 5_000
# What a failure in a page throws away has been paid for.
_PAGE_OF_HOSTED = 500

# (id of the row, layer, key) of one workspace.
Changes = Sequence[tuple[int, str, str]]

# A page is in the order of the changes, so all workspaces are served alike.
_CHANGES = f"""
SELECT c.id, c.workspace_id, c.layer, c.key, w.id IS NOT NULL
FROM lightfast.layer_changes c LEFT JOIN lightfast.workspaces w ON w.id = c.workspace_id
WHERE c.id > %(after)s AND c.is_local_done = %(hosted)s
  AND NOT {workspace_given_up("layers", "c.workspace_id", "%(rules)s::text")}
ORDER BY c.id LIMIT %(limit)s
"""

# Those of a hosted model follow the local ones, and stay as they are while no hosted model is on.
_MADE_BY_OLDER_RULES = f"""
FROM lightfast.memory_vectors v
WHERE v.rule_version < %(rules)s::int
  AND NOT EXISTS (SELECT FROM lightfast.hosted_models h WHERE h.model = v.model)
  AND NOT {workspace_given_up("layers", "v.workspace_id", "%(rules)s::text")}
"""


@dataclass(slots=True)
class LayersMade:
    """Vectors written and deleted, by layer."""

    written: Counter[str] = field(default_factory=Counter)
    deleted: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class LayersReport(LayersMade):
    """What a run did: `changes` that it read, `failures` are failed attempts; `unavailable` says why the
    hosted model ended it early."""

    changes: int = 0
    failures: int = 0
    unavailable: str | None = None
    seconds: float = 0.0


def layers_due(conn: Connection, *, for_hosted: bool = False) -> int:
    """The number of changes that wait for the local or the hosted model, at most 10,000. Vectors of older
    rules count as one."""
    row = conn.execute(
        f"""
        SELECT count(*)::int + (EXISTS (SELECT {_MADE_BY_OLDER_RULES}))::int FROM (
          SELECT FROM lightfast.layer_changes c
          WHERE c.is_local_done = %(hosted)s
            AND NOT {workspace_given_up("layers", "c.workspace_id", "%(rules)s::text")}
          LIMIT 10000
        ) waiting
        """,
        {"hosted": for_hosted, "rules": _rules()},
    ).fetchone()
    return int(row[0]) if row else 0


def make_layers(
    conn: Connection,
    embedder: Embedder,
    *,
    progress: Callable[[int], object] = lambda _count: None,
    between: Callable[[], None] = lambda: None,
) -> LayersReport:
    """Makes the vectors of everything that changed so far, in pages. The caller holds the stage's lock.

    `progress` gets the number of changes of each page, `between` is called after each but the last.
    """
    began = time.monotonic()
    conn.execute(
        f"""
        INSERT INTO lightfast.layer_changes (workspace_id, layer, key)
        SELECT v.workspace_id, v.layer, v.key {_MADE_BY_OLDER_RULES}
        """,
        {"rules": _rules()},
    )
    conn.commit()
    report = LayersReport()
    has_hosted = current_model(conn) is not None
    if not has_hosted:
        conn.execute("DELETE FROM lightfast.layer_changes WHERE is_local_done")

    def make(workspace: int, changes: Changes) -> LayersMade:
        made = _make(conn, embedder, workspace, changes, is_hosted=False)
        ids = [change for change, _, _ in changes]
        if has_hosted:
            conn.execute(
                "UPDATE lightfast.layer_changes SET is_local_done = true WHERE id = ANY(%s)", (ids,)
            )
        else:
            _discard(conn, ids)
        return made

    _work_through(conn, make, report, progress, between, is_hosted=False)
    report.seconds = time.monotonic() - began
    return report


def make_hosted_layers(
    conn: Connection,
    embedder: HostedEmbedder,
    *,
    progress: Callable[[int], object] = lambda _count: None,
    between: Callable[[], None] = lambda: None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> LayersReport:
    """Makes the vectors of the hosted model, of what the local one has done.

    If the service is away, the report says so and the changes wait.
    """
    began = time.monotonic()
    report = LayersReport()
    unavailable: ServiceUnavailableError | None = None

    def make(workspace: int, changes: Changes) -> LayersMade:
        made = _make(conn, embedder, workspace, changes, is_hosted=True)
        _discard(conn, [change for change, _, _ in changes])
        return made

    try:
        _work_through(conn, make, report, progress, between, is_hosted=True)
    except ServiceUnavailableError as failure:
        conn.rollback()
        unavailable, report.unavailable = failure, str(failure)
    now = clock()
    usage = record_embedding_usage(conn, embedder, purpose="entities", day=now.date())
    pause_or_resume(conn, embedder, now, unavailable, usage.requests)
    conn.commit()
    report.seconds = time.monotonic() - began
    return report


def _work_through(
    conn: Connection,
    make: Callable[[int, Changes], LayersMade],
    report: LayersReport,
    progress: Callable[[int], object],
    between: Callable[[], None],
    *,
    is_hosted: bool,
) -> None:
    row = conn.execute("SELECT max(id) FROM lightfast.layer_changes").fetchone()
    last, after = (row[0] if row else None) or 0, 0
    while after < last:
        parameters = {
            "after": after,
            "limit": _PAGE_OF_HOSTED if is_hosted else _PAGE,
            "rules": _rules(),
            "hosted": is_hosted,
        }
        page = conn.execute(_CHANGES, parameters).fetchall()
        if not page:
            break
        if report.changes:
            between()
        _discard(conn, [row[0] for row in page if not row[4]])
        isolation = WorkspaceIsolation[LayersMade](conn, "layers", _rules())
        for made in isolation.run(_by_workspace(make, page)):
            report.written.update(made.written)
            report.deleted.update(made.deleted)
        report.failures += isolation.failures
        report.changes += len(page)
        after = page[-1][0]
        progress(len(page))
    conn.commit()


def _rules() -> str:
    return str(RULE_VERSION)


def _by_workspace(
    make: Callable[[int, Changes], LayersMade],
    page: Sequence[tuple[int, int, str, str, bool]],
) -> dict[int, Callable[[], LayersMade]]:
    changes: dict[int, list[tuple[int, str, str]]] = defaultdict(list)
    for change, workspace, layer, key, exists in page:
        if exists:
            changes[workspace].append((change, layer, key))
    return {
        workspace: partial(make, workspace, workspace_changes)
        for workspace, workspace_changes in changes.items()
    }


def _make(
    conn: Connection, embedder: Embedder, workspace: int, changes: Changes, *, is_hosted: bool
) -> LayersMade:
    keys: dict[str, set[str]] = defaultdict(set)
    for _, layer, key in changes:
        keys[layer].add(key)
    made = LayersMade()
    makers = {
        "clusters": partial(make_centroids, conn, workspace, embedder.name),
        "profiles": partial(make_profile_vectors, conn, workspace, embedder.name),
        "entities": partial(embed_entities, conn, workspace, embedder, only_embedded=is_hosted),
    }
    for layer, make in makers.items():
        if keys[layer]:
            made.written[layer], made.deleted[layer] = make(sorted(keys[layer]))
            if not is_hosted:
                _replace_former_local(conn, workspace, layer, sorted(keys[layer]), embedder.name)
    return made


def _replace_former_local(
    conn: Connection, workspace: int, layer: str, keys: Sequence[str], model: str
) -> None:
    """Deletes the vectors of a former local model where the current one has made its own."""
    conn.execute(
        """
        DELETE FROM lightfast.memory_vectors v
        WHERE v.workspace_id = %(workspace)s AND v.layer = %(layer)s AND v.key = ANY(%(keys)s)
          AND v.model <> %(model)s
          AND NOT EXISTS (SELECT FROM lightfast.hosted_models h WHERE h.model = v.model)
          AND EXISTS (
            SELECT FROM lightfast.memory_vectors n
            WHERE (n.workspace_id, n.layer, n.key) = (v.workspace_id, v.layer, v.key)
              AND n.model = %(model)s)
        """,
        {"workspace": workspace, "layer": layer, "keys": list(keys), "model": model},
    )


def _discard(conn: Connection, changes: Sequence[int]) -> None:
    if changes:
        conn.execute("DELETE FROM lightfast.layer_changes WHERE id = ANY(%s)", (list(changes),))
