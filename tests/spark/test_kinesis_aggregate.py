"""Aggregates of the Kinesis Producer Library, held to bytes that aws-kinesis-agg 1.2.3 made (protobuf 7.36.2)."""

from hashlib import md5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinterest_spark.kinesis.aggregate import MAGIC, sub_records
from pinterest_spark.kinesis.reader import to_arrow
from tests.spark.test_kinesis_reader import THREE, record

MADE_BY_THE_LIBRARY = [
    pytest.param("0a01611a0e08001a0a7b22696e64223a20317d", "4a28ab370769a6d3fa8106699672e40e",
                 [("a", b'{"ind": 1}')], id="one record"),
    pytest.param("0a01610a01621a0508001a01311a0508011a01321a0508001a0133", "84ada0b6b0fa0b859c6b93080250d115",
                 [("a", b"1"), ("b", b"2"), ("a", b"3")], id="three records of two keys"),
    pytest.param("0a01611201301227333430323832333636393230393338343633343633333734363037343331373638323131343535"
                 "1a07080010001a01311a07080010011a0132", "", [("a", b"1"), ("a", b"2")], id="explicit hash keys"),
    pytest.param("0a046bc3a9791a0708001a03fffe001a0408001a00", "0c2a1ce69e3468c9e4cdc8a610dab3c4",
                 [("kéy", b"\xff\xfe\x00"), ("kéy", b"")], id="bytes that are no text, and none"),
]  # fmt: skip


def aggregate(message: bytes) -> bytes:
    return MAGIC + message + md5(message, usedforsecurity=False).digest()


@pytest.mark.parametrize(("message", "digest", "expected"), MADE_BY_THE_LIBRARY)
def test_an_aggregate_is_the_records_in_it(message: str, digest: str, expected: list[tuple[str, bytes]]) -> None:
    made = aggregate(bytes.fromhex(message))

    assert made.hex().endswith(digest)
    assert sub_records(made) == expected


def test_fields_that_later_versions_add_are_passed_over() -> None:
    tags_and_more = bytes.fromhex("0a01611a0a08001a013122030a017422020a002d01020304")

    assert sub_records(aggregate(tags_and_more)) == [("a", b"1")]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b'{"ind": 1}', id="no aggregate"),
        pytest.param(MAGIC, id="magic alone"),
        pytest.param(MAGIC + bytes(16), id="no message"),
        pytest.param(aggregate(THREE)[:-1] + b"\x00", id="another digest"),
        pytest.param(aggregate(THREE)[:-20], id="cut"),
        pytest.param(aggregate(THREE[:-1]), id="a record that ends after its message"),
        pytest.param(aggregate(bytes.fromhex("0a01611a0508011a0131")), id="a key that is not in the table"),
        pytest.param(aggregate(bytes.fromhex("0a01611a020800")), id="a record without data"),
        pytest.param(aggregate(bytes.fromhex("0a01611a031a0131")), id="a record without a key"),
        pytest.param(aggregate(bytes.fromhex("0a01ff1a0508001a0131")), id="a key that is no text"),
        pytest.param(aggregate(bytes.fromhex("0a01611a0408001801")), id="data that is a number"),
        pytest.param(aggregate(bytes.fromhex("0a0161")), id="no record"),
        pytest.param(aggregate(b"\x0a" + b"\xff" * 11), id="a length without an end"),
        pytest.param(aggregate(b"\x0b\x01"), id="an unknown wire type"),
    ],
)
def test_what_is_no_aggregate_or_a_damaged_one_stays_one_record(data: bytes) -> None:
    assert sub_records(data) is None

    [row] = to_arrow([{**record(7), "Data": data}], "posts", "shard-0").to_pylist()
    assert (row["data"], row["partitionKey"], row["sequenceNumber"]) == (data, "k", "7")


@given(st.binary(max_size=60))
def test_no_bytes_end_a_query(message: bytes) -> None:
    found = sub_records(aggregate(message))

    assert found is None or all(isinstance(data, bytes) for _, data in found)


def test_the_records_in_an_aggregate_share_its_number_and_arrival_and_keep_their_order() -> None:
    rows = to_arrow([record(1), {**record(2), "Data": aggregate(THREE)}, record(3)], "posts", "shard-0").to_pylist()

    assert [(row["sequenceNumber"], row["partitionKey"], row["data"]) for row in rows] == [
        ("1", "k", b"{}"), ("2", "a", b"1"), ("2", "b", b"2"), ("2", "a", b"3"), ("3", "k", b"{}"),
    ]  # fmt: skip
    assert len({row["approximateArrivalTimestamp"] for row in rows[1:4]}) == 1
