"""Rows that the sink wrote to PostgreSQL, read back and compared with a silver table in a lake."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pinterest_spark.errors import StageError
from pinterest_spark.lakehouse import tables as lake
from pinterest_spark.lakehouse.tables import Lake
from pinterest_spark.rows.schemas import SILVER, TABLES, silver_table
from pinterest_spark.stream import backfill, compare
from tests.support.stream import ARRIVED, Warehouse, checkpoint, record, validated, warehouse_of

ROWS: dict[str, dict[str, Any]] = {
    "pin": {
        "title": "Grüße 😀\n| \\N", "tag_list": ["a", None, 'b"{}'], "downloaded": True, "follower_count": 12_000,
    },
    "geo": {"country": "Côte d'Ivoire", "coordinates": [0.1 + 0.2, -179.9999], "timestamp": ARRIVED},
    "user": {"user_name": "Ada Byron", "age": 30, "date_joined": ARRIVED},
}  # fmt: skip


@pytest.fixture
def warehouse(stand_ins: Any) -> Iterator[Warehouse]:
    with warehouse_of(stand_ins("postgres")["PINTEREST_WAREHOUSE_URL"]) as made:
        yield made


def test_what_went_through_postgresql_equals_silver_and_a_change_is_found(
    spark: Any, warehouse: Warehouse, tmp_path: Path
) -> None:
    where = Lake(f"file://{tmp_path}/lake")
    for table in TABLES:
        records = [record(ind, ind, later=ind, **ROWS[table]) for ind in (1, 2, 3)]
        warehouse.sink(table).commit(checkpoint(), 0, validated(table, *records))
        rows = [
            (*(ROWS[table].get(name) if name != "ind" else ind for name in SILVER[table].names), ARRIVED, 0, ind)
            for ind in (1, 2)
        ]
        lake.append(spark.createDataFrame(rows, silver_table(table)), where.silver(table))

    found = compare.run(spark, where, warehouse.url)
    warehouse.rows("UPDATE stream.pin SET title = 'other' WHERE ind = 1 RETURNING ind")
    changed = compare.run(spark, where, warehouse.url)
    later = compare.run(spark, where, warehouse.url, since="2026-11-25T10:00:02+00:00")

    same = {"compared": 2, "equal": 2, "only_in_stream": 1, "only_in_silver": 0, "differences": {}, "examples": []}
    assert found["tables"] == dict.fromkeys(TABLES, same)
    assert changed["tables"]["pin"] == {**same, "equal": 1, "differences": {"title": 1}, "examples": [1]}
    assert changed["tables"]["geo"] == same
    assert later["tables"]["pin"] == {**same, "compared": 1, "equal": 1}


def test_rows_that_the_stream_lost_come_from_silver_and_never_over_newer_ones(
    spark: Any, warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfill, "ROWS_PER_BATCH", 2)
    monkeypatch.setattr(compare, "ROWS_PER_TASK", 2)
    where = Lake(f"file://{tmp_path}/lake")
    for table in TABLES:
        # 1: newer in the stream. 2: older there. 3: of the same moment. 4, 5: lost. 6: outside of the window
        stream = [record(1, 1, later=9, **ROWS[table]), record(2, 2, later=-9), record(3, 3, later=0)]
        warehouse.sink(table).commit(checkpoint(), 0, validated(table, *stream, record(9, 9, later=60)))
        values = [ROWS[table].get(name) for name in SILVER[table].names if name != "ind"]
        rows = [(ind, *values, ARRIVED, 0, ind) for ind in (1, 2, 3, 4, 5)]
        rows.append((6, *values, ARRIVED + timedelta(hours=1), 0, 6))
        lake.append(spark.createDataFrame(rows, silver_table(table)), where.silver(table))
    lost = compare.run(spark, where, warehouse.url)["tables"]["geo"]["only_in_silver"]

    window = ("2026-11-25T10:00:00", "2026-11-25T10:30:00+00:00")
    done = backfill.run(spark, where, warehouse.url, *window)["tables"]
    before = warehouse.snapshot()
    again = backfill.run(spark, where, warehouse.url, *window)["tables"]

    assert lost == 2
    assert done == {table: {"records": 5, "rows": 2, "duplicates": 3} for table in TABLES}
    assert again == {table: {"records": 5, "rows": 0, "duplicates": 5} for table in TABLES}
    after = warehouse.snapshot()
    assert {name: after[name] for name in ("pin", "geo", '"user"', "post")} == {
        name: before[name] for name in ("pin", "geo", '"user"', "post")
    }
    countries = warehouse.rows("SELECT ind, country, stream_sequence::int FROM stream.geo ORDER BY ind")
    silver = ROWS["geo"]["country"]
    assert countries == [(1, silver, 1), (2, silver, -3), (3, None, 3), (4, silver, -5), (5, silver, -6), (9, None, 9)]
    assert warehouse.one("SELECT count(*) FROM stream.post") == 6
    assert warehouse.rows("SELECT DISTINCT stream FROM stream.position") == [("streaming-test",)]


@pytest.mark.parametrize(("since", "until"), [("", "2026-11-25"), ("2026-11-25", "2026-11-25"), ("noon", "2026-11-25")])
def test_a_window_that_is_none_is_refused(spark: Any, tmp_path: Path, since: str, until: str) -> None:
    with pytest.raises(StageError, match=r"The window from|since is 'noon'"):
        backfill.run(spark, Lake(f"file://{tmp_path}/lake"), "unused", since, until)
