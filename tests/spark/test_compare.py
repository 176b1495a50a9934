"""Stream and silver, compared column by column: equal means equal to the last bit, and every difference has a name."""

from datetime import UTC, datetime

import pytest

from pinterest_spark.errors import StageError
from pinterest_spark.lakehouse.tables import local_rows
from pinterest_spark.rows.schemas import SILVER, silver_table
from pinterest_spark.stream.compare import arrival, compare

POSTED = datetime(2018, 3, 1, 12, tzinfo=UTC)
LINEAGE = (POSTED, 0, 1)
PERU = (1, "Peru", [1.5, -2.5], POSTED)


def compared(spark, streamed, silver, table="geo"):
    return compare(
        local_rows(spark, streamed, SILVER[table]),
        local_rows(spark, [(*row, *LINEAGE) for row in silver], silver_table(table)),
        table,
    )


def test_equal_rows_are_equal_nulls_and_arrays_included(spark):
    rows = [PERU, (2, None, None, None), (3, "", [0.1 + 0.2, 0.0], POSTED)]

    assert compared(spark, rows, [*rows, (4, "Chad", None, None)]) == {
        "compared": 3, "equal": 3, "only_in_stream": 0, "differences": {}, "examples": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "column"),
    [
        pytest.param((1, "Perú", [1.5, -2.5], POSTED), "country", id="text"),
        pytest.param((1, None, [1.5, -2.5], POSTED), "country", id="null"),
        pytest.param((1, "Peru", [1.5, -2.5000000000000004], POSTED), "coordinates", id="last bit"),
        pytest.param((1, "Peru", None, POSTED), "coordinates", id="null array"),
        pytest.param((1, "Peru", [1.5, -2.5], POSTED.replace(microsecond=1)), "timestamp", id="microsecond"),
    ],
)
def test_any_difference_is_named_with_its_column_and_post(spark, changed, column):
    found = compared(spark, [changed, (2, "Chad", None, None)], [PERU, (2, "Chad", None, None)])

    assert (found["compared"], found["equal"]) == (2, 1)
    assert (found["differences"], found["examples"]) == ({column: 1}, [1])


def test_a_row_that_differs_in_two_columns_is_one_row(spark):
    found = compared(spark, [(1, "Chad", None, POSTED)], [PERU])

    assert found["equal"] == 0
    assert found["differences"] == {"country": 1, "coordinates": 1}


def test_posts_that_silver_has_not_got_are_counted_apart(spark):
    found = compared(spark, [PERU, (9, "Chad", None, None)], [PERU])

    assert (found["compared"], found["equal"], found["only_in_stream"], found["differences"]) == (1, 1, 1, {})


def test_the_first_five_posts_that_differ_are_given(spark):
    found = compared(spark, [(n, "a", None, None) for n in range(7)], [(n, "b", None, None) for n in range(7)])

    assert found["examples"] == [0, 1, 2, 3, 4]


def test_nothing_streamed_is_nothing_compared(spark):
    assert compared(spark, [], [PERU])["compared"] == 0


@pytest.mark.parametrize("given", ["2026-11-25T09:00:00", "2026-11-25T09:00:00+00:00", "2026-11-25T11:00:00+02:00"])
def test_since_is_utc_unless_it_says_otherwise(given):
    assert arrival(given) == datetime(2026, 11, 25, 9, tzinfo=UTC)
    assert arrival("") is None


def test_a_since_that_is_no_time_is_refused():
    with pytest.raises(StageError, match="since is 'noon'; write it like 2026"):
        arrival("noon")
