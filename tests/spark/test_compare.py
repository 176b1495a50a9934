"""Stream and silver, compared column by column: equal means equal to the last bit, and every difference has a name."""

from datetime import UTC, datetime, timedelta

import pytest

from pinterest_spark.errors import StageError
from pinterest_spark.lakehouse.tables import local_rows
from pinterest_spark.rows.schemas import silver_table
from pinterest_spark.stream.compare import arrival, compare, compared_columns

POSTED = datetime(2018, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
PERU = (1, "Peru", [1.5, -2.5], POSTED)


def compared(spark, streamed, silver, table="geo", arrived=POSTED, came=POSTED, **scope):
    return compare(
        local_rows(spark, [(*row, arrived) for row in streamed], compared_columns(table)),
        local_rows(spark, [(*row, came, 0, 1) for row in silver], silver_table(table)),
        table,
        **scope,
    )


def test_equal_rows_are_equal_nulls_and_arrays_included(spark):
    rows = [PERU, (2, None, None, None), (3, "", [0.1 + 0.2, 0.0], POSTED)]

    assert compared(spark, rows, [*rows, (4, "Chad", None, None)]) == {
        "compared": 3, "equal": 3, "only_in_stream": 0, "only_in_silver": 0, "differences": {}, "examples": [],
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


@pytest.mark.parametrize(
    ("covered", "since", "counted"),
    [
        pytest.param((POSTED, POSTED), None, 1, id="both ends are covered"),
        pytest.param((POSTED - HOUR, POSTED + HOUR), None, 1, id="within"),
        pytest.param((POSTED + HOUR, POSTED + 2 * HOUR), None, 0, id="before the stream began"),
        pytest.param((POSTED - 2 * HOUR, POSTED - HOUR), None, 0, id="after its last record"),
        pytest.param((POSTED - HOUR, POSTED + HOUR), POSTED + HOUR / 2, 0, id="before since"),
        pytest.param((None, None), None, 0, id="nothing was streamed"),
    ],
)
def test_posts_that_the_stream_lacks_count_within_the_time_that_it_covers(spark, covered, since, counted):
    found = compared(spark, [PERU], [PERU, (2, "Chad", None, None)], covered=covered, since=since)

    assert found["only_in_silver"] == counted


def test_rows_that_arrived_before_since_are_not_compared_and_are_not_missing(spark):
    found = compared(spark, [(1, "Chad", None, POSTED), (2, None, None, None)], [PERU], since=POSTED + HOUR,
                     covered=(POSTED, POSTED + 2 * HOUR), came=POSTED + HOUR)  # fmt: skip

    assert (found["compared"], found["only_in_stream"], found["only_in_silver"]) == (0, 0, 0)


@pytest.mark.parametrize("given", ["2026-11-25T09:00:00", "2026-11-25T09:00:00+00:00", "2026-11-25T11:00:00+02:00"])
def test_since_is_utc_unless_it_says_otherwise(given):
    assert arrival(given, "since") == datetime(2026, 11, 25, 9, tzinfo=UTC)
    assert arrival("", "since") is None


def test_a_since_that_is_no_time_is_refused():
    with pytest.raises(StageError, match="since is 'noon'; write it like 2026"):
        arrival("noon", "since")
