"""Deliveries that cannot be captured, because a real Postgres refuses them.

A trigger causes each kind of failure, since real payloads are checked before they get that far.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, time

from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.deliveries import Delivery, insert_deliveries
from tests.capture.deliveries import workspace_with
from tests.providers.github import payloads as github

ATTACKER, OTHERS = 1, (2, 3)
DAY = date(2024, 5, 1)

# Kind of failure -> what Postgres does for a title that names it, and words of the stored reason.
KINDS: dict[str, tuple[str, str]] = {
    "too-long": (
        "INSERT INTO lightfast.indexed VALUES ("
        "  (SELECT string_agg(encode(sha512(n::text::bytea), 'base64'), '')"
        "   FROM generate_series(1, 100) n));",
        "index row",
    ),
    "bad-encoding": (
        r"PERFORM convert_from('\xff'::bytea, 'UTF8');",
        "invalid byte sequence",
    ),
    "overflow": ("PERFORM 2147483647::integer + length(NEW.title);", "out of range"),
    "not-a-number": ("PERFORM ('1e400'::text)::float8;", "out of range"),
    "no-such-time": ("PERFORM ('10000000-01-01'::text)::timestamptz;", "out of range"),
    "constraint": ("INSERT INTO lightfast.indexed VALUES (NULL);", "not-null constraint"),
    "recursion": ("PERFORM lightfast.descend(1);", "stack depth limit"),
    # Like a time-out, but at once: with a limit short enough for a test, a slow machine would stop
    # innocent batches too. `FOREVER` waits for a real time-out.
    "time": (
        "RAISE 'canceling statement due to statement timeout' USING ERRCODE = '57014';",
        "statement timeout",
    ),
    "deadlock": ("RAISE 'of the machine' USING ERRCODE = '40P01';", "of the machine"),
    "disk": ("RAISE 'could not extend' USING ERRCODE = '53100';", "could not extend"),
    "bug": ("PERFORM nowhere FROM lightfast.observations LIMIT 1;", "does not exist"),
}


FOREVER = "forever"
"""Takes all the time it is given, as would deliveries in the same batch."""
_ALL_KINDS = {**KINDS, FOREVER: ("PERFORM pg_sleep(100000);", "")}


def refuse(database: Database, *kinds: str) -> None:
    """From now on Postgres fails for observations whose title names one of these kinds."""
    refuse_in(database, "observation_facts", *kinds)


def refuse_in(database: Database, table: str, *kinds: str) -> None:
    """From now on Postgres fails for rows of this table that belong to such an observation."""
    title = (
        "NEW.title"
        if table == "observation_facts"
        else "(SELECT title FROM lightfast.observations WHERE id = NEW.observation_id)"
    )
    cases = "\n".join(
        f"WHEN {title} LIKE '%poison {kind}.%' THEN {_raising(kind, title)}"
        for kind in kinds or _ALL_KINDS
    )
    with database.connect("migrator", autocommit=True) as owner:
        owner.execute("CREATE TABLE IF NOT EXISTS lightfast.indexed (value text NOT NULL)")
        owner.execute("CREATE INDEX IF NOT EXISTS indexed_value ON lightfast.indexed (value)")
        owner.execute("GRANT ALL ON lightfast.indexed TO lightfast_pipeline")
        owner.execute(
            """
            CREATE OR REPLACE FUNCTION lightfast.descend(n integer) RETURNS integer LANGUAGE plpgsql
            AS $$ BEGIN RETURN lightfast.descend(n + 1); END $$
            """
        )
        owner.execute(
            f"""
            CREATE FUNCTION lightfast.refuse_{table}() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
              CASE {cases} ELSE NULL; END CASE;
              RETURN NEW;
            END $$
            """.encode()
        )
        owner.execute(
            f"CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON lightfast.{table}"
            f" FOR EACH ROW EXECUTE FUNCTION lightfast.refuse_{table}()".encode()
        )


def _raising(kind: str, title: str) -> str:
    return _ALL_KINDS[kind][0].replace("NEW.title", title)


def allow_again(database: Database, *tables: str) -> None:
    """Undoes `refuse_in`."""
    with database.connect("migrator", autocommit=True) as owner:
        for table in tables:
            owner.execute(f"DROP TRIGGER refuse ON lightfast.{table}".encode())


def tenants(conn: Connection) -> None:
    """Three organisations with one repository each; the first one's sends the poison."""
    for repository in (ATTACKER, *OTHERS):
        workspace_with(conn, f"tenant-{repository}", repository, org_id=f"org-{repository}")


def opened(repository: int, number: int, title: str) -> Delivery:
    return Delivery(
        provider="github",
        delivery_id=f"{repository}-{number}",
        event_type="issues",
        body=github.encoded(
            github.issue("opened", number, f"acme/shop-{repository}", repository, title=title)
        ),
        headers={},
        received_at=datetime.combine(DAY, time(10), UTC),
        partition_date=DAY,
        ingestion_source="webhook",
        verified_by="env:GITHUB_WEBHOOK_SECRET",
    )


def arrive(conn: Connection, kinds: Sequence[str], *, poison: int, every: int) -> None:
    """`poison` deliveries of each kind, each among `every` deliveries in a mixed order."""
    deliveries: list[Delivery] = []
    for kind in kinds:
        for _ in range(poison):
            number = len(deliveries) + 1
            deliveries.append(opened(ATTACKER, number, f"A poison {kind}. {number}"))
            for innocent in range(1, every):
                repository = (ATTACKER, *OTHERS)[innocent % 3]
                deliveries.append(opened(repository, number + innocent, "An honest issue"))
    random.Random(7).shuffle(deliveries)
    insert_deliveries(conn, deliveries)
    conn.commit()
