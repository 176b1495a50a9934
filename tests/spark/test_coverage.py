"""Which offsets of Kafka bronze lacks: each gap is named, and nothing that is there in any form counts as one."""

import json
import random

import pytest
from delta.tables import DeltaTable

from pinterest_spark.lakehouse import bronze, coverage, silver
from pinterest_spark.lakehouse.coverage import Offsets
from pinterest_spark.lakehouse.tables import read
from pinterest_spark.rows.schemas import SILVER_BATCHES

TABLE = "user"
TOPIC = "pinterest.user"


@pytest.fixture
def found(spark, lake):
    """Return a function that brings what landed into silver; it returns what bronze has, by partition."""

    def both():
        bronze.load_table(spark, lake, TABLE, TOPIC)
        result = silver.run(spark, lake, "pinterest", {})
        return {(one["generation"], one["partition"]): one for one in result["offsets"][TABLE]}

    return both


def is_whole(one):
    return one["missing"] == [] and one["missing_offsets"] == 0


@pytest.fixture
def write(lake, envelope_of):
    """Return a function ``(name, *lines)`` that writes an object; a number is the line of a good row at that offset."""
    from pathlib import Path

    def object_of(name, *lines, partition=0):
        file = Path(lake.uri.removeprefix("file://")) / name
        file.parent.mkdir(parents=True, exist_ok=True)
        texts = (envelope_of(TABLE, one, one, partition=partition) if isinstance(one, int) else one for one in lines)
        file.write_text("".join(f"{text}\n" for text in texts))

    return object_of


def path(start, partition=0, folder="topics", day="2025-11-24"):
    return f"{folder}/{TOPIC}/dt={day}/{TOPIC}+{partition}+{start:010d}.json"


def test_a_missing_object_is_a_gap_until_it_lands(found, write):
    write(path(0), *range(300))
    write(path(500), *range(500, 600))
    write(path(7, partition=1), *range(7, 9), partition=1)

    first = found()
    write(path(300), *range(300, 400))
    second = found()
    write(path(400), *range(400, 500))

    assert first[("", 0)] == {
        "topic": TOPIC, "generation": "", "partition": 0, "first_offset": 0, "last_offset": 599,
        "missing": [[300, 499]], "missing_offsets": 200,
    }  # fmt: skip
    assert (first[("", 1)]["first_offset"], first[("", 1)]["last_offset"]) == (7, 8)
    assert is_whole(first[("", 1)])
    assert second[("", 0)]["missing"] == [[400, 499]]
    assert is_whole(found()[("", 0)])


def test_a_gap_is_seen_beside_a_record_that_is_there_twice(found, write, envelope_of):
    write(path(0), 0, 1, 3, envelope_of(TABLE, 9, 3, first_name="Another"), 4)

    assert found()[("", 0)]["missing"] == [[2, 2]]


def test_records_of_two_days_by_turns_are_no_gap(found, write):
    write(path(0), 0, 2, 4, 5, 130)
    write(path(1, day="2025-11-25"), 1, 3, *range(6, 130))

    assert is_whole(found()[("", 0)])


def test_generations_are_checked_apart(found, write, envelope_of):
    write(path(0), *range(5))
    write(path(0, folder="topics-2026"), *(envelope_of(TABLE, one, one, later_ms=9) for one in (0, 1, 2, 4)))

    offsets = found()

    assert is_whole(offsets[("", 0)])
    assert offsets[("2026", 0)]["missing"] == [[3, 3]]


def test_a_rejected_record_and_a_broken_envelope_are_no_gap(found, write, broken_envelope_of, envelope_of):
    later = json.loads(envelope_of(TABLE, 5, 5)) | {"kafka_timestamp": 1_764_021_600_000_000_000}
    without_partition = json.loads(envelope_of(TABLE, 6, 6)) | {"kafka_partition": "0"}
    write(path(0), "cut off", 1, broken_envelope_of(TABLE, "no JSON", 2), '{"payload": "{}"', 4,
          json.dumps(later), json.dumps(without_partition), "cut off, too")  # fmt: skip

    offsets = found()

    assert offsets.keys() == {("", 0)}
    assert is_whole(offsets[("", 0)])
    assert (offsets[("", 0)]["first_offset"], offsets[("", 0)]["last_offset"]) == (0, 7)


def test_a_broken_line_stands_for_one_offset_of_its_own_object(found, write):
    write(path(0), 0, "cut off", 3)
    write(path(4), 4, 6)

    assert found()[("", 0)]["missing"] == [[2, 2], [5, 5]]


def test_a_strangers_object_is_no_gap(found, write):
    write(path(0), 0, 1)
    write(f"topics/{TOPIC}/dt=2025-11-24/notes.json", "hello")

    assert is_whole(found()[("", 0)])


def test_an_audit_from_before_offsets_were_noted_is_completed_once(spark, lake, found, write):
    write(path(0), *range(10))
    write(path(12), *range(12, 14))
    found()
    whole = read(spark, lake.silver_batches, SILVER_BATCHES)
    older = spark.createDataFrame(whole.drop("offsets").collect(), whole.drop("offsets").schema)
    older.write.format("delta").mode("overwrite").option("overwriteSchema", "true").partitionBy("table_name").save(
        lake.silver_batches
    )
    write(path(10), 10)

    first, second = found(), found()

    assert first == second
    assert first[("", 0)]["missing"] == [[11, 11]]
    assert DeltaTable.forPath(spark, lake.silver_batches).toDF().where("batch_id < 0").count() == 3


@pytest.mark.parametrize("seed", range(20))
def test_any_set_of_offsets_is_found_again_in_any_pieces(spark, seed):
    chance = random.Random(seed)
    offsets = {first + number for first in (0, 250, 4000) for number in range(chance.randint(1, 300))}
    offsets -= set(chance.sample(sorted(offsets), len(offsets) // 9))
    noted = [Offsets(TOPIC, "", 0, one, one, 0) for one in offsets for _ in range(chance.randint(1, 2))]
    chance.shuffle(noted)

    [result] = coverage.check(noted)

    expected = set(range(min(offsets), max(offsets) + 1)) - offsets
    assert {one for first, last in result["missing"] for one in range(first, last + 1)} == expected
    assert result["missing_offsets"] == len(expected)


def test_more_ranges_than_are_kept_lose_the_smallest_gaps_only():
    ranges = [(10 * number, 10 * number + (4 if number == 700 else 8)) for number in range(coverage.MAX_RANGES + 5)]

    kept = coverage.bounded(ranges)

    assert len(kept) == coverage.MAX_RANGES
    assert (kept[0][0], kept[-1][1]) == (ranges[0][0], ranges[-1][1])
    assert (7005, 7009) in coverage.between(kept)
