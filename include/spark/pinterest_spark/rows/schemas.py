"""Every schema of the batch path, in one place: nothing is ever inferred.

Wire: what the source sends, one JSON object a row (data contract, section 1). Dates stay text here, because only a
value that is text can be told apart from one that is no date. Silver: data contract, section 2.
The answers' schemas follow from ``include/sql/answers``.
"""

from pyspark.sql.types import (
    ArrayType,
    BooleanType,
    DataType,
    DoubleType,
    IntegerType,
    LongType,
    MapType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

TABLES = ("pin", "geo", "user")
CORRUPT = "_corrupt"  # where Spark's JSON reader leaves the text of a row that does not fit its schema

TEXT, INT, LONG, DOUBLE, FLAG, TIME = (
    StringType(), IntegerType(), LongType(), DoubleType(), BooleanType(), TimestampType(),
)  # fmt: skip


def struct(**fields: DataType) -> StructType:
    return StructType([StructField(name, kind) for name, kind in fields.items()])


WIRE = {
    "pin": struct(
        index=LONG, unique_id=TEXT, title=TEXT, description=TEXT, poster_name=TEXT, follower_count=TEXT,
        tag_list=TEXT, is_image_or_video=TEXT, image_src=TEXT, downloaded=INT, save_location=TEXT, category=TEXT,
    ),
    "geo": struct(ind=LONG, timestamp=TEXT, latitude=DOUBLE, longitude=DOUBLE, country=TEXT),
    "user": struct(ind=LONG, first_name=TEXT, last_name=TEXT, age=INT, date_joined=TEXT),
}  # fmt: skip
WIRE_KEY = {"pin": "index", "geo": "ind", "user": "ind"}
WIRE_DATES = {"pin": (), "geo": ("timestamp",), "user": ("date_joined",)}

SILVER = {
    "pin": struct(
        ind=LONG, unique_id=TEXT, title=TEXT, description=TEXT, follower_count=LONG, poster_name=TEXT,
        tag_list=ArrayType(TEXT), is_image_or_video=TEXT, image_src=TEXT, downloaded=FLAG, save_location=TEXT,
        category=TEXT,
    ),
    "geo": struct(ind=LONG, country=TEXT, coordinates=ArrayType(DOUBLE), timestamp=TIME),
    "user": struct(ind=LONG, user_name=TEXT, age=INT, date_joined=TIME),
}  # fmt: skip
LINEAGE = struct(_kafka_timestamp=TIME, _kafka_partition=INT, _kafka_offset=LONG)


def silver_table(table: str) -> StructType:
    """Return the columns of a silver table in the lake: the contract's, then where the winning record came from."""
    return StructType(SILVER[table].fields + LINEAGE.fields)


ENVELOPE = struct(payload=TEXT, kafka_topic=TEXT, kafka_partition=INT, kafka_offset=LONG, kafka_timestamp=LONG)
BRONZE = struct(
    topic=TEXT, partition=INT, offset=LONG, kafka_timestamp=TIME, payload=TEXT, line_key=TEXT, source_file=TEXT,
    landed_at=TIME,
)  # fmt: skip
QUARANTINE = struct(
    table_name=TEXT, topic=TEXT, partition=INT, offset=LONG, kafka_timestamp=TIME, payload=TEXT, reject_reason=TEXT,
    source=TEXT, line_key=TEXT,
)  # fmt: skip
OFFSETS = struct(topic=TEXT, generation=TEXT, partition=INT, first=LONG, last=LONG, unplaced=LONG)
SILVER_BATCHES = struct(
    table_name=TEXT, batch_id=LONG, records=LONG, accepted=LONG, rejected=LONG, new_keys=LONG, duplicates=LONG,
    defects=MapType(TEXT, LONG), written_at=TIME, offsets=ArrayType(OFFSETS),
)  # fmt: skip
UNREADABLE = struct(table_name=TEXT, source_file=TEXT, reason=TEXT, seen_at=TIME)
READ_AGAIN = struct(table_name=TEXT, source_file=TEXT, version=LONG, read_at=TIME)  # version: when it was written, ms
REPROCESSING = struct(table_name=TEXT, window_start=TIME, window_end=TIME, began_at=TIME)
