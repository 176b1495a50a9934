"""From a record's raw text to a typed row, strictly.

Spark's JSON reader is permissive: it stops at the end of a document and does not see what follows, a number where text
belongs becomes NULL, and so does a row whose last value of a repeated key has another type than the first. Here a
payload is one JSON object and nothing else, the last value of a key counts, and NULL means that the sender wrote null
(or nothing); everything else that ends as NULL is named in ``_wrong``.
"""

from functools import cache, reduce
from operator import or_
from typing import NamedTuple
from uuid import uuid4

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as sf
from pyspark.sql.types import ArrayType, DoubleType, StringType, StructField, StructType, VariantType

from pinterest_spark.rows.schemas import CORRUPT, TEXT, WIRE, WIRE_KEY

STRICT_JSON = {
    "mode": "PERMISSIVE",
    "columnNameOfCorruptRecord": CORRUPT,
    "allowSingleQuotes": "false",
    "allowNonNumericNumbers": "false",
}
NOT_JSON = "*"  # in ``_wrong``: the payload as a whole is not one JSON object
OPENS_OBJECT = r"^[ \t\r\n]*\{"  # JSON's own blanks
END = uuid4().hex  # of this process, so later than any payload
ENDED = ArrayType(StructType([StructField("_end", TEXT)]))
NUMBER = "^(BIGINT|DECIMAL|DOUBLE|FLOAT)"
EXACT = "decimal(38,18)"  # a bigint's 19 digits before the point


def parse(records: DataFrame, table: str) -> DataFrame:
    """Return the ``_…`` columns of the records, the wire columns of ``_payload``, and ``_wrong`` (array of names).

    ``_wrong`` is empty for a row that fits the wire schema, ``["*"]`` for a payload that is not one JSON object, and
    else names the columns whose value has another type than the contract's; such a value is NULL. A number or boolean
    in a text column is taken as its text; a whole number may be written ``30.0``. Unknown keys are ignored. A row is
    read again, with the types of its values, only where the typed reading found a misfit or could not see one.
    """
    return read_columns(records, reading(table))


def read_key(records: DataFrame, table: str) -> DataFrame:
    """Return records with ``_payload`` and the key that :func:`parse` finds in it, as ``_key``."""
    key = WIRE_KEY[table]
    return read_columns(records, reading(table, key)).withColumnRenamed(key, "_key").drop("_wrong")


class Reading(NamedTuple):
    """What is added to the records, step by step, and the columns of the result."""

    steps: tuple[dict[str, Column], ...]
    columns: tuple[Column, ...]


@cache  # of a hundred calls from Python to the JVM for each, which took half a second of every micro-batch
def reading(table: str, *only: str) -> Reading:
    """Return how the wire columns of a table are read, or only some of them."""
    wire = StructType([field for field in WIRE[table] if not only or field.name in only])
    row = sf.from_json("_payload", StructType([*wire.fields, StructField(CORRUPT, TEXT)]), STRICT_JSON)
    suspect = sf.when(sf.col("_suspect"), sf.col("_payload"))
    wrong = sf.when(~sf.col("_is_one") | never(), sf.array(sf.lit(NOT_JSON)))
    wrong = wrong.when(~sf.col("_suspect"), sf.array().cast("array<string>")).otherwise(wrong_columns(wire))
    steps = (
        {"_row": row, "_is_one": is_one_object()},
        {"_suspect": is_suspect(wire) | never()},
        {
            "_typed": sf.from_json(suspect, each_as(wire, VariantType()), STRICT_JSON),
            "_text": sf.from_json(suspect, each_as(wire, TEXT), STRICT_JSON),
        },
        {"_wrong": wrong},
    )
    return Reading(steps, (*wire_columns(wire), sf.col("_wrong")))


def read_columns(records: DataFrame, how: Reading) -> DataFrame:
    return reduce(DataFrame.withColumns, how.steps, records).select(*records.columns, *how.columns)


def never() -> Column:
    """Return False in a form that the planner cannot know: it keeps the steps before and after apart.

    Otherwise it writes a step out for each place that names it, which took it a minute for the wide tables.
    """
    return sf.spark_partition_id() < 0


def each_as(wire: StructType, kind: StringType | VariantType) -> StructType:
    return StructType([StructField(field.name, kind) for field in wire])


def is_one_object() -> Column:
    """Say whether the payload is one JSON object with nothing but blanks around it; never NULL.

    It is read as the first element of an array whose second and last one holds a text that no payload holds: only if
    the payload is one value is that text in the second element, and only if nothing in it closes the array does the
    reader come to it.
    """
    closed = sf.concat(sf.lit("["), "_payload", sf.lit(f',{{"_end":"{END}"}}]'))
    read = sf.from_json(closed, ENDED, STRICT_JSON)
    proved = (sf.get(read, sf.lit(1))["_end"] == END) & sf.col("_payload").rlike(OPENS_OBJECT)
    return sf.coalesce(proved, sf.lit(False))


def is_suspect(wire: StructType) -> Column:
    """Say whether a row may hold something that the typed reading does not show; never NULL."""
    texts = (opens_container(f"_row.{field.name}") for field in wire if is_text(field))
    containers = reduce(or_, texts, sf.lit(False))
    misfit = sf.col("_row").isNull() | sf.col(f"_row.{CORRUPT}").isNotNull()
    return sf.coalesce(misfit, sf.lit(True)) | sf.coalesce(containers, sf.lit(False))


def is_text(field: StructField) -> bool:
    return isinstance(field.dataType, StringType)


def opens_container(name: str) -> Column:
    return sf.col(name).startswith("{") | sf.col(name).startswith("[")


def wire_columns(wire: StructType) -> list[Column]:
    """Return the row's columns; where a value has another type than its column's, it is not kept."""
    columns = []
    for field in wire:
        value = sf.col(f"_row.{field.name}")
        if is_text(field):
            value = sf.when(~sf.col("_suspect") | ~sf.array_contains("_wrong", field.name), value)
        else:
            value = sf.when(~sf.col("_suspect"), value).otherwise(number_of(field))
        columns.append(value.alias(field.name))
    return columns


def number_of(field: StructField) -> Column:
    """Return the number that a suspect row has in a column, NULL for whatever is none or does not fit."""
    name = f"_typed.{field.name}"
    is_number = kind_of(name).rlike(NUMBER) & ~opens_container(f"_text.{field.name}")
    if isinstance(field.dataType, DoubleType):
        return sf.when(is_number, sf.try_variant_get(name, "$", "double"))
    exact = sf.try_variant_get(name, "$", EXACT)
    return sf.when(is_number & (exact == sf.floor(exact)), exact).try_cast(field.dataType)


def kind_of(name: str) -> Column:
    """Return the JSON type of a column's last value as Spark writes it: VOID for null, NULL where there is none."""
    return sf.schema_of_variant(name)


def wrong_columns(wire: StructType) -> Column:
    """Return the names of the columns that a suspect row fills with another type than theirs."""
    names = []
    for field in wire:
        typed, text = f"_typed.{field.name}", f"_text.{field.name}"
        if is_text(field):
            is_string = (kind_of(typed) == "STRING") & (sf.try_variant_get(typed, "$", "string") == sf.col(text))
            is_wrong = opens_container(text) & ~sf.coalesce(is_string, sf.lit(False))
        else:
            is_wrong = sf.col(text).isNotNull() & number_of(field).isNull()
        names.append(sf.when(is_wrong, sf.lit(field.name)))
    return sf.array_compact(sf.array(*names))
