"""What is known about the hosted index: which one it is, how far it was filled, and when it failed.

While the table `hosted_index` has its row, triggers note every change for the index.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lightfast_pipelines.embedding.index import HostedIndex, IndexUsage, Tenant
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.model_pauses import Pause, current_pause, pause, resume
from lightfast_pipelines.store.model_usage import record_usage

# Changes are noted for an index that nobody keeps up to date any more only for this time.
FORGOTTEN_AFTER = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class IndexState:
    """The row of `hosted_index`, and the last pause of the index."""

    name: str
    model: str
    filled_observation: int
    filled_vector: Sequence[str]
    filled_at: datetime | None
    pause: Pause | None

    def why_not(self, name: str, model: str, now: datetime) -> str | None:
        """Why this index cannot answer a search with vectors of the model; None if it can."""
        if self.name != name or self.model != model:
            return f"{name} does not hold the vectors of {model} yet"
        if self.filled_at is None:
            return f"{name} is being filled"
        if self.pause is not None and self.pause.until > now:
            return f"{name} is away: {self.pause.error}"
        return None


def read_state(conn: Connection) -> IndexState | None:
    row = conn.execute(
        """
        SELECT name, model, filled_observation, filled_vector, filled_at FROM lightfast.hosted_index
        """
    ).fetchone()
    if row is None:
        return None
    name, model, filled_observation, filled_vector, filled_at = row
    last_pause = current_pause(conn, name)
    return IndexState(name, model, filled_observation, filled_vector, filled_at, last_pause)


def adopt(conn: Connection, name: str, model: str, now: datetime) -> IndexState:
    """Begins to fill the index, unless it is the one that is kept up to date. Commits, so that changes
    are noted before anything is sent."""
    state = read_state(conn)
    if state is not None and (state.name, state.model) == (name, model):
        return state
    if state is not None and state.name != name:
        # Another index knows nothing of what waited for the former one, nor of its namespaces.
        conn.execute("DELETE FROM lightfast.index_changes")
        conn.execute("DELETE FROM lightfast.hosted_namespaces")
        resume(conn, state.name)
    elif state is not None:
        _leave_to_the_fill(conn)
    conn.execute("DELETE FROM lightfast.hosted_index")
    conn.execute(
        "INSERT INTO lightfast.hosted_index (name, model, tried_at) VALUES (%s, %s, %s)",
        (name, model, now),
    )
    conn.commit()
    adopted = read_state(conn)
    assert adopted is not None
    return adopted


def _leave_to_the_fill(conn: Connection) -> None:
    """Drops the changes of what the tables hold: with another model, all of that is sent anyway.

    What only the former model embedded stays in the index until it is compared, where no search finds it.
    """
    conn.execute(
        """
        DELETE FROM lightfast.index_changes c USING lightfast.observations o
        WHERE c.layer = 'observations' AND o.external_id = c.key AND o.workspace_id = c.workspace_id
        """
    )
    conn.execute(
        """
        DELETE FROM lightfast.index_changes c USING lightfast.memory_vectors v
        WHERE (v.workspace_id, v.layer, v.key) = (c.workspace_id, c.layer, c.key)
        """
    )
    conn.execute("UPDATE lightfast.hosted_namespaces SET compared_at = NULL")


def forget_abandoned(conn: Connection, now: datetime) -> bool:
    """Stops noting changes if nobody has kept the index up to date for a week; returns whether it did.

    Used again after that, the index is filled anew and compared.
    """
    forgotten = conn.execute(
        "DELETE FROM lightfast.hosted_index WHERE tried_at < %s RETURNING name",
        (now - FORGOTTEN_AFTER,),
    ).fetchone()
    if forgotten is None:
        return False
    conn.execute("DELETE FROM lightfast.index_changes")
    resume(conn, *forgotten)
    return True


def note_success(conn: Connection, name: str, now: datetime) -> None:
    conn.execute(
        "UPDATE lightfast.hosted_index SET tried_at = %(now)s, succeeded_at = %(now)s", {"now": now}
    )
    resume(conn, name)


def note_failure(conn: Connection, name: str, error: str, now: datetime) -> None:
    """Puts the next try off, longer after each failure in a row."""
    conn.execute("UPDATE lightfast.hosted_index SET tried_at = %s", (now,))
    pause(conn, name, now, error[:500])


def name_namespaces(conn: Connection, index: HostedIndex, tenants: Sequence[Tenant]) -> None:
    """Notes what the workspaces are called in the index, so that it can be emptied when they are gone.

    Commits, as this has to last before anything is sent.
    """
    conn.execute(
        """
        INSERT INTO lightfast.hosted_namespaces (workspace_id, namespace)
        SELECT * FROM unnest(%s::bigint[], %s::text[])
        ON CONFLICT (workspace_id) DO NOTHING
        """,
        (
            [tenant.workspace_id for tenant in tenants],
            [index.namespace(tenant) for tenant in tenants],
        ),
    )
    conn.commit()


def record_index_usage(conn: Connection, index: HostedIndex, now: datetime) -> None:
    """Adds what the index was asked since the last time to the day's usage. The caller commits."""
    usage, index.usage = index.usage, IndexUsage()
    for operation, requests in sorted(usage.requests.items()):
        failures = usage.failures[operation]
        record_usage(
            conn,
            day=now.date(),
            provider="pinecone",
            model=index.name.partition(":")[2],
            purpose=operation,
            requests=requests,
            failures=failures,
            vectors=usage.vectors[operation],
            units=usage.units[operation],
            error=usage.last_error if failures else None,
        )
