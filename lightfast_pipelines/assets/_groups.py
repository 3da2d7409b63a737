"""Dagster assets, thin: read, call the rules, write, report.

What a stage does stands in `capture/`. Here stands, once, which group each asset is in and who
owns a group. Files with
decorated functions leave out `from __future__ import annotations`: Dagster 1.13 compares the
annotation of `context` with its classes and refuses a string.
"""

from __future__ import annotations

# Asset -> group. An asset that is a table has the table's name.
GROUPS = {
    "provider_history": "inbox",
    "raw_payloads": "inbox",
    "waiting_for_you": "inbox",
    "outages": "inbox",
    "id_sweeps": "inbox",
    "observations": "memory",
    "entities": "knowledge",
    "observation_entities": "knowledge",
    "relationships": "knowledge",
    "temporal_states": "states",
    "actor_identities": "people",
    "actors": "people",
    "actor_profiles": "people",
    "embeddings": "meaning",
    "clusters": "topics",
    "cluster_consolidation": "topics",
    "cluster_summaries": "topics",
}

# Group -> who is asked when one of its assets fails: the people who know the folder of that name.
OWNERS = {
    "inbox": "team:inbox",
    "memory": "team:capture",
    "knowledge": "team:capture",
    "states": "team:capture",
    "people": "team:people",
    "meaning": "team:embedding",
    "topics": "team:clustering",
}
