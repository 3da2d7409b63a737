"""The versions of the rules in force; raising one has the results of older rules made again."""

from __future__ import annotations

from dataclasses import dataclass

from lightfast_pipelines.domain.clusters import RULE_VERSION as CLUSTER_RULES
from lightfast_pipelines.domain.narratives import RULE_VERSION as LAYER_RULES
from lightfast_pipelines.domain.profiles import RULE_VERSION as PROFILE_RULES
from lightfast_pipelines.domain.summaries import RULE_VERSION as SUMMARY_RULES
from lightfast_pipelines.domain.views import RULE_VERSION as VIEW_RULES
from lightfast_pipelines.providers import discover

__all__ = ["CLUSTER_RULES", "RULES_OF_ASSETS", "Rules", "code_version", "current_rules"]

# Assets that depend on rules other than the providers'. Actors are decided together with clusters.
RULES_OF_ASSETS = {
    "actors": f"clusters {CLUSTER_RULES}",
    "clusters": f"clusters {CLUSTER_RULES}",
    "cluster_consolidation": f"clusters {CLUSTER_RULES}",
    "actor_profiles": f"profiles {PROFILE_RULES}",
    "cluster_summaries": f"summaries {SUMMARY_RULES}",
    "memory_vectors": f"layers {LAYER_RULES}",
}


@dataclass(frozen=True, slots=True)
class Rules:
    """The embedding model, and the versions of the cluster rules and of each provider's rules."""

    model: str
    clusters: int
    providers: tuple[tuple[str, int], ...]

    @property
    def name(self) -> str:
        """`clusters 1, github 1, views 1, model wordllama-256`"""
        versions = [
            ("clusters", self.clusters),
            *self.providers,
            ("views", VIEW_RULES),
            ("model", self.model),
        ]
        return ", ".join(f"{name} {version}" for name, version in versions)


def current_rules(model: str) -> Rules:
    """The rules of this code, together with this embedding model."""
    return Rules(model, CLUSTER_RULES, _provider_rules())


def code_version(asset: str) -> str:
    """The rules behind an asset, as its code version: Dagster marks what older rules made as stale.

    >>> code_version("cluster_summaries")
    'summaries 1'
    """
    rules = RULES_OF_ASSETS.get(asset)
    return rules or ", ".join(f"{name} {version}" for name, version in _provider_rules())


def _provider_rules() -> tuple[tuple[str, int], ...]:
    return tuple((name, provider.rule_version) for name, provider in discover().items())
