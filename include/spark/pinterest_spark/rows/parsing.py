"""From a record's raw text to a typed row, strictly.

Spark's JSON reader is permissive: it stops at the end of a document and does not see what follows, a number where text
belongs becomes NULL, and so does a row whose last value of a repeated key has another type than the first. Here a
payload is one JSON object and nothing else, the last value of a key counts, and NULL means that the sender wrote null
(or nothing); everything else that ends as NULL is named in ``_wrong``.
"""

from functools import reduce
from operator import or_
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
KEY = f"_payload_{END}"
NUMBER = "^(BIGINT|DECIMAL|DOUBLE|FLOAT)"
EXACT = "decimal(38,18)"  # a bigint's 19 digits before the point


def parse(records: DataFrame, table: str) -> DataFrame:
    """Return the ``_…`` columns of the records, the wire columns of ``_payload``, and ``_wrong`` (array of names).

    ``_wrong`` is empty for a row that fits the wire schema, ``["*"]`` for a payload that is not one JSON object, and
    else names the columns whose value has another type than the contract's; such a value is NULL. A number or boolean
    in a text column is taken as its text; a whole number may be written ``30.0``. Unknown keys are ignored. A row is
    read again, with the types of its values, only where the typed reading found a misfit or could not see one.
    """
    return read_columns(records, WIRE[table])


def read_key(records: DataFrame, table: str) -> DataFrame:
    """Return records with ``_payload`` and the key that :func:`parse` finds in it, as ``_key``."""
    key = WIRE_KEY[table]
    read = read_columns(records, StructType([WIRE[table][key]]))
    return read.withColumnRenamed(key, "_key").drop("_wrong")


def read_columns(records: DataFrame, wire: StructType) -> DataFrame:
    element = StructType([*wire.fields, StructField("_end", TEXT)])
    closed = StructType([StructField(KEY, ArrayType(element)), StructField(CORRUPT, TEXT)])
    read = records.withColumn("_read", sf.from_json(closed_payload(), closed, STRICT_JSON))
    parsed = read.withColumns({"_is_one": is_one_object(), "_suspect": is_suspect(wire)})
    suspect = sf.when(sf.col("_suspect") & sf.col("_is_one"), sf.col("_payload"))
    read_again = parsed.withColumns(
        {
            "_typed": sf.from_json(suspect, each_as(wire, VariantType()), STRICT_JSON),
            "_text": sf.from_json(suspect, each_as(wire, TEXT), STRICT_JSON),
        }
    ).withColumns({f"_number_{field.name}": number_of(field) for field in wire if not is_text(field)})
    wrong = sf.when(~sf.col("_is_one"), sf.array(sf.lit(NOT_JSON)))
    wrong = wrong.when(~sf.col("_suspect"), sf.array().cast("array<string>")).otherwise(wrong_columns(wire))
    return read_again.withColumn("_wrong", wrong).select(*records.columns, *wire_columns(wire), "_wrong")


def each_as(wire: StructType, kind: StringType | VariantType) -> StructType:
    return StructType([StructField(field.name, kind) for field in wire])


def closed_payload() -> Column:
    """Return the payload as the first element of an array whose second and last one holds a text that no payload holds.

    Only if the payload is one value has the array two elements, and only if nothing in it closes the array does the
    reader come to that text. The array stands in an object, whose reader says where a value did not fit.
    """
    return sf.concat(sf.lit(f'{{"{KEY}":['), "_payload", sf.lit(f',{{"_end":"{END}"}}]}}'))


def is_one_object() -> Column:
    """Say whether the payload is one JSON object with nothing but blanks around it; never NULL.

    Where the reader dropped the array for a value that did not fit, it is read again for its end alone.
    """
    only_end = StructType([StructField(KEY, ArrayType(StructType([StructField("_end", TEXT)])))])
    again = sf.when(sf.col(f"_read.{KEY}").isNull(), closed_payload())
    ends = [sf.col(f"_read.{KEY}"), sf.from_json(again, only_end, STRICT_JSON)[KEY]]
    proved = [(sf.size(read) == 2) & (read[1]["_end"] == END) for read in ends]
    opened = sf.col("_payload").rlike(OPENS_OBJECT)
    return sf.coalesce(sf.when(ends[0].isNotNull(), proved[0]).otherwise(proved[1]) & opened, sf.lit(False))


def is_suspect(wire: StructType) -> Column:
    """Say whether a row may hold something that the typed reading does not show; never NULL."""
    texts = (opens_container(value_of(field)) for field in wire if is_text(field))
    containers = reduce(or_, texts, sf.lit(False))
    misfit = sf.col(f"_read.{KEY}").isNull() | sf.col(f"_read.{CORRUPT}").isNotNull()
    return sf.coalesce(misfit, sf.lit(True)) | sf.coalesce(containers, sf.lit(False))


def value_of(field: StructField) -> Column:
    return sf.col(f"_read.{KEY}")[0][field.name]


def is_text(field: StructField) -> bool:
    return isinstance(field.dataType, StringType)


def opens_container(text: Column) -> Column:
    return text.startswith("{") | text.startswith("[")


def wire_columns(wire: StructType) -> list[Column]:
    """Return the row's columns; where a value has another type than its column's, it is not kept."""
    columns = []
    for field in wire:
        value = value_of(field)
        if is_text(field):
            value = sf.when(~sf.col("_suspect") | ~sf.array_contains("_wrong", field.name), value)
        else:
            value = sf.when(~sf.col("_suspect"), value).otherwise(sf.col(f"_number_{field.name}"))
        columns.append(value.alias(field.name))
    return columns


def number_of(field: StructField) -> Column:
    """Return the number that a suspect row has in a column, NULL for whatever is none or does not fit."""
    typed, kind = sf.col(f"_typed.{field.name}"), sf.schema_of_variant(f"_typed.{field.name}")
    is_number = kind.rlike(NUMBER) & ~opens_container(sf.col(f"_text.{field.name}"))
    if isinstance(field.dataType, DoubleType):
        return sf.when(is_number, sf.try_variant_get(typed, "$", "double"))
    exact = sf.try_variant_get(typed, "$", EXACT)
    return sf.when(is_number & (exact == sf.floor(exact)), exact).try_cast(field.dataType)


def wrong_columns(wire: StructType) -> Column:
    """Return the names of the columns that a suspect row fills with another type than theirs.

    A text column is filled rightly by anything but an object or an array; a text may look like one.
    """
    numbers = [field.name for field in wire if not is_text(field)]
    unread = [
        sf.when(sf.col(f"_text.{name}").isNotNull() & sf.col(f"_number_{name}").isNull(), sf.lit(name))
        for name in numbers
    ]
    texts = [
        sf.struct(
            sf.lit(field.name).alias("name"),
            sf.col(f"_text.{field.name}").alias("text"),
            sf.try_variant_get(f"_typed.{field.name}", "$", "string").alias("string"),
            sf.schema_of_variant(f"_typed.{field.name}").alias("kind"),
        )
        for field in wire
        if is_text(field)
    ]
    found = sf.array_compact(sf.array(*unread))
    return sf.concat(found, sf.transform(sf.filter(sf.array(*texts), is_container), of_name)) if texts else found


def is_container(column: Column) -> Column:
    is_string = (column["kind"] == "STRING") & (column["string"] == column["text"])
    return sf.coalesce(opens_container(column["text"]), sf.lit(False)) & ~sf.coalesce(is_string, sf.lit(False))


def of_name(column: Column) -> Column:
    return column["name"]
