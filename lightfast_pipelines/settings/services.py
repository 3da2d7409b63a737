"""Settings of the hosted services: the language model, the embedding model and the vector index.

A key turns its service on. Without one, what is local does the work and nothing calls out.
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo
from pydantic_settings import BaseSettings

from lightfast_pipelines.settings.addresses import ApiAddress

OpenAIModel = Literal["text-embedding-3-small", "text-embedding-3-large"]

# What each model makes if no dimensions are asked for, which is also the most it can make. pgvector's
# index takes 4,000 dimensions of half precision, so any of these fit.
MOST_DIMENSIONS: dict[OpenAIModel, int] = {
    "text-embedding-3-small": 1536,
    "text-embedding-3-large": 3072,
}
_FEWEST_DIMENSIONS = 64


def _dimensions(value: int | None, info: ValidationInfo) -> int | None:
    model: OpenAIModel = info.data.get("openai_model", get_args(OpenAIModel)[0])
    most = MOST_DIMENSIONS[model]
    if value is None or _FEWEST_DIMENSIONS <= value <= most:
        return value
    larger = next((name for name, limit in MOST_DIMENSIONS.items() if limit >= value), None)
    hint = f", or LIGHTFAST_OPENAI_MODEL={larger}" if larger and value > most else ""
    raise ValueError(f"{_FEWEST_DIMENSIONS} to {most} dimensions for {model}{hint}")


class ServiceSettings(BaseSettings):
    """The part of `Settings` that is about hosted services."""

    anthropic_api_key: SecretStr | None = Field(
        default=None,
        alias="ANTHROPIC_API_KEY",
        description="Turns on the language model. Unset: local rules alone, and nothing calls out.",
    )
    anthropic_base_url: ApiAddress = Field(
        default=None,
        alias="ANTHROPIC_BASE_URL",
        description="Anthropic's API; default https://api.anthropic.com. For a proxy.",
    )
    anthropic_model: str = Field(
        default="claude-haiku-5-5",
        min_length=1,
        alias="LIGHTFAST_ANTHROPIC_MODEL",
        description="Claude model to ask; answers that are stored already are kept.",
    )
    anthropic_daily_tokens: int = Field(
        default=2_000_000,
        ge=0,
        alias="LIGHTFAST_ANTHROPIC_DAILY_TOKENS",
        description="Tokens (input and output) that the language model may use in a day (UTC).",
    )
    openai_api_key: SecretStr | None = Field(
        default=None,
        alias="OPENAI_API_KEY",
        description=(
            "Turns on a hosted embedding model, beside the local one. Unset: the local one alone, and "
            "nothing calls out."
        ),
    )
    openai_api_url: ApiAddress = Field(
        default=None,
        alias="OPENAI_API_URL",
        description="OpenAI's API; default https://api.openai.com. For a proxy.",
    )
    openai_model: OpenAIModel = Field(
        default="text-embedding-3-small",
        alias="LIGHTFAST_OPENAI_MODEL",
        description=(
            "text-embedding-3-small or text-embedding-3-large. After a change everything is embedded "
            "again in the background, while the old vectors serve."
        ),
    )
    openai_dimensions: Annotated[int | None, AfterValidator(_dimensions)] = Field(
        default=None,
        alias="LIGHTFAST_OPENAI_DIMENSIONS",
        description=(
            "Dimensions of its vectors; fewer take less space. Default, and the most: 1536 for small, "
            "3072 for large. A change counts as another model."
        ),
    )
    pinecone_api_key: SecretStr | None = Field(
        default=None,
        alias="PINECONE_API_KEY",
        description="Turns on Pinecone for searching vectors; Postgres keeps them all the same.",
    )
    pinecone_index: str = Field(
        default="lightfast",
        min_length=1,
        alias="PINECONE_INDEX",
        description="Name of the index; its dimension has to be the embedder's, its metric cosine.",
    )
    pinecone_host: ApiAddress = Field(
        default=None,
        alias="PINECONE_HOST",
        description="The index's own address, as https://HOST; unset: asked for by its name.",
    )
    pinecone_api_url: ApiAddress = Field(
        default=None,
        alias="PINECONE_API_URL",
        description="Pinecone's control plane; default https://api.pinecone.io.",
    )
