"""Applies what providers say about installations and resources: removed, renamed, archived.

The latest event by the provider's clock wins, in whatever order the events arrive; stored observations
never change.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from operator import itemgetter
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
from lightfast_pipelines.store.document_queue import queue_returned

Subject = tuple[str, str, str]


class _Event(NamedTuple):
    """A change as a payload states it. `may_hand_over`: the payload also speaks for the installation that
    the change names."""

    change: str
    value: dict[str, Any]
    reason: str
    may_hand_over: bool


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
    """Writes the lifecycle events of these payloads and brings their subjects up to date.

    Returns those subjects with their owners. An event that a payload stated under older rules and no
    longer states is withdrawn.
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

    # A payload that does not speak for a subject does not cause any work on it either.
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
    """Folds the lifecycle events of each subject in order of their time, ignoring payloads that do not
    speak for its owner. A subject without events is treated as if it had never had any."""
    if not subjects:
        return
    rows = conn.execute(
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
            for row in rows
            if isinstance(installation := row[4].get("installation"), str)
        },
    )
    stated: dict[Subject, dict[tuple[Any, ...], tuple[Any, _Event]]] = {
        subject: {} for subject in subjects
    }
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
    ) in rows:
        subject = (provider, kind, identifier)
        verified = Verified(*signed)
        if not speaks_for(verified, subjects[subject], organisation):
            continue
        new_owner = named.get((provider, "installation", value.get("installation")))
        may_hand_over = new_owner is not None and speaks_for(verified, new_owner, organisation)
        # One body that several secrets verified states its events once: at its first receipt.
        event = ((at, body, change), _Event(change, value, reason, may_hand_over))
        stated[subject].setdefault((change, body, own), event)
    for (provider, kind, identifier), dated_events in stated.items():
        events = [event for _, event in sorted(dated_events.values(), key=itemgetter(0))]
        if kind == "installation":
            _settle_installation(conn, provider, identifier, events)
        else:
            _settle_resource(conn, provider, identifier, events)


def _settle_installation(
    conn: Connection, provider: str, identifier: str, events: list[_Event]
) -> None:
    status, status_reason = "active", None
    account: str | None = None
    info: dict[str, Any] = {}
    for change, value, reason, _ in events:
        account = value.get("account_login") or account
        info |= {name: text for name, text in value.items() if name != "account_login"}
        if change in _INSTALLATION_STATUS:
            status = _INSTALLATION_STATUS[change]
            status_reason = None if status == "active" else reason
    has_returned = status == "active" and _was_away(
        conn, "installations", "external_id", provider, identifier
    )
    conn.execute(
        """
        UPDATE lightfast.installations SET status = %(status)s, status_reason = %(status_reason)s,
          account_login = coalesce(%(account)s, account_login),
          provider_account_info = provider_account_info || %(info)s::jsonb, updated_at = now()
        WHERE provider = %(provider)s AND external_id = %(id)s
        """,
        {
            "status": status,
            "status_reason": status_reason,
            "account": account,
            "info": msgspec.json.encode(info).decode(),
            "provider": provider,
            "id": identifier,
        },
    )
    if has_returned:
        queue_returned(conn, provider, identifier)


def _was_away(conn: Connection, table: str, column: str, provider: str, identifier: str) -> bool:
    """Whether it has a row, and was not active until now."""
    row = conn.execute(
        f"""
        SELECT 1 FROM lightfast.{table}
        WHERE provider = %s AND {column} = %s AND status <> 'active'
        """,
        (provider, identifier),
    ).fetchone()
    return row is not None


def _settle_resource(
    conn: Connection, provider: str, identifier: str, events: list[_Event]
) -> None:
    archived: str | None = None
    name: str | None = None
    meta: dict[str, Any] = {}
    # Status and reason as each installation states them; under None, as the resource itself does.
    stated: dict[str | None, tuple[str, str | None]] = {}
    new_owners: set[str] = set()
    for change, value, reason, may_hand_over in events:
        installation = value.get("installation")
        if may_hand_over and installation is not None:
            new_owners.add(installation)
        if change in ("active", "suspended", "removed"):
            status = "removed" if change == "removed" else "active"
            stated.pop(installation, None)
            stated[installation] = (status, None if change == "active" else reason)
        else:
            # A resource that is renamed or handed over exists, and this installation has it.
            stated.pop(None, None)
            if installation is not None:
                stated[installation] = ("active", None)
        if change in ("archived", "unarchived"):
            meta["archived"] = change == "archived"
            archived = reason if change == "archived" else None
        if change != "removed":
            name = value.get("name") or name
        meta |= {name: entry for name, entry in value.items() if name not in _NO_META}
    status, status_reason = _status(stated)
    _hand_over(conn, provider, identifier, stated, new_owners)
    has_returned = status == "active" and _was_away(
        conn, "resources", "provider_resource_id", provider, identifier
    )
    conn.execute(
        """
        UPDATE lightfast.resources SET status = %(status)s, status_reason = %(status_reason)s,
          resource_name = coalesce(%(name)s, resource_name),
          resource_meta = resource_meta || %(meta)s::jsonb, updated_at = now()
        WHERE provider = %(provider)s AND provider_resource_id = %(id)s
        """,
        {
            "status": status,
            "status_reason": status_reason or archived,
            "name": name,
            "meta": msgspec.json.encode(meta).decode(),
            "provider": provider,
            "id": identifier,
        },
    )
    if has_returned:
        queue_returned(conn, provider, identifier)


def _hand_over(
    conn: Connection,
    provider: str,
    identifier: str,
    stated: Mapping[str | None, tuple[str, str | None]],
    new_owners: Collection[str],
) -> None:
    """If a resource's installation lost it, hands it over to another installation of the organisation that
    has it, provided that the payload that states this speaks for that one too."""
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
            "has": [
                installation
                for installation, (status, _) in stated.items()
                if installation in new_owners and status == "active"
            ],
            "lost": [
                installation
                for installation, (status, _) in stated.items()
                if installation and status == "removed"
            ],
        },
    )


def _status(stated: Mapping[str | None, tuple[str, str | None]]) -> tuple[str, str | None]:
    """The resource's status and reason, from what it and each installation state.

    A resource that changes hands leaves one installation and joins another, in either order: it is
    active as long as any installation has it, unless it was itself removed.
    """
    own = stated.get(None)
    if own is not None and own[0] == "removed":
        return own
    by_installations = [
        status for installation, status in stated.items() if installation is not None
    ]
    active = [status for status in by_installations if status[0] == "active"]
    if active:
        return min(active, key=lambda status: status[1] or "")
    return by_installations[-1] if by_installations else own or ("active", None)
