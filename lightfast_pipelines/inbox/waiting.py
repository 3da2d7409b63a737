"""Everything that waits for a person: resources to link, events without rules, dead letters, work that
stages gave up, pairs of identities that may be one person, and stubs.

Read only. Each line names the command that settles it.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta

from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.stage_failures import Stuck, oldest_given_up, stuck

# Lines listed of each kind; the counts include the rest.
SHOWN = 50

# Stubs by the age of their first mention.
BANDS: tuple[tuple[str, timedelta | None], ...] = (
    ("up to a day", timedelta(days=1)),
    ("up to a week", timedelta(days=7)),
    ("up to a month", timedelta(days=30)),
    ("older", None),
)


@dataclass(frozen=True, slots=True)
class Unlinked:
    """Parked deliveries of a resource that no workspace has linked; `command` links it.

    `oldest_at` is when the first of them was received. For deliveries that are routed through an entity
    that has not arrived, `resource_key` is that entity's key, and there may be no command.
    """

    resource_key: str
    deliveries: int
    events: tuple[str, ...]
    oldest_at: datetime
    command: str | None


@dataclass(frozen=True, slots=True)
class Unknown:
    """Parked deliveries of a kind that the provider's rules do not understand yet."""

    provider: str
    event: str
    reason: str
    deliveries: int
    oldest_at: datetime


@dataclass(frozen=True, slots=True)
class Dead:
    """Dead letters with the same cause; `command` replays them."""

    provider: str
    event: str
    cause: str
    deliveries: int
    attempts: int
    oldest_at: datetime
    command: str


@dataclass(frozen=True, slots=True)
class DoubtfulPairs:
    """The number of pairs of an organisation's identities that may be one person; `command` lists them."""

    organisation: str
    pairs: int
    command: str


@dataclass(frozen=True, slots=True)
class Stubs:
    """The number of stubs of one kind and age (of the first mention)."""

    kind: str
    age: str
    things: int


@dataclass(frozen=True, slots=True)
class WaitingForYou:
    """The whole list. `deliveries` counts each delivery once, by outcome; `oldest` is when the first of
    them was received, `oldest_stuck` when the first of the stuck work failed."""

    unlinked: Sequence[Unlinked] = ()
    unknown: Sequence[Unknown] = ()
    dead: Sequence[Dead] = ()
    stuck: Sequence[Stuck] = ()
    doubtful: Sequence[DoubtfulPairs] = ()
    stubs: Sequence[Stubs] = ()
    deliveries: dict[str, int] = field(default_factory=dict)
    oldest: dict[str, datetime | None] = field(default_factory=dict)
    oldest_stuck: datetime | None = None

    @property
    def fingerprint(self) -> str:
        """Changes when the list changes; passing time alone does not change it."""
        return hashlib.sha256(repr(asdict(self)).encode()).hexdigest()[:16]


# A delivery that has been requeued does not wait for a person.
_WAITING = """
  SELECT o.*, p.provider, p.event_type, p.received_at
  FROM lightfast.outcomes o JOIN lightfast.raw_payloads p ON p.id = o.raw_payload_id
  WHERE o.status IN ('parked', 'dlq')
    AND NOT EXISTS (SELECT FROM lightfast.raw_queue q WHERE q.raw_payload_id = o.raw_payload_id)
"""


def waiting_for_you(conn: Connection, *, now: datetime) -> WaitingForYou:
    """Everything that waits for a person, most deliveries first. `now` is for the age of stubs."""
    parameters = {"shown": SHOWN}
    workspaces = conn.execute("SELECT slug FROM lightfast.workspaces LIMIT 2").fetchall()
    slug = workspaces[0][0] if len(workspaces) == 1 else "WORKSPACE"
    unlinked = [
        Unlinked(key, count, tuple(events), oldest, _link_command(slug, linkable))
        for key, count, events, oldest, linkable in conn.execute(
            f"""
            SELECT resource_key, count(DISTINCT raw_payload_id)::int,
                   array_agg(DISTINCT event_type ORDER BY event_type), min(received_at),
                   CASE WHEN bool_or(waits_for = 'link') THEN resource_key ELSE min(routes[1]) END
            FROM ({_WAITING}) w
            WHERE status = 'parked' AND resource_key IS NOT NULL AND workspace_id IS NULL
              AND waits_for IN ('link', 'entity')
            GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT %(shown)s
            """,
            parameters,
        )
    ]
    unknown = [
        Unknown(*row)
        for row in conn.execute(
            f"""
            SELECT provider, event_type, reason, count(DISTINCT raw_payload_id)::int, min(received_at)
            FROM ({_WAITING}) w
            WHERE status = 'parked' AND waits_for = 'rules'
            GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1, 2, 3 LIMIT %(shown)s
            """,
            parameters,
        )
    ]
    dead = [
        Dead(*row)
        for row in conn.execute(
            f"""
            SELECT provider, event_type, coalesce(reason, 'no reason given'),
                   count(DISTINCT raw_payload_id)::int, max(attempts), min(received_at),
                   'lightfast replay --status dlq'
            FROM ({_WAITING}) w WHERE status = 'dlq'
            GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1, 2, 3 LIMIT %(shown)s
            """,
            parameters,
        )
    ]
    totals = {
        status: (count, oldest)
        for status, count, oldest in conn.execute(
            f"""
            SELECT status, count(DISTINCT raw_payload_id)::int, min(received_at)
            FROM ({_WAITING}) w GROUP BY 1
            """,
            parameters,
        )
    }
    waiting = WaitingForYou(
        unlinked,
        unknown,
        dead,
        stuck(conn, SHOWN),
        _doubtful(conn),
        _stubs(conn, now),
        {status: totals.get(status, (0, None))[0] for status in ("parked", "dlq")},
        {status: totals.get(status, (0, None))[1] for status in ("parked", "dlq")},
        oldest_given_up(conn),
    )
    conn.rollback()
    return waiting


def _doubtful(conn: Connection) -> list[DoubtfulPairs]:
    rows = conn.execute(
        "SELECT org_id, count(*)::int FROM lightfast.doubtful_identities GROUP BY 1 ORDER BY 2 DESC, 1"
        " LIMIT %s",
        (SHOWN,),
    )
    return [
        DoubtfulPairs(org_id, pairs, shlex.join(["lightfast", "people", "review", "--org", org_id]))
        for org_id, pairs in rows
    ]


def _stubs(conn: Connection, now: datetime) -> list[Stubs]:
    bounds = sorted(now - age for _, age in BANDS if age is not None)
    rows = conn.execute(
        """
        SELECT split_part(key, ':', 1) || ':' || split_part(key, ':', 2),
               cardinality(%(bounds)s::timestamptz[])
                 - width_bucket(first_seen_at, %(bounds)s::timestamptz[]),
               count(*)::int
        FROM lightfast.entities WHERE is_stub GROUP BY 1, 2 ORDER BY 1, 2
        """,
        {"bounds": bounds},
    )
    return [Stubs(kind, BANDS[band][0], count) for kind, band, count in rows]


def _link_command(workspace: str, resource_key: str | None) -> str | None:
    """A command to paste. The id comes from a payload, so it is quoted for the shell."""
    if resource_key is None or resource_key.count(":") < 2:
        return None
    provider, _, resource_id = resource_key.split(":", 2)
    return shlex.join(
        [
            *("lightfast", "integration", "add", "--workspace", workspace),
            *("--provider", provider, "--resource", resource_id),
        ]
    )
