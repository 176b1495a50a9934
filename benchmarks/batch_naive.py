"""The batch as it is often written: one object a row, inferred schemas, Python UDFs, nothing incremental or checked.

It does less than the pipeline (no envelope, no dedup, no quarantine, no audit, no warehouse) and keeps Spark's and
Delta's own defaults. It answers the same questions.
"""

from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as sf
from pyspark.sql.types import LongType, StringType

from pinterest_spark.lakehouse.answers import answers_folder, facts, read_answers, registered

TABLES = ("pin", "geo", "user")
NO_DATA = ("No Title Data Available", "No description available", "User Info Error", "Image src error.", "")


@sf.udf(LongType())
def followers(text: str | None) -> int | None:
    units = {"k": 1_000, "M": 1_000_000}
    try:
        return int(text[:-1]) * units[text[-1]] if text[-1] in units else int(text)  # type: ignore[index, arg-type]
    except (TypeError, ValueError, IndexError):
        return None


@sf.udf(StringType())
def tidy(text: str | None) -> str | None:
    return None if text is None or text in NO_DATA else " ".join(text.split())


def clean(table: str, rows: DataFrame) -> DataFrame:
    if table == "pin":
        texts = {
            name: tidy(name) for name in ("title", "description", "poster_name", "tag_list", "image_src", "category")
        }
        return rows.withColumns({**texts, "follower_count": followers("follower_count")}).withColumnRenamed(
            "index", "ind"
        )
    if table == "geo":
        return rows.withColumns({"country": tidy("country"), "timestamp": sf.to_timestamp("timestamp")})
    name = sf.concat_ws(" ", tidy("first_name"), tidy("last_name"))
    return rows.withColumns({"user_name": name, "date_joined": sf.to_timestamp("date_joined")})


def run(spark: SparkSession, objects: Path, target: Path) -> None:
    """Go from ``<objects>/<table>/*.json`` to ten Delta tables below the target."""
    for table in TABLES:
        rows = spark.read.option("inferSchema", "true").json(str(objects / table))
        clean(table, rows).write.format("delta").mode("overwrite").save(str(target / "silver" / table))
    tables = facts(*(spark.read.format("delta").load(str(target / "silver" / table)) for table in TABLES))
    with registered(tables):
        for answer in read_answers(answers_folder()):
            rows = spark.sql(answer.sql)
            rows.write.format("delta").mode("overwrite").save(str(target / "gold" / answer.name))
