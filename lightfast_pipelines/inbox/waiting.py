"""What waits for a person: resources to link, shapes to teach, dead letters, what stages gave up, and
names nothing answers to.

Read only. What each line costs to settle is said as the command that does it.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta

from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.stage_failures import Stuck, oldest_given_up, stuck

# Lines of each kind that are listed; the counts are whole.
SHOWN = 50

# Names that are only mentioned, by how long ago the first mention was.
BANDS: tuple[tuple[str, timedelta | None], ...] = (
    ("up to a day", timedelta(days=1)),
    ("up to a week", timedelta(days=7)),
    ("up to a month", timedelta(days=30)),
    ("older", None),
)


@dataclass(frozen=True, slots=True)
class Unlinked:
    """Deliveries that would be remembered if their resource were linked; `command` links it.

    `oldest_at` is when the first of them was received. Where they wait for another entity, through
    which they are routed, `resource_key` is that entity's and there may be no command.
    """

    resource_key: str
    deliveries: int
    events: tuple[str, ...]
    oldest_at: datetime
    command: str | None


@dataclass(frozen=True, slots=True)
class Unknown:
    """Deliveries of a shape that the provider's rules do not know yet."""

    provider: str
    event: str
    reason: str
    deliveries: int
    oldest_at: datetime


@dataclass(frozen=True, slots=True)
class Dead:
    """Deliveries that failed for one cause; `command` tries them again."""

    provider: str
    event: str
    cause: str
    deliveries: int
    attempts: int
    oldest_at: datetime
    command: str


@dataclass(frozen=True, slots=True)
class Stubs:
    """Things of one kind that text names and nothing that arrived is, by age of the first mention."""

    kind: str
    age: str
    things: int


@dataclass(frozen=True, slots=True)
class WaitingForYou:
    """All of it. `deliveries` counts each payload once, `oldest` is when the first was received, and
    `oldest_stuck` when the first of what is stuck failed first."""

    unlinked: Sequence[Unlinked] = ()
    unknown: Sequence[Unknown] = ()
    dead: Sequence[Dead] = ()
    stuck: Sequence[Stuck] = ()
    stubs: Sequence[Stubs] = ()
    deliveries: dict[str, int] = field(default_factory=dict)
    oldest: dict[str, datetime | None] = field(default_factory=dict)
    oldest_stuck: datetime | None = None

    @property
    def fingerprint(self) -> str:
        """Changes when the list does; ages alone do not change it."""
        return hashlib.sha256(repr(asdict(self)).encode()).hexdigest()[:16]


# What goes through capture again is not waiting for a person.
_WAITING = """
  SELECT o.*, p.provider, p.event_type, p.received_at
  FROM lightfast.outcomes o JOIN lightfast.raw_payloads p ON p.id = o.raw_payload_id
  WHERE o.status IN ('parked', 'dlq')
    AND NOT EXISTS (SELECT FROM lightfast.raw_queue q WHERE q.raw_payload_id = o.raw_payload_id)
"""


def waiting_for_you(conn: Connection, *, now: datetime) -> WaitingForYou:
    """Everything that waits for a person, the most deliveries first; `now` tells how old stubs are."""
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
    found = WaitingForYou(
        unlinked,
        unknown,
        dead,
        stuck(conn, SHOWN),
        _stubs(conn, now),
        {status: totals.get(status, (0, None))[0] for status in ("parked", "dlq")},
        {status: totals.get(status, (0, None))[1] for status in ("parked", "dlq")},
        oldest_given_up(conn),
    )
    conn.rollback()
    return found


def _stubs(conn: Connection, now: datetime) -> list[Stubs]:
    bounds = [now - age for _, age in BANDS if age is not None]
    rows = conn.execute(
        """
        SELECT split_part(key, ':', 1) || ':' || split_part(key, ':', 2),
               (SELECT count(*) FROM unnest(%s::timestamptz[]) AS b (at) WHERE first_seen_at < b.at)::int,
               count(*)::int
        FROM lightfast.entities WHERE is_stub GROUP BY 1, 2 ORDER BY 1, 2
        """,
        (bounds,),
    )
    return [Stubs(kind, BANDS[band][0], count) for kind, band, count in rows]


def _link_command(workspace: str, resource_key: str | None) -> str | None:
    """What an operator can paste: the id comes from a payload, so it is quoted for the shell."""
    if resource_key is None or resource_key.count(":") < 2:
        return None
    provider, _, resource_id = resource_key.split(":", 2)
    return shlex.join(
        [
            *("lightfast", "integration", "add", "--workspace", workspace),
            *("--provider", provider, "--resource", resource_id),
        ]
    )
