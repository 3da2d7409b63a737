"""The rows of a grown history: each table's statement, made from the definitions of its columns.

Every copy (`bench/grown_names.py`) gets a row for each row of the recorded history: serial numbers and the
references to them are moved by a stride, times by days, keys are renamed. What becomes of a column follows
from its type; `_COLUMNS` holds the exceptions. Rows that copies have in common (mentions of other projects,
people of the whole organisation) are made once. What runs the statements is in `bench/grown.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, DateTime, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from bench.grown_names import HEX, Repository
from lightfast_pipelines.store.tables import metadata

# Inputs and derived rows of a processed history. Nothing waits, so the queues stay empty.
TABLES = (
    *("installations", "resources", "integrations", "raw_payloads", "first_receipts", "outcomes"),
    *("actors", "actor_identities", "doubtful_identities", "actor_profiles", "place_names"),
    *("observation_facts", "observation_sources", "identity_mentions", "observation_vectors"),
    *("entities", "entity_aliases", "entity_stubs", "entity_lookups", "observation_entities"),
    *("candidate_mentions", "relationships", "relationship_sources", "commit_parents"),
    *("state_changes", "temporal_states", "clusters", "cluster_members", "cluster_log"),
    *("occurrences", "occurrence_counts", "memory_vectors"),
)


@dataclass(frozen=True, slots=True)
class Seed:
    """The recorded history: how it is named, and which of its rows the copies have in common.

    `strides` are above every serial number, by table. `shared_keys` are those of the shared identities.
    """

    org_id: str
    repository: Repository
    strides: Mapping[str, int]
    shared_entities: Collection[int]
    shared_identities: Collection[int]
    shared_keys: Collection[str]

    def statement(self, table: str, where: str) -> str:
        """Adds the rows of the copies `c` for which `where` holds."""
        columns = list(metadata.tables[f"lightfast.{table}"].columns)
        names = ", ".join(f'"{column.name}"' for column in columns)
        values = ",\n  ".join(self._value(table, column) for column in columns)
        distinct = "DISTINCT " if table == "actors" else ""
        return (
            f"INSERT INTO lightfast.{table} ({names})\nSELECT {distinct}{values}\n"
            f"FROM grown_copies c CROSS JOIN lightfast.{table} t {_JOINS.get(table, '')}\n"
            f"WHERE {where} AND {_condition(self, table)}"
            # Outcomes lie in the order in which they were processed: those of the last hour together.
            + (" ORDER BY c.number" if table == "outcomes" else "")
        )

    def key(self, x: str) -> str:
        """SQL for a key as the copy has it. One of no repository stays as it is."""
        return (
            f"CASE WHEN {x} LIKE 'github:commit:%' THEN 'github:commit:'"
            f" || translate(substr({x}, 15, 40), '{HEX}', c.hex_digits) || substr({x}, 55)"
            f" WHEN {x} LIKE 'observation:github:commit:%' THEN 'observation:github:commit:'"
            f" || translate(substr({x}, 27, 40), '{HEX}', c.hex_digits) || substr({x}, 67)"
            f" WHEN {x} LIKE 'github:ref:sha:%' THEN 'github:ref:sha:'"
            f" || translate(substr({x}, 16), '{HEX}', c.hex_digits)"
            f" WHEN {x} LIKE 'file:%/%' THEN"
            f" regexp_replace({x}, '^file:([^/]+)/', 'file:\\1-' || c.suffix || '/')"
            f" ELSE {self.text(x)} END"
        )

    def text(self, x: str) -> str:
        return (
            f"replace(replace({x}, '{self.repository.id}', c.repository_id),"
            f" '{self.repository.name}', c.repository_name)"
        )

    def external_id(self, source_id: str) -> str:
        return hashed("c.org_id", "c.slug", self.key(source_id))

    def moved(self, table: str, x: str) -> str:
        """SQL for the serial number of the copy's row of a table."""
        if table == "workspaces":
            return f"CASE WHEN {x} IS NOT NULL THEN c.workspace_id END"
        number = {
            "actor_identities": self.person(x),
            "entities": f"CASE WHEN {self.is_shared_entity(x)} THEN c.first ELSE c.number END",
            "installations": "c.home",
        }.get(table, "c.number")
        return f"{x} + {number} * {self.strides[table]}::bigint"

    def is_shared_entity(self, x: str) -> str:
        return f"{x} = ANY({_array(self.shared_entities)})"

    def is_shared_identity(self, x: str) -> str:
        return f"{x} = ANY({_array(self.shared_identities)})"

    def is_own(self, *keys: str, first: str = "c.first") -> str:
        """Whether the copy renames one of these keys, or is the first one."""
        renamed = " OR ".join(f"{self.key(x)} <> {x}" for x in keys)
        return f"(c.number = {first} OR {renamed})"

    def person(self, identity: str) -> str:
        """SQL for the number of the copy that names an identity."""
        return f"CASE WHEN {self.is_shared_identity(identity)} THEN c.home ELSE c.number END"

    def suffix(self, identity: str) -> str:
        return f"CASE WHEN {self.is_shared_identity(identity)} THEN c.home_suffix ELSE c.suffix END"

    def identity_key(self, x: str) -> str:
        """SQL for `source:source_id`."""
        quoted = ", ".join("'" + key.replace("'", "''") + "'" for key in sorted(self.shared_keys))
        is_shared = f"{x} = ANY(ARRAY[{quoted}]::text[])"
        number = f"CASE WHEN {is_shared} THEN c.home ELSE c.number END"
        suffix = f"CASE WHEN {is_shared} THEN c.home_suffix ELSE c.suffix END"
        git = signature(f"substr({x}, 5)", number, suffix)
        return f"CASE WHEN {x} LIKE 'git:%' THEN 'git:' || {git} ELSE {account(x, number)} END"

    def _value(self, table: str, column: Column[Any]) -> str:
        x = f't."{column.name}"'
        rule = _COLUMNS.get((table, column.name)) or _COLUMNS.get(("", column.name))
        if isinstance(rule, str):
            return rule.format(x=x, org=self.org_id)
        if rule is not None:
            return rule(self, x)
        for foreign in column.foreign_keys:
            return self.moved(foreign.column.table.name, x)
        if column.identity is not None:
            return self.moved(table, x)
        if isinstance(column.type, DateTime):
            return f"{x} + c.shift"
        if isinstance(column.type, JSONB):
            return f"CASE WHEN {x} IN ('{{}}', '[]') THEN {x} ELSE {self.text(f'{x}::text')}::jsonb END"
        if isinstance(column.type, ARRAY) and isinstance(column.type.item_type, Text):
            return _array_of(self.key("k"), x, 'k COLLATE "C"')
        if isinstance(column.type, Text) and column.type.collation == "C":
            return self.key(x)
        return x


def hashed(*parts: str) -> str:
    """SQL for the 21 characters that `domain/keys.py` makes of these texts."""
    joined = f"concat_ws(E'\\x1f', {', '.join(parts)})"
    return (
        f"left(translate(encode(sha256(convert_to({joined}, 'UTF8')), 'base64'), '+/', '-_'), 21)"
    )


def account(x: str, number: str) -> str:
    return f"{x} || lpad(({number})::text, 4, '0')"


def named(x: str, suffix: str) -> str:
    return f"CASE WHEN btrim({x}) = '' THEN {x} ELSE btrim({x}) || {suffix} END"


def address(x: str, number: str, suffix: str) -> str:
    forwarded = account("'\\1'", number)
    return (
        f"CASE WHEN strpos({x}, '@') = 0 THEN {x} ELSE regexp_replace("
        f"regexp_replace({x}, '^(\\d+)\\+', {forwarded} || '+'), '@', {suffix} || '@') END"
    )


def signature(x: str, number: str, suffix: str) -> str:
    """SQL for `Name <address>`."""
    name = f"regexp_replace({x}, ' <[^<]*>$', '')"
    email = f"substring({x} from '<([^<]*)>$')"
    return f"{named(name, suffix)} || ' <' || {address(email, number, suffix)} || '>'"


def _array(ids: Collection[int]) -> str:
    return f"'{{{','.join(map(str, sorted(ids)))}}}'::bigint[]"


def _array_of(value: str, x: str, order: str) -> str:
    return (
        f"CASE WHEN {x} IS NULL OR {x} = '{{}}' THEN {x} ELSE ARRAY(SELECT v.k FROM ("
        f"SELECT {value} AS k, place FROM unnest({x}) WITH ORDINALITY AS u (k, place)) v"
        f" ORDER BY {order}) END"
    )


Rule = Callable[[Seed, str], str]

_CLUSTER = "JOIN grown_clusters n ON n.number = c.number AND n.old_id = t.{0}"
_ACTOR = "JOIN grown_actors a ON a.number = c.number AND a.old_id = t.{0}"
_JOINS = {
    "actors": _ACTOR.format("id"),
    "actor_identities": _ACTOR.format("actor_id"),
    "actor_profiles": _ACTOR.format("actor_id"),
    "clusters": _CLUSTER.format("id"),
    "cluster_members": _CLUSTER.format("cluster_id"),
    "cluster_log": _CLUSTER.format("cluster_id"),
    "memory_vectors": f"LEFT {_CLUSTER.format('key')} LEFT {_ACTOR.format('key')}",
}


def _common_pair(is_shared: Callable[[str], str], *ids: str) -> str:
    return " AND ".join(is_shared(x) for x in ids)


def _condition(seed: Seed, table: str) -> str:
    """Which copies of the seed's row are made: of what is common only the first."""
    pair = _common_pair(seed.is_shared_identity, "t.left_identity_id", "t.right_identity_id")
    ends = _common_pair(seed.is_shared_entity, "t.subject_id", "t.object_id")
    return {
        "installations": "c.number = c.home",
        "actor_identities": f"(c.number = c.home OR NOT {seed.is_shared_identity('t.id')})",
        "doubtful_identities": f"(c.number = c.home OR NOT ({pair}))",
        "actor_profiles": "(c.number = c.first OR a.is_shared IS NOT TRUE)",
        "memory_vectors": "(c.number = c.first OR a.is_shared IS NOT TRUE)",
        "entities": f"(c.number = c.first OR NOT {seed.is_shared_entity('t.id')})",
        "entity_aliases": seed.is_own("t.alias"),
        "entity_stubs": seed.is_own("t.key", "t.beside"),
        "entity_lookups": seed.is_own("t.alias", "t.stub_key"),
        "place_names": seed.is_own("t.alias", "t.place", first="c.home"),
        "relationships": f"(c.number = c.first OR NOT ({ends}))",
        "temporal_states": seed.is_own("t.entity_id"),
        "cluster_log": "NOT t.detail ?| ARRAY['from', 'into']",
    }.get(table, "true")


def _stated(seed: Seed, x: str) -> str:
    """Each field: [microseconds, source_id, value]; or whether it is verified."""
    number, suffix = seed.person("t.id"), seed.suffix("t.id")
    value = (
        f"CASE s.field WHEN 'username' THEN v || {suffix} WHEN 'name' THEN {named('v', suffix)}"
        f" WHEN 'email' THEN {address('v', number, suffix)}"
        f" WHEN 'avatar_url' THEN {_picture('v', number)} ELSE v END"
    )
    return (
        "(SELECT coalesce(jsonb_object_agg(s.field, CASE WHEN jsonb_typeof(s.value) <> 'array'"
        " THEN s.value ELSE jsonb_build_array((s.value->>0)::bigint"
        f" + c.days * 86400000000, {seed.key('s.source_id')}, {value}) END), '{{}}')"
        f" FROM (SELECT e.key AS field, e.value, e.value->>1 AS source_id, e.value->>2 AS v"
        f" FROM jsonb_each({x}) e) s)"
    )


def _picture(x: str, number: str) -> str:
    replacement = account("'/u/\\1'", number)
    return f"regexp_replace({x}, '/u/(\\d+)', {replacement})"


def _citations(seed: Seed, x: str) -> str:
    """The sentences with the ids of the copy's observations, and the hash of their texts in that order."""
    return (
        f"CASE WHEN {x} = '[]' THEN {x} ELSE (SELECT jsonb_agg(s.item"
        " || jsonb_build_object('observations', cited.ids)"
        " || CASE WHEN s.item ? 'text_hash' THEN jsonb_build_object('text_hash', cited.hash) ELSE '{}' END"
        f" ORDER BY s.place) FROM jsonb_array_elements({x}) WITH ORDINALITY AS s (item, place)"
        ' CROSS JOIN LATERAL (SELECT jsonb_agg(i.id ORDER BY i.id COLLATE "C") AS ids,'
        " md5(string_agg(i.text_hash, '' ORDER BY i.id COLLATE \"C\")) AS hash"
        f" FROM (SELECT {seed.external_id('o.source_id')} AS id, o.text_hash"
        " FROM jsonb_array_elements_text(s.item->'observations') e JOIN grown_texts o ON o.external_id = e) i"
        ") cited) END"
    )


def _collaborators(_seed: Seed, x: str) -> str:
    return (
        f"CASE WHEN {x} = '[]' THEN {x} ELSE (SELECT jsonb_agg(s.item || jsonb_build_object('actor_id',"
        " b.new_id, 'display_name', s.item->>'display_name' || b.suffix) ORDER BY s.place)"
        f" FROM jsonb_array_elements({x}) WITH ORDINALITY AS s (item, place)"
        " JOIN grown_actors b ON b.number = c.number AND b.old_id = s.item->>'actor_id') END"
    )


def _of_person(rule: Callable[[str, str, str], str], identity: str) -> Rule:
    return lambda seed, x: rule(x, seed.person(identity), seed.suffix(identity))


def _people_columns(table: str, identity: str, prefix: str) -> dict[tuple[str, str], Rule | str]:
    return {
        (table, f"{prefix}username"): _of_person(lambda x, _, suffix: f"{x} || {suffix}", identity),
        (table, f"{prefix}email"): _of_person(address, identity),
        (table, f"{prefix}name"): _of_person(lambda x, _, suffix: named(x, suffix), identity),
        (table, "avatar_url"): _of_person(lambda x, number, _: _picture(x, number), identity),
    }


def _source_id(seed: Seed, x: str) -> str:
    key = seed.identity_key(f"(t.source || ':' || {x})")
    return f"substr({key}, length(t.source) + 2)"


def _metadata(seed: Seed, x: str) -> str:
    """Fields of the provider. Where a commit is among them, it and the repository are those of the copy."""
    text = f"{seed.text(f'{x}::text')}::jsonb"
    commit = f"translate(f.value #>> '{{}}', '{HEX}', c.hex_digits)"
    return (
        f"CASE WHEN {x}::text !~ '\"[0-9a-f]{{40}}\"' THEN {text} ELSE (SELECT jsonb_object_agg(f.key,"
        " CASE WHEN f.key = 'gitRepo' THEN to_jsonb(split_part(c.repository_name, '/', 2))"
        f" WHEN f.value #>> '{{}}' ~ '^[0-9a-f]{{40}}$' THEN to_jsonb({commit}) ELSE f.value END)"
        f" FROM jsonb_each({text}) f) END"
    )


def _installation(seed: Seed, x: str) -> str:
    return f"replace({seed.text(x)}, '{seed.org_id}', c.org_id)"


def _external_id(seed: Seed, _x: str) -> str:
    return seed.external_id("t.source_id")


def _author(seed: Seed, x: str) -> str:
    return seed.moved("actor_identities", x)


def _count(seed: Seed, x: str) -> str:
    return f"{x} * CASE WHEN {seed.is_shared_entity('t.id')} THEN c.copies ELSE 1 END"


def _keys_in_order(seed: Seed, x: str) -> str:
    return _array_of(seed.key("k"), x, "v.place")


def _people_in_order(seed: Seed, x: str) -> str:
    return _array_of(seed.identity_key("k"), x, "v.place")


def _thing(seed: Seed, x: str) -> str:
    return (
        "CASE t.layer WHEN 'clusters' THEN n.new_id WHEN 'profiles' THEN a.new_id"
        f" ELSE {seed.key(x)} END"
    )


# (table, column), or ("", column) in every table: a rule, or SQL about the seed's value `{x}`.
_COLUMNS: dict[tuple[str, str], Rule | str] = {
    ("", "org_id"): "CASE WHEN {x} = '{org}' THEN c.org_id ELSE {x} END",
    ("", "cluster_id"): "n.new_id",
    ("commit_parents", "commit"): f"translate({{x}}, '{HEX}', c.hex_digits)",
    ("commit_parents", "parent"): f"translate({{x}}, '{HEX}', c.hex_digits)",
    ("", "actor_id"): "a.new_id",
    ("", "url"): Seed.text,
    ("", "stated_url"): Seed.text,
    ("", "body_sha256"): "sha256({x} || convert_to(c.number::text, 'UTF8'))",
    ("", "topics"): "{x}",
    ("", "significance_factors"): "{x}",
    ("installations", "external_id"): _installation,
    ("resources", "provider_resource_id"): Seed.text,
    ("resources", "resource_name"): Seed.text,
    ("raw_payloads", "delivery_id"): "{x} || '-' || c.number",
    ("raw_payloads", "partition_date"): "{x} + c.days",
    ("first_receipts", "verified_for"): "replace({x}, '{org}', c.org_id)",
    ("outcomes", "resource_key"): Seed.text,
    ("place_names", "day"): "{x} + c.days",
    ("place_names", "shown"): Seed.text,
    ("actors", "id"): "a.new_id",
    ("actors", "display_name"): "{x} || a.suffix",
    ("actor_identities", "source_id"): _source_id,
    ("actor_identities", "joined_to"): Seed.identity_key,
    ("actor_identities", "mapping_evidence"): "{x}",
    ("actor_identities", "stated"): _stated,
    **_people_columns("actor_identities", "t.id", "source_"),
    **_people_columns("identity_mentions", "t.identity_id", ""),
    ("doubtful_identities", "id"): "left(md5({x} || c.number), 10)",
    ("doubtful_identities", "evidence"): "{x}",
    ("actor_profiles", "frequent_collaborators"): _collaborators,
    ("observation_facts", "external_id"): _external_id,
    ("observation_facts", "metadata"): _metadata,
    ("state_changes", "state_value"): Seed.key,
    ("temporal_states", "state_value"): Seed.key,
    ("entities", "occurrence_count"): _count,
    ("cluster_members", "thread_key"): Seed.key,
    ("cluster_members", "author_identity_id"): _author,
    ("clusters", "id"): "n.new_id",
    ("clusters", "primary_entities"): _keys_in_order,
    ("clusters", "primary_actors"): _people_in_order,
    ("clusters", "keywords"): "{x}",
    ("clusters", "summary_citations"): _citations,
    ("observation_vectors", "vector"): "({x} * c.signs)",
    ("memory_vectors", "vector"): "({x} * c.signs)",
    ("memory_vectors", "key"): _thing,
}
