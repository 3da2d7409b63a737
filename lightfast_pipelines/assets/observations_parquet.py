"""The analysts' views as Parquet files, where a setting names a folder for them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg

from lightfast_pipelines.assets._days import give_own_timestamps
from lightfast_pipelines.assets._metadata import preview, table_spec
from lightfast_pipelines.assets._turn import asked_by_sensor, days_of
from lightfast_pipelines.partitions import DAILY, first_day, today
from lightfast_pipelines.settings import settings
from lightfast_pipelines.store.database import Database

if TYPE_CHECKING:
    from lightfast_pipelines.export.reading import Bounds
    from lightfast_pipelines.export.run import ExportedFile

ASSET = dg.AssetKey("observations_parquet")
_SHOWN_FILES = 30


@dg.multi_asset(
    specs=[
        table_spec(
            "observations_parquet",
            table="observations",
            description=(
                "One row: an observation in the Parquet file of its day; the other views of analysts have "
                "a file each beside it."
            ),
            kinds=frozenset({"parquet", "python"}),
            deps=["observations", "temporal_states", "clusters", "actors"],
            skippable=True,
        )
    ],
    partitions_def=DAILY,
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def observations_parquet(
    context: dg.AssetExecutionContext, database: dg.ResourceParam[Database]
) -> Iterator[dg.MaterializeResult[None]]:
    """One row: an observation in a file. Writes the days again whose rows changed since they were written."""
    from lightfast_pipelines.export.errors import ExportError
    from lightfast_pipelines.export.run import EXPORT_IS_OFF, Selection, export

    folder, days = settings().export_dir, days_of(context)
    if folder is None:
        context.log.info("No export is on: %s.", EXPORT_IS_OFF)
        return
    # The schedule's run is over today and exports all days: a range of them is thousands of events.
    takes_all = asked_by_sensor(context)
    selection = Selection() if takes_all else Selection(bounds=_bounds(days))
    try:
        report = export(database, folder, selection, now=datetime.now(UTC))
    except ExportError as error:
        raise dg.Failure(str(error)) from error
    context.log.info("%d of %d files written.", len(report.written), len(report.files))
    give_own_timestamps(context)
    of_days = _by_day(report.files)
    if takes_all:
        _show_other_days(context, of_days, days)
    for day in days:
        metadata = _metadata(of_days.get(day, ()))
        context.add_asset_metadata(metadata, partition_key=day.isoformat())
    yield dg.MaterializeResult(
        asset_key=ASSET, metadata={"files_written_of_run": len(report.written)}
    )


def _bounds(days: Sequence[date]) -> "Bounds":
    """The first partition stands for all days before it too, and today for days to come."""
    from lightfast_pipelines.export.reading import Bounds

    since, until = min(days), max(days)
    return Bounds(
        since if since > first_day() else None,
        until if until < today() else None,
    )


def _by_day(files: Iterable["ExportedFile"]) -> Mapping[date, Sequence["ExportedFile"]]:
    """The files of each day, without those of views that have no days."""
    of_days: dict[date, list[ExportedFile]] = {}
    for file in files:
        if file.day is not None:
            of_days.setdefault(file.day, []).append(file)
    return of_days


def _show_other_days(
    context: dg.AssetExecutionContext,
    of_days: Mapping[date, Sequence["ExportedFile"]],
    days: Sequence[date],
) -> None:
    """An event for each other day that was written."""
    for day in sorted(of_days.keys() - {*days}):
        was_written = any(file.was_written for file in of_days[day])
        if was_written and DAILY.has_partition_key(day.isoformat()):
            metadata = _metadata(of_days[day])
            context.log_event(
                dg.AssetMaterialization(ASSET, partition=day.isoformat(), metadata=metadata)
            )


def _metadata(of_day: Sequence["ExportedFile"]) -> dict[str, Any]:
    """The day's files: no row of them is shown, as not everybody who sees Dagster may read the memory."""
    return {
        "dagster/partition_row_count": sum(f.rows for f in of_day if f.view == "observations"),
        "rows": sum(file.rows for file in of_day),
        "bytes": sum(file.bytes for file in of_day),
        "files": len(of_day),
        "files_written": sum(file.was_written for file in of_day),
        **preview(
            [
                {
                    "workspace": file.workspace,
                    "view": file.view,
                    "rows": file.rows,
                    "bytes": file.bytes,
                    "written": file.was_written,
                }
                for file in of_day[:_SHOWN_FILES]
            ]
        ),
    }
