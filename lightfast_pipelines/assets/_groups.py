"""Which group each asset is in, and who owns a group."""

from __future__ import annotations

# Asset -> group. An asset that is a table has the table's name.
GROUPS = {
    "provider_history": "inbox",
    "raw_payloads": "inbox",
    "waiting_for_you": "inbox",
    "outages": "inbox",
    "id_sweeps": "inbox",
    "pipeline_health": "inbox",
    "observations": "memory",
    "memory_quality": "memory",
    "entities": "knowledge",
    "observation_entities": "knowledge",
    "relationships": "knowledge",
    "temporal_states": "states",
    "actor_identities": "people",
    "actors": "people",
    "actor_profiles": "people",
    "model_answers": "language",
    "embeddings": "meaning",
    "memory_vectors": "meaning",
    "vector_index": "meaning",
    "hosted_embeddings": "meaning",
    "documents": "documents",
    "clusters": "topics",
    "cluster_consolidation": "topics",
    "cluster_summaries": "topics",
    "observations_parquet": "analysis",
}

# Group -> the team to ask when one of its assets fails; it is named after the folder that it knows.
OWNERS = {
    "inbox": "team:inbox",
    "memory": "team:capture",
    "knowledge": "team:capture",
    "states": "team:capture",
    "people": "team:people",
    "language": "team:language",
    "meaning": "team:embedding",
    "documents": "team:documents",
    "topics": "team:clustering",
    "analysis": "team:export",
}
