"""Times in which deliveries were lost, and how far the providers' logs were compared with what arrived.

`recovery/lost_deliveries.py` asks the providers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from lightfast_pipelines.store.database import Connection


@dataclass(frozen=True, slots=True)
class Outage:
    """A row of `outages`. `deliveries` are the ids of the deliveries that are still missing."""

    id: int
    installation_id: int
    provider: str
    installation: str
    account: str | None
    log: str
    down_from: datetime
    down_until: datetime
    missed: int
    redelivered: int
    by_api: int
    recovered: int
    deliveries: Sequence[str]
    found_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class LogCheck:
    """A row of `delivery_checks`: how far one log was compared."""

    provider: str
    installation: str
    log: str
    checked_until: datetime | None
    checked_at: datetime | None
    error: str | None


_OUTAGES = """
    SELECT o.id, o.installation_id, n.provider, n.external_id, n.account_login, o.log, o.down_from,
           o.down_until, o.missed, o.redelivered, o.by_api, o.recovered, o.deliveries, o.found_at,
           o.updated_at
    FROM lightfast.outages o JOIN lightfast.installations n ON n.id = o.installation_id
"""


def list_outages(conn: Connection, *, provider: str | None = None, limit: int = 50) -> list[Outage]:
    """The latest first."""
    rows = conn.execute(
        f"{_OUTAGES} WHERE %(p)s::text IS NULL OR n.provider = %(p)s "
        "ORDER BY o.down_until DESC, o.id DESC LIMIT %(limit)s",
        {"p": provider, "limit": limit},
    )
    return [Outage(*row) for row in rows]


def open_outages(conn: Connection, log: str, installations: Sequence[int]) -> list[Outage]:
    """The outages of this log in which deliveries are still missing."""
    rows = conn.execute(
        f"{_OUTAGES} WHERE o.log = %s AND o.installation_id = ANY(%s) "
        "AND cardinality(o.deliveries) > 0 ORDER BY o.id",
        (log, list(installations)),
    )
    return [Outage(*row) for row in rows]


def add_outage(
    conn: Connection,
    installation_id: int,
    log: str,
    down_from: datetime,
    down_until: datetime,
    deliveries: Sequence[str],
) -> Outage:
    """Adds an outage, or extends the stored one that began at the same moment. Does not commit."""
    row = conn.execute(
        """
        INSERT INTO lightfast.outages AS o
          (installation_id, log, down_from, down_until, missed, deliveries)
        VALUES (%s, %s, %s, %s, %s, %s)
        ON CONFLICT (installation_id, log, down_from) DO UPDATE SET
          down_until = greatest(o.down_until, excluded.down_until),
          missed = o.missed + excluded.missed,
          deliveries = o.deliveries || excluded.deliveries, updated_at = now()
        RETURNING id
        """,
        (installation_id, log, down_from, down_until, len(deliveries), list(deliveries)),
    ).fetchone()
    assert row is not None
    [outage] = [Outage(*columns) for columns in conn.execute(f"{_OUTAGES} WHERE o.id = %s", row)]
    return outage


def note_recovery(
    conn: Connection, outage: Outage, *, missing: Sequence[str], redelivered: int, by_api: int
) -> None:
    """Records what is still missing; adds `redelivered` and `by_api`. Does not commit."""
    conn.execute(
        """
        UPDATE lightfast.outages SET deliveries = %s, redelivered = redelivered + %s,
          by_api = by_api + %s, recovered = missed - %s, updated_at = now()
        WHERE id = %s
        """,
        (list(missing), redelivered, by_api, len(missing), outage.id),
    )


def checked_until(conn: Connection, installation_id: int, log: str) -> datetime | None:
    row = conn.execute(
        "SELECT checked_until FROM lightfast.delivery_checks WHERE installation_id = %s AND log = %s",
        (installation_id, log),
    ).fetchone()
    return row[0] if row else None


def note_check(
    conn: Connection,
    installation_id: int,
    log: str,
    *,
    until: datetime | None,
    now: datetime,
    error: str | None,
) -> None:
    """Records that the log was compared up to `until`, or why it could not be read. Does not commit."""
    conn.execute(
        """
        INSERT INTO lightfast.delivery_checks AS c (installation_id, log, checked_until, checked_at, error)
        VALUES (%s, %s, %s, %s, %s)
        ON CONFLICT (installation_id, log) DO UPDATE SET
          -- One after now was noted under a clock that was ahead.
          checked_until = greatest(
            CASE WHEN c.checked_until <= excluded.checked_at THEN c.checked_until END,
            excluded.checked_until),
          checked_at = excluded.checked_at, error = excluded.error
        """,
        (installation_id, log, until, now, error),
    )


def list_checks(conn: Connection) -> list[LogCheck]:
    rows = conn.execute(
        """
        SELECT n.provider, n.external_id, c.log, c.checked_until, c.checked_at, c.error
        FROM lightfast.delivery_checks c JOIN lightfast.installations n ON n.id = c.installation_id
        ORDER BY 1, 2, 3
        """
    )
    return [LogCheck(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class ExpectedDelivery:
    """A delivery that a provider's log names, and the installation that it is for."""

    delivery_id: str
    event_type: str
    installation_id: int
    org_id: str


@dataclass(frozen=True, slots=True)
class StoredDelivery:
    """A row of `raw_payloads` that has the id and the event of an expected delivery."""

    raw_id: int
    delivery_id: str
    ingestion_source: str


def stored(
    conn: Connection, provider: str, expected: Sequence[ExpectedDelivery]
) -> list[StoredDelivery]:
    """Rows with the id and the event of these deliveries that speak for the installation.

    Three kinds of rows do not: those that another installation's secret verified, those read for another
    organisation, and those that the environment's secret verified after the installation had a secret of
    its own. Bodies are not compared. Reads an index.
    """
    rows = conn.execute(
        """
        SELECT p.id, p.delivery_id, p.ingestion_source
        FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::text[])
          AS k (delivery_id, event_type, installation_id, org_id)
        JOIN lightfast.installations n ON n.id = k.installation_id
        JOIN lightfast.raw_payloads p ON p.provider = %s AND p.delivery_id = k.delivery_id
          AND p.event_type = k.event_type
        WHERE p.ingestion_source IN ('webhook', 'api')
          AND (p.org_id = k.org_id
               OR p.org_id IS NULL AND p.verified_by = 'installation:' || n.id
               OR p.org_id IS NULL AND p.verified_by LIKE 'env:%%'
                 AND (p.id <= coalesce(n.own_secret_after, 0) OR NOT EXISTS (
                   SELECT FROM lightfast.installation_secrets s WHERE s.installation_id = n.id)))
        ORDER BY p.id
        """,
        (
            [delivery.delivery_id for delivery in expected],
            [delivery.event_type for delivery in expected],
            [delivery.installation_id for delivery in expected],
            [delivery.org_id for delivery in expected],
            provider,
        ),
    )
    return [StoredDelivery(*row) for row in rows]


def stored_body(conn: Connection, raw_id: int) -> tuple[bytes, Mapping[str, str]] | None:
    """Body and headers of a row of `raw_payloads`; None if retention has dropped them."""
    row = conn.execute(
        """
        SELECT b.body, b.headers FROM lightfast.raw_payloads p
        JOIN lightfast.raw_bodies b ON b.raw_payload_id = p.id AND b.received_at = p.received_at
        WHERE p.id = %s
        """,
        (raw_id,),
    ).fetchone()
    return None if row is None else (row[0], row[1] or {})


def token_kinds(conn: Connection, installation_ids: Sequence[int]) -> dict[int, str]:
    """Installation -> the kind of its credential."""
    rows = conn.execute(
        "SELECT installation_id, kind FROM lightfast.tokens WHERE installation_id = ANY(%s)",
        (list(installation_ids),),
    )
    return dict(rows.fetchall())


def connections(conn: Connection, provider: str) -> dict[str, tuple[int, str]]:
    """The provider's id of an installation -> (installation, organisation)."""
    rows = conn.execute(
        "SELECT external_id, id, org_id FROM lightfast.installations WHERE provider = %s",
        (provider,),
    )
    return {row[0]: (row[1], row[2]) for row in rows}


def with_a_log(conn: Connection) -> set[int]:
    """Installations whose log of deliveries is read without error: a hook's, or their application's."""
    rows = conn.execute(
        """
        SELECT DISTINCT t.installation_id
        FROM lightfast.tokens t
        JOIN lightfast.installations n ON n.id = t.installation_id
        JOIN lightfast.delivery_checks c ON c.error IS NULL AND c.checked_until IS NOT NULL
          AND (c.installation_id = t.installation_id AND c.log <> 'app'
               OR c.log = 'app' AND t.kind LIKE '%\\_app')
        JOIN lightfast.installations asked ON asked.id = c.installation_id
          AND asked.provider = n.provider
        """
    )
    return {row[0] for row in rows}
