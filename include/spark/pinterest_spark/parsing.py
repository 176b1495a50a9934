"""From a record's raw text to a typed row, strictly.

Spark's JSON reader is permissive: a truncated object and a number where text belongs both become NULL. Here NULL
means that the sender wrote null (or nothing); everything else that ends as NULL is named in ``_wrong``.
"""

from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as sf
from pyspark.sql.types import StringType, StructType

from pinterest_spark.schemas import CORRUPT, TEXT, WIRE

STRICT_JSON = {
    "mode": "PERMISSIVE",
    "columnNameOfCorruptRecord": CORRUPT,
    "allowSingleQuotes": "false",
    "allowNonNumericNumbers": "false",
}
NOT_JSON = "*"  # in ``_wrong``: the payload as a whole is no JSON object


def parse(records: DataFrame, table: str) -> DataFrame:
    """Add ``_row`` (struct of the wire columns) and ``_wrong`` (array of column names) to records with ``_payload``.

    ``_wrong`` is empty for a row that fits the wire schema, ``["*"]`` for a payload that is no JSON object, and else
    names the columns whose value has another type than the contract's. A number or boolean in a text column is taken
    as its text. Unknown keys are ignored. The payload is read once; only rows that did not fit are looked at again.
    """
    wire = WIRE[table]
    row = sf.from_json("_payload", StructType(wire.fields).add(CORRUPT, TEXT), STRICT_JSON)
    parsed = records.withColumn("_row", row).withColumn("_suspect", is_suspect(wire))
    looked_at = parsed.withColumn("_document", sf.when(sf.col("_suspect"), sf.try_parse_json("_payload")))
    wrong = sf.when(~sf.col("_suspect"), sf.array().cast("array<string>"))
    wrong = wrong.when(is_no_object(), sf.array(sf.lit(NOT_JSON))).otherwise(wrong_columns(wire))
    return looked_at.withColumn("_wrong", wrong).drop("_suspect", "_document")


def is_suspect(wire: StructType) -> Column:
    """Say whether a row may hold something that the typed reading does not show."""
    texts = [sf.col(f"_row.{field.name}") for field in wire if isinstance(field.dataType, StringType)]
    containers = reduce(or_, (text.startswith("{") | text.startswith("[") for text in texts))
    trailing = ~sf.rtrim("_payload").endswith("}")
    misfit = sf.col("_row").isNull() | sf.col(f"_row.{CORRUPT}").isNotNull()
    return sf.coalesce(misfit | trailing, sf.lit(True)) | sf.coalesce(containers, sf.lit(False))


def is_no_object() -> Column:
    kind = sf.schema_of_variant("_document")
    return sf.coalesce(~kind.startswith("OBJECT"), sf.lit(True)) | ~sf.rtrim("_payload").endswith("}")


def wrong_columns(wire: StructType) -> Column:
    """Return the names of the columns that the document fills and the typed reading does not."""
    names = []
    for field in wire:
        kind = sf.schema_of_variant(sf.try_variant_get("_document", f"$.{field.name}", "variant"))
        if isinstance(field.dataType, StringType):
            is_wrong = kind.rlike("^(OBJECT|ARRAY)")
        else:
            is_wrong = (kind != "VOID") & sf.col(f"_row.{field.name}").isNull()
        names.append(sf.when(is_wrong, sf.lit(field.name)))
    return sf.array_compact(sf.array(*names))
