"""Each type of Postgres has its type in a data frame, with and without rows, in one frame and in several."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest

import lightfast_pipelines.read as lf
from lightfast_pipelines.store.database import Database

NOON = pd.Timestamp("2026-05-20 12:00", tz="UTC")
# SQL of a value -> dtype, and the value in a frame.
VALUES: dict[str, tuple[str, Any]] = {
    "true": ("boolean", True),
    "7::smallint": ("Int64", 7),
    "7": ("Int64", 7),
    "9007199254740993::bigint": ("Int64", 9007199254740993),
    "0.5::real": ("Float64", 0.5),
    "0.1::double precision": ("Float64", 0.1),
    "1.25::numeric": ("Float64", 1.25),
    "'Tomás'::text": ("str", "Tomás"),
    "'v'::varchar": ("str", "v"),
    "'relname'::name": ("str", "relname"),
    "'6f1ed002-ab59-4a1e-8b5d-1f2d3c4b5a69'::uuid": ("str", "6f1ed002-ab59-4a1e-8b5d-1f2d3c4b5a69"),
    "'2026-05-20 14:00+02'::timestamptz": ("datetime64[us, UTC]", NOON),
    "'2026-05-20 12:00:00.000001'::timestamp": (
        "datetime64[us]",
        pd.Timestamp("2026-05-20 12:00:00.000001"),
    ),
    "'2026-05-20'::date": ("datetime64[s]", pd.Timestamp("2026-05-20")),
    "interval '1 day 2 hours'": ("timedelta64[us]", pd.Timedelta(hours=26)),
    "ARRAY['b', 'a']": ("object", ["b", "a"]),
    "ARRAY[]::text[]": ("object", []),
    "ARRAY['2026-05-20 12:00Z', 'infinity']::timestamptz[]": (
        "object",
        [datetime(2026, 5, 20, 12, tzinfo=UTC), None],
    ),
    """'{"a": [1, null]}'::jsonb""": ("object", {"a": [1, None]}),
    """'[1, "b"]'::json""": ("object", [1, "b"]),
    "'\\x00ff'::bytea": ("object", b"\x00\xff"),
}


@pytest.mark.parametrize("value", VALUES)
def test_a_type_is_the_same_with_rows_and_without(memory: lf.AnalystConnection, value: str) -> None:
    dtype, expected = VALUES[value]
    with_null = (
        lf.query(f"SELECT {value} AS v UNION ALL SELECT NULL ORDER BY 1", on=memory)
        if (dtype != "object")
        else lf.query(f"SELECT {value} AS v UNION ALL SELECT NULL", on=memory)
    )
    empty = lf.query(f"SELECT {value} AS v WHERE false", on=memory)
    chunked = pd.concat(
        lf.query(f"SELECT {value} AS v FROM generate_series(1, 3)", chunks=2, on=memory),
        ignore_index=True,
    )
    assert {str(frame["v"].dtype) for frame in (with_null, empty, chunked)} == {dtype}
    assert with_null["v"].iloc[0] == expected
    assert pd.isna(with_null["v"].iloc[1])
    assert list(chunked["v"]) == [expected] * 3
    assert len(empty) == 0


def test_a_vector_is_an_array(memory: lf.AnalystConnection) -> None:
    frame = lf.query("SELECT '[1, -0.5]'::vector AS v, '[2, 0.25]'::halfvec AS h", on=memory)
    assert frame["v"][0].dtype == np.float32
    assert frame["v"][0].tolist() == [1, -0.5]
    assert frame["h"][0].tolist() == [2, 0.25]


def test_infinity_is_a_missing_time(memory: lf.AnalystConnection) -> None:
    frame = lf.query(
        """
        SELECT t::timestamptz AS at, t::timestamp AS local, t::date AS day
        FROM unnest(ARRAY['infinity', '-infinity', '2026-05-20']) t
        """,
        on=memory,
    )
    for name, dtype in (
        ("at", "datetime64[us, UTC]"),
        ("local", "datetime64[us]"),
        ("day", "datetime64[s]"),
    ):
        assert str(frame[name].dtype) == dtype
        assert frame[name].isna().tolist() == [True, True, False]


def test_times_are_utc_whatever_the_servers_time_zone(database: Database) -> None:
    with database.connect("migrator", autocommit=True) as owner:
        owner.execute(
            f"ALTER ROLE lightfast_analyst IN DATABASE {owner.info.dbname} SET timezone = 'Asia/Tokyo'"
        )
    with lf.connect(database.url("analyst")) as memory:
        frame = lf.query(
            "SELECT set_config('timezone', 'America/Lima', true) AS zone, '2026-05-20 12:00Z'::timestamptz AS at",
            on=memory,
        )
    assert str(frame["at"].dtype) == "datetime64[us, UTC]"
    assert frame["at"][0] == NOON


def test_times_of_long_ago_and_far_away_are_exact(memory: lf.AnalystConnection) -> None:
    frame = lf.query(
        "SELECT t::timestamptz AS at FROM unnest(ARRAY['0001-01-01Z', '9999-12-31T23:59:59.999999Z']) t",
        on=memory,
    )
    assert [str(at) for at in frame["at"]] == [
        "0001-01-01 00:00:00+00:00",
        "9999-12-31 23:59:59.999999+00:00",
    ]


def test_a_frame_keeps_its_types_through_a_concatenation_with_an_empty_one(
    memory: lf.AnalystConnection,
) -> None:
    sql = "SELECT 1 AS n, now() AS at, 'a' AS text, true AS yes WHERE {}"
    both = [lf.query(sql.format(shown), on=memory) for shown in ("true", "false")]
    assert pd.concat(both).dtypes.equals(both[0].dtypes)
