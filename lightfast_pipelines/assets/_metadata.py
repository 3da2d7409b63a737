"""Specs of assets and the metadata of materializations.

Titles are masked and bodies are never shown, as not everybody who sees Dagster's UI may see the memory.
"""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Protocol

import dagster as dg

from lightfast_pipelines.assets._groups import GROUPS, OWNERS
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.row_counts import row_counts

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# A long weekend without deliveries is normal, two weeks without any are not.
NEW_WORK = dg.FreshnessPolicy.time_window(
    fail_window=timedelta(days=14), warn_window=timedelta(days=4)
)
# Above this many rows Postgres's estimate is good enough; below, it may be far off and counting is fast.
_COUNTED_ROWS = 100_000
# Characters of a title that are shown.
_SHOWN = 8
_TAG = re.compile(r"\[[^\]]{1,20}\] ")
_FROM_A_TITLE = frozenset({"title", "label"})


class StageReport(Protocol):
    seconds: float


def table_spec(
    name: str,
    *,
    table: str | None = None,
    description: str | None = None,
    kinds: frozenset[str] = frozenset({"postgres", "python"}),
    freshness_policy: dg.FreshnessPolicy | None = None,
    **options: Any,
) -> dg.AssetSpec:
    """The spec of an asset that fills `table` (by default the one of its name)."""
    table = table or name
    described = _described()["tables"][table]
    return dg.AssetSpec(
        name,
        group_name=GROUPS[name],
        owners=[OWNERS[GROUPS[name]]],
        kinds=set(kinds),
        freshness_policy=freshness_policy,
        description=description or f"One row: {_lowered(described['comment'] or name)}",
        metadata={
            "dagster/column_schema": _column_schema(described["columns"]),
            "dagster/table_name": f"lightfast.{table}",
        },
        **options,
    )


def code_version(asset: str) -> str:
    """The versions of the rules behind an asset: Dagster marks what older rules made as stale."""
    version: str = _described()["code_versions"][asset]
    return version


@cache
def _described() -> dict[str, Any]:
    """What `lightfast docs` wrote of tables and rules.

    To load the definitions of tables and the providers' rules takes as long as to load Dagster, and every
    run would pay for it.
    """
    described: dict[str, Any] = json.loads(
        resources.files(__package__).joinpath("described.json").read_bytes()
    )
    return described


def _column_schema(columns: Sequence[Mapping[str, Any]]) -> dg.TableSchema:
    """Columns with their Postgres types and comments."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=column["name"],
                type=column["type"],
                description=column["comment"],
                constraints=dg.TableColumnConstraints(
                    nullable=column["nullable"], unique=column["unique"]
                ),
            )
            for column in columns
        ]
    )


def preview(rows: Sequence[Mapping[str, object]]) -> dict[str, Any]:
    """`{"preview": table}` of masked rows; empty for no rows."""
    return listing("preview", rows)


def listing(name: str, rows: Sequence[Mapping[str, object]]) -> dict[str, Any]:
    """`{name: table}` of rows that everybody may see; empty for no rows."""
    if not rows:
        return {}
    columns = list(dict.fromkeys(key for row in rows for key in row))
    return {
        name: dg.MetadataValue.table(
            records=[dg.TableRecord({c: _cell(row.get(c)) for c in columns}) for row in rows],
            schema=dg.TableSchema(columns=[dg.TableColumn(c) for c in columns]),
        )
    }


def masked(row: Mapping[str, object]) -> dict[str, object]:
    """The row with its title or label cut: `Fix the… (31 characters)`. A label is a member's title."""
    return {
        column: _cut(value) if column in _FROM_A_TITLE and isinstance(value, str) else value
        for column, value in row.items()
    }


def _cut(title: str) -> str:
    # A tag such as `[Commit] ` distinguishes nothing, so it does not count.
    tag = _TAG.match(title)
    begins = tag.end() if tag else 0
    ends = begins + min(_SHOWN, (len(title) - begins) // 2)
    return f"{title[:ends]}… ({len(title)} characters)"


def counts_of_run(report: StageReport, *names: str) -> dict[str, Any]:
    """`{name_of_run: count}` for these attributes of a stage's report, and its seconds."""
    counts = {f"{name}_of_run": getattr(report, name) for name in names}
    return {**counts, "seconds": round(report.seconds, 2)}


def bars(name: str, title: str, counts: Mapping[Any, int]) -> dict[str, Any]:
    """`{name: picture}`, a bar chart as an inline PNG; empty for fewer than two bars."""
    labels, values = [str(label) for label in counts], list(counts.values())
    if len(values) < 2 or not any(values):
        return {}

    def draw(axes: Axes) -> None:
        axes.bar(range(len(values)), values, width=0.85, color="#4f43dd")
        step = max(1, len(labels) // 8)
        axes.set_xticks(range(0, len(labels), step), labels[::step], fontsize=8)
        axes.set_title(title, fontsize=9)

    return {name: _picture(title, (7, 2.4), draw)}


def lines(
    title: str,
    inches: tuple[float, float],
    series: Sequence[tuple[str, Sequence[tuple[datetime, float]]]],
    *,
    bottom: float | None = None,
    top: float | None = None,
) -> dg.MarkdownMetadataValue:
    """A picture of a line over time for each (label, points); the ends of the y-axis may be given."""

    def draw(axes: Axes) -> None:
        for label, points in series:
            times = [at for at, _ in points]
            axes.plot(times, [value for _, value in points], marker=".", label=label)  # type: ignore[arg-type]
        axes.set_ylim(bottom=bottom, top=top)
        axes.tick_params(labelsize=7)
        axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)

    return _picture(title, inches, draw)


def _picture(
    title: str, inches: tuple[float, float], draw: Callable[[Axes], None]
) -> dg.MarkdownMetadataValue:
    """What `draw` draws on the axes, as an inline PNG."""
    # Not pyplot, which keeps figures in memory and looks for a screen.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=inches, dpi=80, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    draw(axes)
    axes.spines[["top", "right"]].set_visible(False)
    png = io.BytesIO()
    figure.savefig(png, format="png")
    encoded = base64.b64encode(png.getvalue()).decode()
    return dg.MetadataValue.md(f"![{title}](data:image/png;base64,{encoded})")


def table_rows(conn: Connection, table: str) -> int:
    """Rows in the table now: exact up to 100,000, above that Postgres's estimate."""
    # The estimate is of a table; a view has as many rows.
    stored = "observation_facts" if table == "observations" else table
    return row_counts(conn, [stored], counted=_COUNTED_ROWS)[stored].rows


def _cell(value: object) -> str | int | float | bool | None:
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]
