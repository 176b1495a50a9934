"""From a record's raw text to a typed row, strictly.

Spark's JSON reader is permissive: a truncated object and a number where text belongs both become NULL. Here NULL
means that the sender wrote null (or nothing); everything else that ends as NULL is named in ``_wrong``.
"""

from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as sf
from pyspark.sql.types import StringType, StructField, StructType

from pinterest_spark.rows.schemas import CORRUPT, TEXT, WIRE

STRICT_JSON = {
    "mode": "PERMISSIVE",
    "columnNameOfCorruptRecord": CORRUPT,
    "allowSingleQuotes": "false",
    "allowNonNumericNumbers": "false",
}
NOT_JSON = "*"  # in ``_wrong``: the payload as a whole is not one JSON object
SEAMS = ("}{", "} {", "}\n{", "},")  # where a payload of several documents shows


def parse(records: DataFrame, table: str) -> DataFrame:
    """Return the ``_…`` columns of the records, the wire columns of ``_payload``, and ``_wrong`` (array of names).

    ``_wrong`` is empty for a row that fits the wire schema, ``["*"]`` for a payload that is not one JSON object, and
    else names the columns whose value has another type than the contract's; such a value is NULL. A number or boolean
    in a text column is taken as its text. Unknown keys are ignored. The payload is read once; only rows that may not
    fit are looked at again.
    """
    wire = WIRE[table]
    row = sf.from_json("_payload", StructType([*wire.fields, StructField(CORRUPT, TEXT)]), STRICT_JSON)
    parsed = records.withColumn("_row", row).withColumn("_suspect", is_suspect(wire))
    # In brackets, because the reader of a bare document stops at its end and does not see what follows
    bracketed = sf.try_parse_json(sf.concat(sf.lit("["), "_payload", sf.lit("]")))
    looked_at = parsed.withColumn("_document", sf.when(sf.col("_suspect"), bracketed))
    wrong = sf.when(~sf.col("_suspect"), sf.array().cast("array<string>"))
    wrong = wrong.when(is_one_object(), wrong_columns(wire)).otherwise(sf.array(sf.lit(NOT_JSON)))
    return looked_at.withColumn("_wrong", wrong).select(*records.columns, *wire_columns(wire), "_wrong")


def wire_columns(wire: StructType) -> list[Column]:
    """Return the row's columns; where a text column held an object or an array, its text is not kept."""
    columns = []
    for field in wire:
        value = sf.col(f"_row.{field.name}")
        if isinstance(field.dataType, StringType):
            value = sf.when(~sf.col("_suspect") | ~sf.array_contains("_wrong", field.name), value)
        columns.append(value.alias(field.name))
    return columns


def is_suspect(wire: StructType) -> Column:
    """Say whether a row may hold something that the typed reading does not show; never NULL."""
    texts = [sf.col(f"_row.{field.name}") for field in wire if isinstance(field.dataType, StringType)]
    containers = reduce(or_, (text.startswith("{") | text.startswith("[") for text in texts))
    trailing = ~sf.rtrim("_payload").endswith("}")
    several = reduce(or_, (sf.contains(sf.col("_payload"), sf.lit(seam)) for seam in SEAMS))
    misfit = sf.col("_row").isNull() | sf.col(f"_row.{CORRUPT}").isNotNull()
    return sf.coalesce(misfit | trailing | several, sf.lit(True)) | sf.coalesce(containers, sf.lit(False))


def is_one_object() -> Column:
    """Say whether the bracketed document is an array of exactly one object; a text that is no JSON is not."""
    return element(0, "$").startswith("OBJECT") & element(1, "$").isNull()


def element(index: int, path: str) -> Column:
    """Return the JSON type at a path within an element of the document, as Spark writes it; NULL where nothing is."""
    return sf.schema_of_variant(sf.try_variant_get("_document", path.replace("$", f"$[{index}]"), "variant"))


def wrong_columns(wire: StructType) -> Column:
    """Return the names of the columns that the document fills and the typed reading does not."""
    names = []
    for field in wire:
        kind = element(0, f"$.{field.name}")
        if isinstance(field.dataType, StringType):
            is_wrong = kind.rlike("^(OBJECT|ARRAY)")
        else:
            is_wrong = (kind != "VOID") & sf.col(f"_row.{field.name}").isNull()
        names.append(sf.when(is_wrong, sf.lit(field.name)))
    return sf.array_compact(sf.array(*names))
