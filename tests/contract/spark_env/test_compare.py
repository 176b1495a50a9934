"""Rows that the sink wrote to PostgreSQL, read back and compared with a silver table in a lake."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pinterest_spark.lakehouse import tables as lake
from pinterest_spark.lakehouse.tables import Lake
from pinterest_spark.rows.schemas import SILVER, TABLES, silver_table
from pinterest_spark.stream import compare
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

    same = {"compared": 2, "equal": 2, "only_in_stream": 1, "differences": {}, "examples": []}
    assert found["tables"] == dict.fromkeys(TABLES, same)
    assert changed["tables"]["pin"] == {**same, "equal": 1, "differences": {"title": 1}, "examples": [1]}
    assert changed["tables"]["geo"] == same
    assert later["tables"]["pin"] == {**same, "compared": 1, "equal": 1}
