"""The stage that makes the vectors of clusters, people and entities, wherever one of them changed.

Triggers note what changed (`layer_changes`), so the cost is that of the changes. `layers_means.py` makes
the means, `layers_entities.py` embeds entities. A workspace's changes are done in one transaction, which
also deletes their rows, so a run that is killed loses nothing.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from lightfast_pipelines.domain.narratives import RULE_VERSION
from lightfast_pipelines.embedding.embedder import Embedder
from lightfast_pipelines.embedding.index import LAYERS
from lightfast_pipelines.embedding.layers_entities import embed_entities
from lightfast_pipelines.embedding.layers_means import make_centroids, make_profile_vectors
from lightfast_pipelines.inbox.isolation import WorkspaceIsolation
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.stage_failures import workspace_given_up

DERIVED_LAYERS = tuple(layer for layer in LAYERS if layer != "observations")
_PAGE = 5_000

# A page is in the order of the changes, so all workspaces are served alike.
_CHANGES = f"""
SELECT c.id, c.workspace_id, c.layer, c.key, w.id IS NOT NULL
FROM lightfast.layer_changes c LEFT JOIN lightfast.workspaces w ON w.id = c.workspace_id
WHERE c.id > %(after)s AND NOT {workspace_given_up("layers", "c.workspace_id", "%(rules)s::text")}
ORDER BY c.id LIMIT %(limit)s
"""

_MADE_BY_OLDER_RULES = "FROM lightfast.memory_vectors v WHERE v.rule_version < %s"


@dataclass(slots=True)
class LayersMade:
    """Vectors written and deleted, by layer."""

    written: dict[str, int] = field(default_factory=dict)
    deleted: dict[str, int] = field(default_factory=dict)

    def add(self, made: LayersMade) -> None:
        for total, part in ((self.written, made.written), (self.deleted, made.deleted)):
            for layer, count in part.items():
                total[layer] = total.get(layer, 0) + count


@dataclass(slots=True)
class LayersReport(LayersMade):
    """Of a run: `changes` were noted, `failures` are failed attempts."""

    changes: int = 0
    failures: int = 0
    seconds: float = 0.0


def layers_due(conn: Connection) -> int:
    """The number of changes that wait, at most 10,000; vectors of older rules count as one."""
    row = conn.execute(
        f"""
        SELECT count(*) FROM (
          SELECT FROM lightfast.layer_changes c
          WHERE NOT {workspace_given_up("layers", "c.workspace_id", "%s::text")} LIMIT 10000
        ) waiting
        """,
        (_rules(),),
    ).fetchone()
    outdated = conn.execute(f"SELECT EXISTS (SELECT {_MADE_BY_OLDER_RULES})", (RULE_VERSION,))
    return int(row[0] if row else 0) + int((outdated.fetchone() or (False,))[0])


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
    report = LayersReport()
    conn.execute(
        f"""
        INSERT INTO lightfast.layer_changes (workspace_id, layer, key)
        SELECT v.workspace_id, v.layer, v.key {_MADE_BY_OLDER_RULES}
        """,
        (RULE_VERSION,),
    )
    conn.commit()
    row = conn.execute("SELECT max(id) FROM lightfast.layer_changes").fetchone()
    last, after = (row[0] if row else None) or 0, 0
    while after < last:
        parameters = {"after": after, "limit": _PAGE, "rules": _rules()}
        page = conn.execute(_CHANGES, parameters).fetchall()
        if not page:
            break
        if report.changes:
            between()
        _discard(conn, [row[0] for row in page if not row[4]])
        isolation = WorkspaceIsolation[LayersMade](conn, "layers", _rules())
        for made in isolation.run(_work(conn, embedder, page)):
            report.add(made)
        report.failures += isolation.failures
        report.changes += len(page)
        after = page[-1][0]
        progress(len(page))
    conn.commit()
    report.seconds = time.monotonic() - began
    return report


def _rules() -> str:
    return str(RULE_VERSION)


def _work(
    conn: Connection, embedder: Embedder, page: Sequence[tuple[int, int, str, str, bool]]
) -> dict[int, Callable[[], LayersMade]]:
    changes: dict[int, list[tuple[int, str, str]]] = defaultdict(list)
    for change, workspace, layer, key, exists in page:
        if exists:
            changes[workspace].append((change, layer, key))
    return {
        workspace: partial(_make, conn, embedder, workspace, workspace_changes)
        for workspace, workspace_changes in changes.items()
    }


def _make(
    conn: Connection, embedder: Embedder, workspace: int, changes: Sequence[tuple[int, str, str]]
) -> LayersMade:
    keys: dict[str, set[str]] = defaultdict(set)
    for _, layer, key in changes:
        keys[layer].add(key)
    made = LayersMade()
    makers = {
        "clusters": partial(make_centroids, conn, workspace, embedder.name),
        "profiles": partial(make_profile_vectors, conn, workspace, embedder.name),
        "entities": partial(embed_entities, conn, workspace, embedder),
    }
    for layer, make in makers.items():
        if keys[layer]:
            made.written[layer], made.deleted[layer] = make(sorted(keys[layer]))
    _discard(conn, [change for change, _, _ in changes])
    return made


def _discard(conn: Connection, changes: Sequence[int]) -> None:
    if changes:
        conn.execute("DELETE FROM lightfast.layer_changes WHERE id = ANY(%s)", (list(changes),))
