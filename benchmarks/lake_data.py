"""Lake objects for the batch benchmark, made by Spark itself: pseudo-random, the same for the same number of rows."""

import shutil
from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as sf

CATEGORIES = (
    "art", "beauty", "christmas", "diy-and-crafts", "education", "event-planning", "finance", "home-decor",
    "mens-fashion", "quotes", "tattoos", "travel", "vehicles",
)  # fmt: skip
WORDS = (
    "easy", "summer", "ideas", "für", "Zuhause,", "“vintage”", "DIY", "🎨", "recipe", "|", "guide", "to", "modern",
    "living", "room", "décor", "日本", "style", "&", "more",
)  # fmt: skip
POSTERS = 5080  # of 11,154 posts, as in the original data
FLUSH_SIZE = 5000  # records in an object of the lake
ARRIVED_MS = 1_764_021_600_000  # 2025-11-24T22:00:00Z
TABLES = ("pin", "geo", "user")


def draw(seed: int, below: int) -> Column:
    """Return a whole number in [0, below) that depends on the row's id and the seed only."""
    return sf.pmod(sf.xxhash64("id", sf.lit(seed)), sf.lit(below))


def words(seed: int, count: int) -> Column:
    return sf.concat_ws(" ", *(one_of(WORDS, seed + number) for number in range(count)))


def one_of(values: tuple[str, ...], seed: int) -> Column:
    return sf.element_at(sf.array(*map(sf.lit, values)), draw(seed, len(values)).cast("int") + 1)


def day(seed: int, first: str, days: int) -> Column:
    moment = sf.timestamp_seconds(sf.unix_timestamp(sf.lit(first)) + draw(seed, days * 86400))
    return sf.date_format(moment, "yyyy-MM-dd'T'HH:mm:ss")


def posts(spark: SparkSession, rows: int) -> DataFrame:
    """Return ``id`` and the three wire rows ``pin``, ``geo``, ``user`` as JSON text."""
    posters = max(1, rows * POSTERS // 11154)
    frame = spark.range(rows).withColumn("poster", sf.pmod(sf.xxhash64("id"), sf.lit(posters)))
    followers = sf.when(draw(1, 10) < 7, sf.concat(draw(2, 985), sf.lit("k"))).otherwise(draw(3, 1000).cast("string"))
    category = one_of(CATEGORIES, 4)
    pin = sf.struct(
        sf.col("id").alias("index"),
        sf.lit("8d2a4b9e-1c3f-4a6b-9d7e-5f1a2b3c4d5e").alias("unique_id"),
        words(10, 9).alias("title"),
        words(20, 28).alias("description"),
        sf.concat(sf.lit("poster  "), "poster").alias("poster_name"),
        followers.alias("follower_count"),
        sf.concat_ws(",", *[words(50 + n, 2) for n in range(9)]).alias("tag_list"),
        sf.lit("image").alias("is_image_or_video"),
        sf.concat(
            sf.lit("https://i.pinimg.com/originals/ab/cd/ef/"), sf.md5(sf.col("id").cast("string")), sf.lit(".jpg")
        ).alias("image_src"),
        sf.lit(1).alias("downloaded"),
        sf.concat(sf.lit("Local save in /data/"), category).alias("save_location"),
        category.alias("category"),
    )
    geo = sf.struct(
        sf.col("id").alias("ind"),
        day(5, "2017-10-18 00:00:00", 1826).alias("timestamp"),
        (draw(6, 180_0000) / 10000 - 90).alias("latitude"),
        (draw(7, 360_0000) / 10000 - 180).alias("longitude"),
        sf.concat(sf.lit("Country "), draw(8, 241)).alias("country"),
    )
    user = sf.struct(
        sf.col("id").alias("ind"),
        sf.lit("Ada").alias("first_name"),
        sf.concat(sf.lit("Byron "), "poster").alias("last_name"),
        (sf.pmod("poster", sf.lit(41)) + 20).cast("int").alias("age"),
        day(9, "2015-10-01 00:00:00", 730).alias("date_joined"),
    )
    return frame.select(
        "id", *(sf.to_json(one).alias(name) for name, one in {"pin": pin, "geo": geo, "user": user}.items())
    )


def write_topics(spark: SparkSession, folder: Path, rows: int) -> None:
    """Write ``topics/pinterest.<table>/dt=…/*.json.gz`` below the folder, as the sink connector does."""
    data = posts(spark, rows).cache()
    for table in TABLES:
        topic = f"pinterest.{table}"
        envelope = sf.struct(
            sf.col(table).alias("payload"), sf.lit(topic).alias("kafka_topic"), sf.lit(0).alias("kafka_partition"),
            sf.col("id").alias("kafka_offset"), (sf.lit(ARRIVED_MS) + sf.col("id")).alias("kafka_timestamp"),
        )  # fmt: skip
        draft = folder / f"draft-{table}"
        lines = data.select(sf.to_json(envelope).alias("value"))
        lines.write.option("compression", "gzip").option("maxRecordsPerFile", FLUSH_SIZE).text(str(draft))
        target = folder / "topics" / topic / "dt=2025-11-24"
        target.mkdir(parents=True, exist_ok=True)
        for number, part in enumerate(sorted(draft.glob("part-*"))):
            part.rename(target / f"{topic}+0+{number:010d}.json.gz")
        shutil.rmtree(draft)
    data.unpersist()


def write_one_row_objects(spark: SparkSession, folder: Path, rows: int) -> None:
    """Write each row as an object of its own below ``rows/<table>``, as a connector with ``flush.size=1`` does."""
    for table in TABLES:
        target = folder / "rows" / table
        target.mkdir(parents=True)
        for row in posts(spark, rows).select("id", table).toLocalIterator():
            (target / f"{row.id}.json").write_text(row[table])
