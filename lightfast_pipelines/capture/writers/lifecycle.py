"""Applies what providers say of connections and resources themselves: removed, renamed, archived.

The latest by the provider's clock wins, whichever comes first; stored observations are never touched.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from lightfast_pipelines.capture.authority import (
    ARRIVED_BEFORE_OWN,
    Owner,
    Verified,
    organisations_named,
    speaks_for,
)
from lightfast_pipelines.capture.reading import ReadPayload
from lightfast_pipelines.capture.writers.rows import columns_of, insert_rows
from lightfast_pipelines.domain.events import Lifecycle
from lightfast_pipelines.store.database import Connection

Subject = tuple[str, str, str]


class _Event(NamedTuple):
    """A change as a payload states it; `takes`: whether it speaks for the installation it names too."""

    change: str
    value: dict[str, Any]
    reason: str
    takes: bool


_Story = list[_Event]

_INSTALLATION_STATUS = {"active": "active", "suspended": "error", "removed": "revoked"}
_NO_META = frozenset({"name", "account_login", "installation"})
_COLUMNS = (
    "raw_payload_id",
    "provider",
    "subject_kind",
    "subject_id",
    "change",
    "value",
    "reason",
    "occurred_at",
    "installation",
)


def apply_lifecycle(conn: Connection, payloads: Iterable[ReadPayload]) -> dict[Subject, Owner]:
    """Records the lifecycle events of these payloads and brings their subjects up to date.

    Returns the subjects that it brought up to date, with their owners. What a payload stated under
    older rules and no longer does is taken back.
    """
    payloads = list(payloads)
    rows = {
        (payload.raw.id, event.subject_kind, event.subject_id, event.change): (
            payload.raw.id,
            payload.raw.provider,
            event.subject_kind,
            event.subject_id,
            event.change,
            msgspec.json.encode(dict(event.value)).decode(),
            event.reason,
            event.occurred_at or payload.raw.dated,
            payload.route.installation_id if payload.route else None,
        )
        for payload in payloads
        if isinstance(payload.reading, Lifecycle)
        for event in payload.reading.events
    }
    by_id = {payload.raw.id: payload for payload in payloads}
    deleted = conn.execute(
        """
        DELETE FROM lightfast.lifecycle_events WHERE raw_payload_id = ANY(%s)
        RETURNING raw_payload_id, provider, subject_kind, subject_id
        """,
        ([payload.raw.id for payload in payloads if payload.reading is not None],),
    ).fetchall()
    if not rows and not deleted:
        return {}
    insert_rows(conn, "lifecycle_events", _COLUMNS, list(rows.values()))
    stated: dict[Subject, set[int]] = defaultdict(set)
    for raw_id, *subject in [*deleted, *(row[:4] for row in rows.values())]:
        provider, kind, identifier = subject
        stated[provider, kind, identifier].add(raw_id)
    owners = _owners(conn, stated)
    named = organisations_named(conn, filter(None, (payload.installation for payload in payloads)))

    def speaks(payload: ReadPayload, owner: Owner) -> bool:
        organisation = named.get(payload.installation) if payload.installation else None
        return speaks_for(payload.raw, owner, organisation)

    # What a payload may not speak for, it does not even cause to be looked at.
    subjects = {
        subject: owners[subject]
        for subject, raw_ids in sorted(stated.items())
        if subject in owners and any(speaks(by_id[raw_id], owners[subject]) for raw_id in raw_ids)
    }
    settle(conn, subjects)
    return subjects


def _owners(conn: Connection, subjects: Collection[Subject]) -> dict[Subject, Owner]:
    """The installation of each subject (provider, kind, id) that is known here."""
    if not subjects:
        return {}
    rows = conn.execute(
        f"""
        SELECT k.provider, k.kind, k.id, n.id, n.org_id, {ARRIVED_BEFORE_OWN}
        FROM unnest(%s::text[], %s::text[], %s::text[]) AS k (provider, kind, id)
        LEFT JOIN lightfast.resources r ON k.kind = 'resource'
         AND r.provider = k.provider AND r.provider_resource_id = k.id
        JOIN lightfast.installations n ON n.id = r.installation_id
          OR (k.kind = 'installation' AND n.provider = k.provider AND n.external_id = k.id)
        """,
        columns_of(subjects),
    )
    return {
        (provider, kind, identifier): Owner(installation, org, after)
        for provider, kind, identifier, installation, org, after in rows
    }


def settle(conn: Connection, subjects: Mapping[Subject, Owner]) -> None:
    """Folds in order of their time the lifecycle events of these subjects (provider, kind, id) that
    payloads state which speak for their owner. Without any it is as if there never had been one."""
    if not subjects:
        return
    found = conn.execute(
        """
        SELECT l.provider, l.subject_kind, l.subject_id, l.change, l.value, l.reason,
               l.occurred_at, p.body_sha256,
               CASE WHEN p.ingestion_source IN ('webhook', 'manual') THEN 0 ELSE p.id END,
               n.org_id, p.id, p.org_id, p.verified_by
        FROM unnest(%s::text[], %s::text[], %s::text[]) AS k (provider, subject_kind, subject_id)
        JOIN lightfast.lifecycle_events l USING (provider, subject_kind, subject_id)
        JOIN lightfast.raw_payloads p ON p.id = l.raw_payload_id
        LEFT JOIN lightfast.installations n
          ON n.provider = l.provider AND n.external_id = l.installation
        ORDER BY p.received_at, p.delivery_id COLLATE "C", p.id
        """,
        columns_of(subjects),
    ).fetchall()
    named = _owners(
        conn,
        {
            (row[0], "installation", installation)
            for row in found
            if isinstance(installation := row[4].get("installation"), str)
        },
    )
    told: dict[Subject, dict[tuple[Any, ...], tuple[Any, _Event]]] = {one: {} for one in subjects}
    for (
        provider,
        kind,
        identifier,
        change,
        value,
        reason,
        at,
        body,
        own,
        organisation,
        *signed,
    ) in found:
        subject = (provider, kind, identifier)
        verified = Verified(*signed)
        if not speaks_for(verified, subjects[subject], organisation):
            continue
        taker = named.get((provider, "installation", value.get("installation")))
        takes = taker is not None and speaks_for(verified, taker, organisation)
        # One body that several secrets verified says it once: at its first receipt.
        said = ((at, body, change), _Event(change, value, reason, takes))
        told[subject].setdefault((change, body, own), said)
    for (provider, kind, identifier), events in told.items():
        story = [event for _, event in sorted(events.values(), key=lambda one: one[0])]
        if kind == "installation":
            _settle_installation(conn, provider, identifier, story)
        else:
            _settle_resource(conn, provider, identifier, story)


def _settle_installation(conn: Connection, provider: str, identifier: str, story: _Story) -> None:
    status, why = "active", None
    account: str | None = None
    info: dict[str, Any] = {}
    for change, value, reason, _ in story:
        account = value.get("account_login") or account
        info |= {key: one for key, one in value.items() if key != "account_login"}
        if change in _INSTALLATION_STATUS:
            status = _INSTALLATION_STATUS[change]
            why = None if status == "active" else reason
    conn.execute(
        """
        UPDATE lightfast.installations SET status = %(status)s, status_reason = %(why)s,
          account_login = coalesce(%(account)s, account_login),
          provider_account_info = provider_account_info || %(info)s::jsonb, updated_at = now()
        WHERE provider = %(provider)s AND external_id = %(id)s
        """,
        {
            "status": status,
            "why": why,
            "account": account,
            "info": msgspec.json.encode(info).decode(),
            "provider": provider,
            "id": identifier,
        },
    )


def _settle_resource(conn: Connection, provider: str, identifier: str, story: _Story) -> None:
    archived: str | None = None
    name: str | None = None
    meta: dict[str, Any] = {}
    # Status and reason as each installation says it, under None what the resource itself says.
    stated: dict[str | None, tuple[str, str | None]] = {}
    takers: set[str] = set()
    for change, value, reason, takes in story:
        installation = value.get("installation")
        if takes and installation is not None:
            takers.add(installation)
        if change in ("active", "suspended", "removed"):
            status = "removed" if change == "removed" else "active"
            stated.pop(installation, None)
            stated[installation] = (status, None if change == "active" else reason)
        else:
            # What is renamed or handed over is there, and the installation that says so has it.
            stated.pop(None, None)
            if installation is not None:
                stated[installation] = ("active", None)
        if change in ("archived", "unarchived"):
            meta["archived"] = change == "archived"
            archived = reason if change == "archived" else None
        if change != "removed":
            name = value.get("name") or name
        meta |= {key: one for key, one in value.items() if key not in _NO_META}
    status, why = _standing(stated)
    _hand_over(conn, provider, identifier, stated, takers)
    conn.execute(
        """
        UPDATE lightfast.resources SET status = %(status)s, status_reason = %(why)s,
          resource_name = coalesce(%(name)s, resource_name),
          resource_meta = resource_meta || %(meta)s::jsonb, updated_at = now()
        WHERE provider = %(provider)s AND provider_resource_id = %(id)s
        """,
        {
            "status": status,
            "why": why or archived,
            "name": name,
            "meta": msgspec.json.encode(meta).decode(),
            "provider": provider,
            "id": identifier,
        },
    )


def _hand_over(
    conn: Connection,
    provider: str,
    identifier: str,
    stated: Mapping[str | None, tuple[str, str | None]],
    takers: Collection[str],
) -> None:
    """A resource that its installation lost is read through one of the same organisation that has it,
    if whoever says so speaks for that one too."""
    conn.execute(
        """
        WITH now AS (
          SELECT DISTINCT ON (r.id) r.id, n.id AS installation_id
          FROM lightfast.resources r
          JOIN lightfast.installations old ON old.id = r.installation_id
          JOIN lightfast.installations n ON n.provider = r.provider AND n.org_id = r.org_id
          WHERE r.provider = %(provider)s AND r.provider_resource_id = %(id)s
            AND old.external_id = ANY(%(lost)s) AND n.external_id = ANY(%(has)s)
          ORDER BY r.id, array_position(%(has)s::text[], n.external_id) DESC
        )
        UPDATE lightfast.resources r SET installation_id = now.installation_id
        FROM now WHERE now.id = r.id
        """,
        {
            "provider": provider,
            "id": identifier,
            "has": [one for one, said in stated.items() if one in takers and said[0] == "active"],
            "lost": [one for one, said in stated.items() if one and said[0] == "removed"],
        },
    )


def _standing(stated: Mapping[str | None, tuple[str, str | None]]) -> tuple[str, str | None]:
    """A resource that changes hands leaves one installation and joins another, in either order: it is
    there as long as any of them has it, unless it is itself gone."""
    own = stated.get(None)
    if own is not None and own[0] == "removed":
        return own
    theirs = [one for installation, one in stated.items() if installation is not None]
    there = [one for one in theirs if one[0] == "active"]
    if there:
        return min(there, key=lambda one: one[1] or "")
    return theirs[-1] if theirs else own or ("active", None)
