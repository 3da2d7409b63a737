"""Settings of what is kept for how long. Unset, nothing of the memory is ever deleted."""

from __future__ import annotations

from pydantic import Field

from lightfast_pipelines.settings.exports import ExportSettings


class RetentionSettings(ExportSettings):
    """The part of `Settings` that is about retention; the nightly upkeep follows it."""

    keep_bodies_days: int | None = Field(
        default=None,
        ge=1,
        alias="LIGHTFAST_KEEP_BODIES_DAYS",
        description=(
            "Bodies of processed deliveries are deleted so many days after the end of their month. "
            "Unset: kept for ever."
        ),
    )
    compress_bodies_days: int | None = Field(
        default=None,
        ge=1,
        alias="LIGHTFAST_COMPRESS_BODIES_DAYS",
        description="Bodies are compressed so many days after the end of their month. Unset: never.",
    )
    keep_runs_days: int = Field(
        default=30,
        ge=1,
        alias="LIGHTFAST_KEEP_RUNS_DAYS",
        description=(
            "Dagster's runs and their logs are deleted after so many days, except the last "
            "materialization of each partition."
        ),
    )
