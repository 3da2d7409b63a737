"""Rows put straight into the memory, for tests of the stages that come after capture."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from psycopg.types.json import Jsonb

from lightfast_pipelines.domain import key_categories, keys
from lightfast_pipelines.store.database import Connection

START = datetime(2024, 5, 1, 12, tzinfo=UTC)


def hours(number: float) -> datetime:
    return START + timedelta(hours=number)


class Memory:
    """Writes one workspace's rows; no method commits."""

    def __init__(self, conn: Connection, slug: str = "acme", org_id: str = "default") -> None:
        self.conn = conn
        self.slug = slug
        self.org_id = org_id
        self.workspace_id = self._one(
            "INSERT INTO lightfast.workspaces (org_id, slug, name) VALUES (%s, %s, %s) RETURNING id",
            org_id,
            slug,
            slug,
        )
        conn.execute(
            "INSERT INTO lightfast.consolidation_marks (workspace_id, changes) VALUES (%s, 1)",
            (self.workspace_id,),
        )

    def _one(self, sql: str, *values: object) -> int:
        row = self.conn.execute(sql.encode(), values).fetchone()
        assert row is not None
        return int(row[0])

    def identity(self, source: str, source_id: str, **columns: object) -> int:
        """The id of this identity of the organisation, created if it does not exist."""
        fields = {"org_id": self.org_id, "source": source, "source_id": source_id, **columns}
        names = ", ".join(fields)
        return self._one(
            f"""
            INSERT INTO lightfast.actor_identities ({names})
            VALUES ({", ".join(["%s"] * len(fields))})
            ON CONFLICT (org_id, source, source_id) DO UPDATE SET source = excluded.source
            RETURNING id
            """,
            *fields.values(),
        )

    def observation(
        self,
        subject_key: str,
        title: str,
        *,
        at: datetime = START,
        transition: str = "pushed",
        content: str = "",
        files: Iterable[str] = (),
        author: int | None = None,
        day: date | None = None,
        source: str = "github",
        source_type: str = "commit.pushed",
        observation_type: str = "change",
        actor: int | None = None,
    ) -> int:
        """An observation with its subject and files as entities and one payload of `day`."""
        source_id = keys.source_id(subject_key, transition)
        observation_id = self._one(
            """
            INSERT INTO lightfast.observation_facts
              (external_id, workspace_id, source_id, source, source_type, observation_type,
               subject_key, occurred_at, recorded_at, ingestion_source, author_identity_id,
               actor_identity_id, title, content, category, significance_score, rule_version,
               "references")
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, 'webhook', %s, %s, %s, %s,
                    'other', 40, 1, %s)
            RETURNING id
            """,
            keys.external_id(self.org_id, self.slug, source_id),
            self.workspace_id,
            source_id,
            source,
            source_type,
            observation_type,
            subject_key,
            at,
            at,
            author,
            actor or author,
            title,
            content,
            Jsonb([]),
        )
        payload = self._one(
            """
            INSERT INTO lightfast.raw_payloads (provider, delivery_id, body_sha256, event_type,
              ingestion_source, received_at, partition_date, verified_by)
            VALUES (%s, %s, sha256(%s), 'push', 'webhook', %s, %s, 'env:TEST') RETURNING id
            """,
            source,
            f"{self.slug}:{source_id}",
            source_id.encode(),
            at,
            day or at.date(),
        )
        self.conn.execute(
            "INSERT INTO lightfast.observation_sources VALUES (%s, %s)", (observation_id, payload)
        )
        self.mention(observation_id, subject_key, "subject")
        for path in files:
            self.mention(observation_id, keys.file(path), "file")
        return observation_id

    def entity(self, key: str) -> int:
        return self._one(
            """
            INSERT INTO lightfast.entities (workspace_id, category, key, confidence, first_seen_at,
              last_seen_at, occurrence_count, is_stub)
            VALUES (%s, %s, %s, 1, %s, %s, 1, %s)
            ON CONFLICT (workspace_id, key) DO UPDATE SET key = excluded.key RETURNING id
            """,
            self.workspace_id,
            key_categories.category_of(key),
            key,
            START,
            START,
            key_categories.is_stub(key),
        )

    def mention(self, observation_id: int, key: str, role: str) -> None:
        self.conn.execute(
            """
            INSERT INTO lightfast.observation_entities
              (observation_id, entity_id, role, confidence, extractor, stated_key)
            VALUES (%s, %s, %s, 1, 'payload', %s)
            """,
            (observation_id, self.entity(key), role, key),
        )

    def takes_part(self, observation_id: int, identity: int, role: str) -> None:
        self.conn.execute(
            """
            INSERT INTO lightfast.identity_mentions
              (observation_id, identity_id, role, kind, email_verified)
            VALUES (%s, %s, %s, 'unknown', false)
            """,
            (observation_id, identity, role),
        )

    def edge(self, subject: str, kind: str, target: str) -> None:
        self.conn.execute(
            """
            INSERT INTO lightfast.relationships (workspace_id, subject_id, object_id, type,
              confidence, method, first_seen_at, last_seen_at, observation_count)
            VALUES (%s, %s, %s, %s, 1, 'payload', %s, %s, 1) ON CONFLICT DO NOTHING
            """,
            (self.workspace_id, self.entity(subject), self.entity(target), kind, START, START),
        )

    def touch(self) -> None:
        """Marks the workspace as changed, as capture does."""
        self.conn.execute(
            "UPDATE lightfast.consolidation_marks SET changes = changes + 1 WHERE workspace_id = %s",
            (self.workspace_id,),
        )
