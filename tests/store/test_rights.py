"""Compares the rights of every role with a list, so that no right is granted by accident."""

from __future__ import annotations

from datetime import date
from typing import Any

import psycopg
import pytest

from lightfast_pipelines.store.body_partitions import create_month_partitions
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.tables import metadata, view_metadata

_WORK = {"SELECT", "INSERT", "UPDATE", "DELETE"}
_ALL_ROLES = ("lightfast_receiver", "lightfast_pipeline", "lightfast_analyst")
# What the pipeline's rights are where they are not those to select, insert, update and delete.
_LESS = {
    "raw_payloads": {"SELECT", "INSERT"},
    "raw_bodies": {"SELECT", "INSERT"},
    "raw_bodies_default": {"SELECT"},
    "activity": {"SELECT", "INSERT"},
    "actor_decisions": {"SELECT", "INSERT"},
    "quality_results": {"SELECT", "INSERT"},
    "breaches": {"SELECT", "INSERT", "UPDATE"},
    "partition_start": {"SELECT", "UPDATE"},
    "schema_version": {"SELECT"},
}
_VIEWS = {view.name for view in view_metadata.tables.values()}
_NOT_FOR_ANALYSTS = {
    "raw_bodies",
    "raw_bodies_default",
    "delivery_bodies",
    "tokens",
    "installation_secrets",
}
_RECEIVER = {
    ("raw_payloads", "INSERT"),
    ("raw_bodies", "INSERT"),
    ("raw_queue", "INSERT"),
    ("raw_payloads_id_seq", "USAGE"),
    ("schema_version", "SELECT"),
    *(
        (f"raw_payloads.{column}", "SELECT")
        for column in (
            "provider",
            "delivery_id",
            "event_type",
            "body_sha256",
            "org_id",
            "verified_by",
        )
    ),
    *(
        (f"installation_secrets.{column}", "SELECT")
        for column in ("id", "installation_id", "sealed", "key_id", "created_at")
    ),
    *(
        (f"installations.{column}", "SELECT")
        for column in ("id", "provider", "external_id", "status")
    ),
}
_FUNCTIONS = {
    *("make_body_partition(date)", "body_to_json(bytea)"),
    *("has_entity_vector(text)", "index_id(text,text)"),
    # Triggers write words with the rights of whoever writes the observation; questions are read alike.
    *("parts_of_names(text)", "whole_names(text)", "words_in(text)"),
    *("search_words(bigint,text,text,text[])", "write_observation_words(bigint[])"),
}
_TIME = "timestamp with time zone"
_FUNCTIONS_OF_ANALYSTS = {
    "workspace_named(text)",
    f"states_of(bigint,text,{_TIME},{_TIME})",
    f"states_as_known(text,text,{_TIME},{_TIME})",
    f"state_at(text,text,{_TIME})",
    *("labels_of(bigint,text)", "assignees_of(bigint,text,bigint)", "place_of(bigint,text,text)"),
    f"deploys_from(bigint,text,{_TIME})",
    f"first_live(bigint,bigint,{_TIME},text)",
    "documents_with(text,text,integer)",
    "documents_near(text,text,halfvec,integer)",
    '"similar"(text,text,text,integer)',
    # The views call these.
    "pull_request_of(bigint)",
    "deployed_pull_request(bigint,bigint)",
    "cause_of(bigint)",
    "fix_of(bigint)",
    "author_of(bigint,text)",
    "done_at(bigint,text)",
    "title_of(bigint,text)",
    "first_error(bigint,text)",
    "error_events(bigint,text)",
    f"incident_end(bigint,text,text,text,{_TIME})",
    "version_numbers(text)",
    "version_line(text)",
    "tag_of(text)",
    "release_commit(bigint,text)",
    "release_before(bigint,text)",
    "tagged_at(bigint,text)",
    "ancestors_step(bigint,text)",
    "commits_between(bigint,text,text)",
    "release_branch(bigint,text,text)",
    f"commits_on_branch(bigint,bigint,{_TIME},{_TIME})",
    "commits_of_release(bigint,text)",
}

_RIGHTS = """
WITH acls (name, owner, acl) AS (
  SELECT c.relname::text, c.relowner,
         coalesce(c.relacl, acldefault((CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END)::"char", c.relowner))
  FROM pg_class c
  WHERE c.relnamespace = 'lightfast'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
  UNION ALL
  SELECT c.relname || '.' || a.attname, c.relowner, a.attacl
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
  WHERE c.relnamespace = 'lightfast'::regnamespace AND a.attacl IS NOT NULL
  UNION ALL
  SELECT regexp_replace(p.oid::regprocedure::text, '^lightfast\\.', ''), p.proowner,
         coalesce(p.proacl, acldefault('f', p.proowner))
  FROM pg_proc p WHERE p.pronamespace = 'lightfast'::regnamespace
  UNION ALL
  SELECT 'defaults for ' || d.defaclobjtype::text, d.defaclrole, d.defaclacl
  FROM pg_default_acl d WHERE d.defaclnamespace = 'lightfast'::regnamespace
)
SELECT CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END, a.name, g.privilege_type
FROM acls a CROSS JOIN LATERAL aclexplode(a.acl) g
WHERE g.grantee <> a.owner
"""


def _rights(database: Database) -> set[tuple[str, str, str]]:
    """(role, what, right) of everyone but the owner."""
    with database.connect("migrator") as conn:
        return set(conn.execute(_RIGHTS).fetchall())


def _expected(database: Database) -> set[tuple[str, str, str]]:
    tables = {table.name for table in metadata.sorted_tables}
    tables |= {"raw_bodies_default", "schema_version"}
    rights = {
        ("lightfast_pipeline", table, right)
        for table in tables
        for right in _LESS.get(table, _WORK)
    }
    rights |= {("lightfast_pipeline", view, "SELECT") for view in _VIEWS}
    rights |= {
        ("lightfast_pipeline", function, "EXECUTE")
        for function in _FUNCTIONS | _FUNCTIONS_OF_ANALYSTS
    }
    rights |= {("lightfast_analyst", function, "EXECUTE") for function in _FUNCTIONS_OF_ANALYSTS}
    with database.connect("migrator") as conn:
        rights |= {
            ("lightfast_pipeline", sequence, "USAGE")
            for (sequence,) in conn.execute(
                "SELECT sequencename::text FROM pg_sequences WHERE schemaname = 'lightfast'"
            )
        }
    rights |= {
        ("lightfast_analyst", name, "SELECT") for name in (tables | _VIEWS) - _NOT_FOR_ANALYSTS
    }
    return rights | {("lightfast_receiver", name, right) for name, right in _RECEIVER}


def test_every_role_has_the_rights_on_the_list_and_no_other(database: Database) -> None:
    rights, expected = _rights(database), _expected(database)
    assert (rights - expected, expected - rights) == (set(), set())


def test_a_new_table_or_partition_grants_no_rights(database: Database) -> None:
    before = _rights(database)
    with database.connect("pipeline") as conn:
        create_month_partitions(conn, date(2024, 5, 1))
        conn.commit()
    with database.connect("migrator") as conn:
        conn.execute("CREATE TABLE lightfast.later (id bigint GENERATED ALWAYS AS IDENTITY)")
        conn.commit()
    assert _rights(database) == before


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE lightfast.raw_payloads SET event_type = 'x'",
        "UPDATE lightfast.raw_bodies SET body = ''",
        "UPDATE lightfast.raw_bodies_default SET body = ''",
        "UPDATE lightfast.raw_bodies_2024_05 SET body = ''",
        "DELETE FROM lightfast.raw_payloads",
        "DELETE FROM lightfast.raw_bodies",
        "DELETE FROM lightfast.raw_bodies_default",
        "DELETE FROM lightfast.raw_bodies_2024_05",
        "INSERT INTO lightfast.raw_bodies_2024_05 VALUES (1, '2024-05-02', '', '{}')",
        "TRUNCATE lightfast.raw_payloads CASCADE",
        "TRUNCATE lightfast.raw_bodies",
        "TRUNCATE lightfast.raw_bodies_default",
        "ALTER TABLE lightfast.raw_bodies DETACH PARTITION lightfast.raw_bodies_2024_05",
        "DROP TABLE lightfast.raw_bodies_2024_05",
        "SELECT setval('lightfast.raw_payloads_id_seq', 1)",
        "UPDATE lightfast.activity SET message = 'nothing happened'",
        "DELETE FROM lightfast.activity",
        "TRUNCATE lightfast.activity",
        "UPDATE lightfast.schema_version SET version_num = '0001'",
        "UPDATE lightfast.remembered SET title = 'x'",
        "CREATE TABLE lightfast.more (id int)",
    ],
)
def test_the_pipeline_cannot_change_what_must_never_change(
    database: Database, statement: str
) -> None:
    with database.connect("pipeline", autocommit=True) as conn:
        conn.execute("SELECT lightfast.make_body_partition('2024-05-01')")
        # A view of joined tables cannot be written by anybody.
        refusals = (
            psycopg.errors.InsufficientPrivilege,
            psycopg.errors.ObjectNotInPrerequisiteState,
        )
        with pytest.raises(refusals):
            conn.execute(statement)


def test_the_pipeline_still_stores_and_reads_bodies_of_every_month(conn: Connection) -> None:
    conn.execute("SELECT lightfast.make_body_partition('2024-05-01')")
    insert = (
        "INSERT INTO lightfast.raw_bodies (raw_payload_id, received_at, body) VALUES (%s, %s, '')"
    )
    for number, at in enumerate(("2024-05-02Z", "1999-01-01Z")):
        conn.execute(insert, (number, at))
    count: Any = conn.execute("SELECT count(*) FROM lightfast.raw_bodies").fetchone()
    assert count == (2,)
