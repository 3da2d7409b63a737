"""Hands out the language model that the settings turn on."""

from __future__ import annotations

import dagster as dg

from lightfast_pipelines.language.port import Language
from lightfast_pipelines.settings import settings

__all__ = ["Language", "LanguageResource"]


class LanguageResource(dg.ConfigurableResource[Language]):
    """Claude if ANTHROPIC_API_KEY is set; no configuration of Dagster's holds the key."""

    def create_resource(self, context: dg.InitResourceContext) -> Language:  # noqa: ARG002
        from lightfast_pipelines.language.claude import language_of

        return language_of(settings())
