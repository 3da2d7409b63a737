"""Records which place (a repository) had which name when, from all payloads that state it.

A name can be given up and taken by another place. Resolution asks which place had the name when a text
was written; a renamed place keeps its old name until another place takes it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from itertools import pairwise

from lightfast_pipelines.capture.authority import (
    ARRIVED_BEFORE_OWN,
    Owner,
    is_shared,
    organisations_named,
    organisations_of,
    speaks_for,
    with_secrets,
)
from lightfast_pipelines.capture.raw_payloads import RawPayload
from lightfast_pipelines.capture.reach import Reach
from lightfast_pipelines.capture.reading import ReadPayload
from lightfast_pipelines.capture.writers.lifecycle import Subject
from lightfast_pipelines.capture.writers.rows import columns_of
from lightfast_pipelines.domain.keys import owner_alias
from lightfast_pipelines.store.database import Connection

# The organisation of claims by payloads that reach no workspace, name no known installation, and were
# verified by the environment's secret, which speaks for every organisation.
EVERYONE = ""
_MOST_RENAMES = 5

NameInWorkspace = tuple[int, str]
OrgPlace = tuple[str, str]
_Claim = tuple[datetime, str, bool]
Tenure = Sequence[tuple[datetime | None, str]]
"""(since, place), oldest first; the first holds from the beginning (since None)."""


def add_names(
    conn: Connection,
    payloads: Iterable[ReadPayload],
    reached: Reach,
    settled: Mapping[Subject, Owner],
) -> set[str]:
    """Writes the names that these payloads state; returns the aliases that may now mean another place.

    The resources among the `settled` subjects get their names again, as lifecycle events set them too.
    """
    claims: dict[tuple[str, str, str, date, bool], tuple[datetime, datetime, str]] = {}
    shown_again: set[OrgPlace] = set()
    payloads = [payload for payload in payloads if payload.route]
    verified_for = organisations_of(conn, (payload.raw for payload in payloads))
    named = organisations_named(conn, filter(None, (payload.installation for payload in payloads)))
    owners = _owners(conn, payloads)
    apart = with_secrets(conn)
    for payload in payloads:
        assert payload.route is not None
        raw = payload.raw
        orgs = {destination.link.owner.org_id for destination in reached[raw.id]}
        orgs |= {raw.org_id} if raw.org_id else set()
        if not orgs and raw.verified_by in verified_for:
            orgs = {verified_for[raw.verified_by]}
        elif not orgs and is_shared(raw.verified_by):
            orgs = {named.get(payload.installation, EVERYONE) if payload.installation else EVERYONE}
        for org in orgs:
            is_outranked = is_shared(raw.verified_by) and (raw.provider, org) in apart
            for name in payload.route.names:
                if not _may_name(raw, org, owners.get(name.place), is_outranked):
                    continue
                at = name.at or raw.dated
                # An API states what happened long ago under today's name. If an installation has its own
                # secret, claims that the environment's secret verified are weak too.
                is_weak = (
                    name.is_weak or is_outranked or raw.ingestion_source in ("api", "backfill")
                )
                key = (org, name.alias, name.place, at.astimezone(UTC).date(), is_weak)
                first, last, shown = claims.get(key, (at, at, name.shown))
                shown = max((last, shown), (at, name.shown))[1]
                claims[key] = (min(first, at), max(last, at), shown)
    shown_again |= {(key[0], key[2]) for key in claims}
    shown_again |= {
        (owner.org_id, f"{provider}:ref:{identifier}")
        for (provider, kind, identifier), owner in settled.items()
        if kind == "resource"
    }
    if not claims:
        _show_names(conn, shown_again)
        return set()
    before = _places_of(conn, {(key[0], key[1]) for key in claims})
    rows = sorted((*key, *value) for key, value in claims.items())
    changed = conn.execute(
        """
        INSERT INTO lightfast.place_names AS n
          (org_id, alias, place, day, is_weak, first_at, last_at, shown)
        SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::date[], %s::boolean[],
                             %s::timestamptz[], %s::timestamptz[], %s::text[])
        ON CONFLICT (org_id, alias, place, day, is_weak) DO UPDATE SET
          first_at = least(n.first_at, excluded.first_at),
          last_at = greatest(n.last_at, excluded.last_at),
          shown = CASE WHEN (excluded.last_at, excluded.shown COLLATE "C")
                            > (n.last_at, n.shown COLLATE "C") THEN excluded.shown ELSE n.shown END
        WHERE n.first_at > excluded.first_at OR n.last_at < excluded.last_at
           OR (n.last_at = excluded.last_at AND n.shown COLLATE "C" < excluded.shown COLLATE "C")
        RETURNING org_id, alias, place
        """,
        columns_of(rows),
    ).fetchall()
    _show_names(conn, shown_again)
    stale = {
        alias
        for org, alias, place in changed
        if before.get((org, alias), frozenset()) != frozenset({place})
    }
    return stale | _under_new_owners(conn, stale)


def withdraw_names(conn: Connection, displaced: Iterable[ReadPayload]) -> set[str]:
    """Withdraws the names that these repeats state without a time, which were dated by their receipt.

    Returns the names that may now mean another place.
    """
    claims = {
        (name.alias, name.place, payload.raw.received_at)
        for payload in displaced
        if payload.route is not None
        for name in payload.route.names
        if name.at is None
    }
    if not claims:
        return set()
    columns = columns_of(sorted(claims))
    rows = conn.execute(
        """
        DELETE FROM lightfast.place_names n
        USING unnest(%s::text[], %s::text[], %s::timestamptz[]) AS k (alias, place, at)
        WHERE n.alias = k.alias AND n.place = k.place AND n.first_at = k.at AND n.last_at = k.at
        RETURNING n.alias, n.org_id, n.place
        """,
        columns,
    ).fetchall()
    # Other payloads of that day stated the name as well.
    rows += conn.execute(
        """
        UPDATE lightfast.place_names n SET last_at = n.first_at
        FROM unnest(%s::text[], %s::text[], %s::timestamptz[]) AS k (alias, place, at)
        WHERE n.alias = k.alias AND n.place = k.place AND n.first_at < k.at AND n.last_at = k.at
        RETURNING n.alias, n.org_id, n.place
        """,
        columns,
    ).fetchall()
    _show_names(conn, {(org, place) for _, org, place in rows})
    names = {alias for alias, _, _ in rows}
    return names | _under_new_owners(conn, names)


def _under_new_owners(conn: Connection, aliases: set[str]) -> set[str]:
    """The names that these places have since their owners were renamed."""
    renamed: set[str] = set()
    for _ in range(_MOST_RENAMES):
        rows = conn.execute(
            "SELECT DISTINCT place, alias FROM lightfast.place_names WHERE place = ANY(%s)",
            (sorted({owner_alias(alias) for alias in aliases}),),
        ).fetchall()
        later = {
            new + alias.removeprefix(old)
            for old, new in rows
            for alias in aliases
            if owner_alias(alias) == old
        }
        aliases = later - renamed
        if not aliases:
            break
        renamed |= aliases
    return renamed


def _owners(conn: Connection, payloads: Iterable[ReadPayload]) -> dict[str, Owner]:
    """Each place that these payloads name -> the installation that has it as a resource."""
    places = {name.place for payload in payloads if payload.route for name in payload.route.names}
    if not places:
        return {}
    rows = conn.execute(
        f"""
        SELECT k.place, n.id, n.org_id, {ARRIVED_BEFORE_OWN}
        FROM unnest(%s::text[]) AS k (place)
        JOIN lightfast.resources r ON r.provider = split_part(k.place, ':', 1)
         AND r.provider_resource_id = split_part(k.place, ':', 3)
        JOIN lightfast.installations n ON n.id = r.installation_id
        """,
        (sorted(places),),
    )
    return {place: Owner(installation, org, after) for place, installation, org, after in rows}


def _may_name(raw: RawPayload, org: str, owner: Owner | None, is_outranked: bool) -> bool:
    """Whether the payload may name a place for the organisation.

    A payload that an installation's own secret verified may not name what another installation has. In an
    organisation with secrets of its own (`is_outranked`), a payload that the environment's secret verified may
    name only what that secret still covers.
    """
    if raw.verified_by.startswith("installation:"):
        return owner is None or speaks_for(raw, owner)
    if is_outranked:
        return owner is not None and owner.org_id == org and speaks_for(raw, owner)
    return True


def _places_of(
    conn: Connection, names: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], frozenset[str]]:
    wanted = sorted(names)
    rows = conn.execute(
        """
        SELECT k.org_id, k.alias, array_agg(DISTINCT n.place)
        FROM unnest(%s::text[], %s::text[]) AS k (org_id, alias)
        JOIN lightfast.place_names n USING (org_id, alias) GROUP BY 1, 2
        """,
        ([org for org, _ in wanted], [alias for _, alias in wanted]),
    )
    return {(org, alias): frozenset(places) for org, alias, places in rows}


def stubs_named(conn: Connection, aliases: Iterable[str]) -> set[tuple[int, str]]:
    """The stubs (workspace, key) that refer into a place by one of these names."""
    wanted = sorted(aliases)
    if not wanted:
        return set()
    # The name of an owner ends in a slash: every name that begins with it is affected.
    first = [alias if alias.endswith("/") else f"{alias}#" for alias in wanted]
    rows = conn.execute(
        """
        SELECT DISTINCT s.workspace_id, s.key
        FROM unnest(%s::text[], %s::text[]) AS k (first, past)
        CROSS JOIN lightfast.workspaces w
        JOIN lightfast.entity_stubs s ON s.workspace_id = w.id
          AND s.key >= k.first COLLATE "C" AND s.key < k.past COLLATE "C"
        """,
        (first, [name[:-1] + chr(ord(name[-1]) + 1) for name in first]),
    )
    return {(workspace, key) for workspace, key in rows}


def tenures(conn: Connection, names: Iterable[NameInWorkspace]) -> dict[NameInWorkspace, Tenure]:
    """Which places had these names (workspace, alias), as far as the workspace's organisation knows."""
    wanted = sorted(set(names))
    tenures_by_name = _tenures(conn, wanted)
    # Since its owner was renamed, a repository also has a name under the new owner.
    renamed = {name: name[1] for name in wanted if name not in tenures_by_name}
    for _ in range(_MOST_RENAMES):
        owners = {(name[0], owner_alias(alias)) for name, alias in renamed.items()}
        before = _tenures(conn, sorted(owners)) if owners else {}
        renamed = {
            name: before[name[0], owner][-1][1] + alias.removeprefix(owner)
            for name, alias in renamed.items()
            if (name[0], owner := owner_alias(alias)) in before
        }
        if not renamed:
            break
        earlier = _tenures(conn, sorted({(name[0], alias) for name, alias in renamed.items()}))
        for name, alias in list(renamed.items()):
            if (name[0], alias) in earlier:
                tenures_by_name[name] = earlier[name[0], alias]
                del renamed[name]
    return tenures_by_name


def _tenures(conn: Connection, wanted: Sequence[NameInWorkspace]) -> dict[NameInWorkspace, Tenure]:
    if not wanted:
        return {}
    rows = conn.execute(
        """
        SELECT k.workspace_id, k.alias, n.place, n.first_at, n.last_at, n.is_weak
        FROM unnest(%s::bigint[], %s::text[]) AS k (workspace_id, alias)
        JOIN lightfast.workspaces w ON w.id = k.workspace_id
        JOIN lightfast.place_names n ON n.org_id IN (w.org_id, %s) AND n.alias = k.alias
        WHERE n.org_id = w.org_id
           OR (split_part(n.alias, ':', 1), w.org_id) NOT IN (SELECT * FROM unnest(%s::text[], %s::text[]))
        """,
        (
            [w for w, _ in wanted],
            [alias for _, alias in wanted],
            EVERYONE,
            *_columns(with_secrets(conn)),
        ),
    )
    claims: dict[NameInWorkspace, list[_Claim]] = defaultdict(list)
    for workspace, alias, place, first, last, is_weak in rows:
        claims[workspace, alias] += [(first, place, is_weak), (last, place, is_weak)]
    return {name: tenure(name_claims) for name, name_claims in claims.items()}


def tenure(claims: Collection[_Claim]) -> Tenure:
    """Which place had a name when, from all claims (time, place, is weak).

    A weak claim (an old name in a renaming, a list without a time, an API) counts only for the time
    before the first strong one.
    """
    first = min((at for at, _, is_weak in claims if not is_weak), default=None)
    ordered = sorted(
        {(at, place) for at, place, is_weak in claims if not is_weak or first is None or at < first}
    )
    # At one moment a name belongs to one place, however many claim it.
    changes = {at: place for (_, before), (at, place) in pairwise(ordered) if before != place}
    return [(None, ordered[0][1]), *changes.items()]


def _show_names(conn: Connection, places: Iterable[OrgPlace]) -> None:
    """Gives the resources of these places (organisation, place) the name that was stated last, with the
    current name of its owner."""
    wanted = sorted(places)
    if not wanted:
        return
    orgs, names = _columns(wanted)
    providers, apart = _columns(with_secrets(conn))
    conn.execute(
        """
        WITH apart AS MATERIALIZED (
          SELECT * FROM unnest(%(providers)s::text[], %(apart)s::text[]) AS a (provider, org_id)
        ), stated AS (
          SELECT * FROM unnest(%(orgs)s::text[], %(places)s::text[]) AS k (org_id, place)
        ), places AS (
          SELECT k.org_id, k.place FROM stated k
          UNION
          SELECT k.org_id, n.place FROM stated k
          JOIN lightfast.place_names n ON right(k.place, 1) = '/'
           AND n.alias >= k.place COLLATE "C"
           AND n.alias < left(k.place, -1) || '0' COLLATE "C"
        ), concerned AS (
          -- Claims for everyone count only where the environment's secret is shared.
          SELECT DISTINCT r.id, k.place, r.org_id, (r.provider, r.org_id) IN (SELECT * FROM apart) AS is_apart
          FROM places k
          JOIN lightfast.resources r ON r.provider = split_part(k.place, ':', 1)
           AND r.provider_resource_id = split_part(k.place, ':', 3)
          WHERE k.org_id = r.org_id
             OR (k.org_id = %(everyone)s AND (r.provider, r.org_id) NOT IN (SELECT * FROM apart))
        ), named AS (
          SELECT r.id, CASE WHEN o.shown IS NULL THEN n.shown
                       ELSE o.shown || '/' || split_part(n.shown, '/', 2) END AS shown
          FROM concerned r
          CROSS JOIN LATERAL (
            SELECT n.alias, n.shown, n.last_at FROM lightfast.place_names n
            WHERE (n.org_id = r.org_id OR (n.org_id = %(everyone)s AND NOT r.is_apart))
              AND n.place = r.place
            ORDER BY n.is_weak, n.last_at DESC, n.shown COLLATE "C" DESC LIMIT 1
          ) n
          LEFT JOIN LATERAL (
            SELECT o.shown FROM lightfast.place_names o
            WHERE (o.org_id = r.org_id OR (o.org_id = %(everyone)s AND NOT r.is_apart))
              AND o.last_at >= n.last_at
              AND o.place = regexp_replace(n.alias, '[^/]*$', '')
            ORDER BY o.last_at DESC, o.shown COLLATE "C" DESC LIMIT 1
          ) o ON true
        )
        UPDATE lightfast.resources r SET resource_name = n.shown, updated_at = now()
        FROM named n WHERE n.id = r.id AND r.resource_name IS DISTINCT FROM n.shown
        """,
        {
            "orgs": orgs,
            "places": names,
            "providers": providers,
            "apart": apart,
            "everyone": EVERYONE,
        },
    )


def _columns(pairs: Iterable[tuple[str, str]]) -> tuple[list[str], list[str]]:
    ordered = sorted(pairs)
    return [first for first, _ in ordered], [second for _, second in ordered]


def is_contested(tenure: Tenure) -> bool:
    """Whether several places held the name, one after the other."""
    return len({place for _, place in tenure}) > 1
