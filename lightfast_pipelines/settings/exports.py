"""Settings of what is written outside of the database. Unset, nothing is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from lightfast_pipelines.settings.home import absolute
from lightfast_pipelines.settings.services import ServiceSettings


def _folder(value: Path | None) -> Path | None:
    return None if value is None else absolute(value)


class ExportSettings(ServiceSettings):
    """The part of `Settings` that is about exports."""

    export_dir: Annotated[Path | None, AfterValidator(_folder)] = Field(
        default=None,
        alias="LIGHTFAST_EXPORT_DIR",
        description=(
            "Folder into which Dagster exports the analysts' views as Parquet files, every night where "
            "rows changed. Unset: nowhere."
        ),
    )
