"""Measured figures of the memory's quality: recorded by `python -m bench.quality --record`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import datetime

from lightfast_pipelines.store.database import Connection

_COLUMNS = """subject, data, name, code_version, value, low, high, baseline_name, baseline, baseline_low,
  baseline_high, floor, reach, note"""


@dataclass(frozen=True, slots=True)
class QualityResult:
    """A row of `quality_results` but for its time; `baseline_name` is empty without a baseline."""

    subject: str
    data: str
    name: str
    code_version: str
    value: float
    low: float
    high: float
    baseline_name: str = ""
    baseline: float | None = None
    baseline_low: float | None = None
    baseline_high: float | None = None
    floor: float | None = None
    reach: float | None = None
    note: str = ""

    @property
    def is_below_floor(self) -> bool:
        return self.floor is not None and self.value < self.floor

    @property
    def title(self) -> str:
        return _title(self.subject, self.data, self.name)


def _title(subject: str, data: str, name: str) -> str:
    return f"{subject}, {data}: {name}"


def record_quality(conn: Connection, at: datetime, results: Sequence[QualityResult]) -> None:
    """Inserts a measurement. Does not commit."""
    with conn.cursor() as cursor:
        cursor.executemany(
            f"""
            INSERT INTO lightfast.quality_results (measured_at, {_COLUMNS})
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
            """,
            [(at, *astuple(result)) for result in results],
        )


def last_measured(conn: Connection) -> datetime | None:
    row = conn.execute("SELECT max(measured_at) FROM lightfast.quality_results").fetchone()
    return row[0] if row else None


def results_at(conn: Connection, at: datetime | None) -> list[QualityResult]:
    """The figures of the measurement, if there is one, in the order of their names."""
    rows = conn.execute(
        f"""
        SELECT {_COLUMNS} FROM lightfast.quality_results WHERE measured_at = %s
        ORDER BY subject, data, name, baseline_name
        """,
        (at,),
    )
    return [QualityResult(*row) for row in rows]


def history(conn: Connection, *, measurements: int) -> dict[str, list[tuple[datetime, float]]]:
    """Title -> (time, value) of each figure that has a floor, over the last measurements."""
    series: dict[str, list[tuple[datetime, float]]] = {}
    for subject, data, name, at, value in conn.execute(
        """
        SELECT DISTINCT subject, data, name, measured_at, value
        FROM lightfast.quality_results
        WHERE floor IS NOT NULL AND measured_at IN (
          SELECT DISTINCT measured_at FROM lightfast.quality_results
          ORDER BY measured_at DESC LIMIT %s)
        ORDER BY measured_at, subject, data, name
        """,
        (measurements,),
    ):
        series.setdefault(_title(subject, data, name), []).append((at, value))
    return series
