"""By which rules the memory is made now: when one of them is raised, what older ones made waits again."""

from __future__ import annotations

from dataclasses import dataclass

from lightfast_pipelines.domain.clusters import RULE_VERSION as CLUSTER_RULES
from lightfast_pipelines.providers import discover

__all__ = ["CLUSTER_RULES", "Rules", "current_rules"]


@dataclass(frozen=True, slots=True)
class Rules:
    """The embedder's model, the version of the rules of clusters, and those of each provider."""

    model: str
    clusters: int
    providers: tuple[tuple[str, int], ...]

    @property
    def name(self) -> str:
        """`clusters 1, github 1, model wordllama-256`"""
        versions = [("clusters", self.clusters), *self.providers, ("model", self.model)]
        return ", ".join(f"{name} {version}" for name, version in versions)


def current_rules(model: str) -> Rules:
    """The rules of this code, with the model of the embedder that is set."""
    providers = tuple((name, provider.rule_version) for name, provider in discover().items())
    return Rules(model, CLUSTER_RULES, providers)
