"""A Spark session of our own, for machines that are not Databricks, where ``spark`` is given and keeps its settings.

Settings live here, by size, and never in a transform. The JVM listens on loopback only.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from pyspark.sql import SparkSession

JARS_VARIABLE = "PINTEREST_SPARK_JARS"
SIZE_VARIABLE = "PINTEREST_SPARK_SIZE"


@dataclass(frozen=True)
class Size:
    """What one driver may use, and how finely Delta and shuffles are split for the data it will see."""

    cores: int
    memory: str  # of the JVM's heap
    shuffle_partitions: int
    snapshot_partitions: int  # Delta's default of 50 costs 1.6 times as much on tables of a few files
    java_options: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)


CODE_CACHE = "-XX:ReservedCodeCacheSize=512m"  # generated classes fill the default: the JVM then stops compiling
# Spark generates methods of more than 8,000 bytes for a wide table; interpreted, they took half as long again
HUGE_METHODS = "-XX:-DontCompileHugeMethods"
COLLECTOR = "-XX:+UseParallelGC"  # throughput is what a batch wants: a tenth off at 100 times the rows
CHECKPOINTING = "org.apache.spark.sql.execution.streaming.checkpointing"
# The default writes a checksum beside each file of a local checkpoint and forks a process for each mode: 50 ms a file
# instead of 8, two files a micro-batch
PLAIN_CHECKPOINTS = {
    "spark.sql.streaming.checkpointFileManagerClass": f"{CHECKPOINTING}.FileSystemBasedCheckpointFileManager",
}
RUN_ONCE = {
    # One partition leaves nothing to adapt, and planning again at each shuffle took 4 of 27 s of CPU (36 of 88 jobs) of
    # bronze and silver run twice
    "spark.sql.adaptive.enabled": "false",
    # A plan is compiled for a few rows: interpreted, the tests of Spark took 443 s of CPU instead of 523
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    # Else the optimiser itself computes what a test does to constant rows; Spark's own tests leave it out too
    "spark.sql.optimizer.excludedRules": "org.apache.spark.sql.catalyst.optimizer.ConvertToLocalRelation",
}
SIZES = {
    # C1 only: a test run is over before the optimising compiler pays (70 s -> 26 s for ten Delta tests). Of 1 GB the
    # caches of Spark and Delta filled nine tenths, and G1 marked all the time: 2 GB and no concurrent collector
    "test": Size(
        cores=2, memory="2g", shuffle_partitions=1, snapshot_partitions=1,
        java_options=f"{CODE_CACHE} -XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        settings=PLAIN_CHECKPOINTS | RUN_ONCE,
    ),
    "laptop": Size(
        cores=2, memory="3g", shuffle_partitions=4, snapshot_partitions=2,
        java_options=f"{CODE_CACHE} {HUGE_METHODS} {COLLECTOR}",
    ),
    # Three queries of small micro-batches for ever: little memory, short pauses, nothing kept that only a page shows
    "stream": Size(
        cores=2, memory="1g", shuffle_partitions=2, snapshot_partitions=2,
        java_options=f"{CODE_CACHE} {HUGE_METHODS}",
        settings={
            "spark.scheduler.mode": "FAIR",
            "spark.driver.maxResultSize": "256m",
            "spark.sql.streaming.minBatchesToRetain": "10",
            "spark.sql.streaming.numRecentProgressUpdates": "5",
            **PLAIN_CHECKPOINTS,
        },
    ),
}  # fmt: skip


def build_session(
    app_name: str, *, size: str | None = None, jars: str | None = None, environment: Mapping[str, str] = os.environ
) -> SparkSession:
    """Return the process's Spark session with Delta and S3A, started if there is none.

    :param size: a key of ``SIZES``; ``PINTEREST_SPARK_SIZE`` where None, and ``laptop`` where that is not set.
    :param jars: folder of the Delta, hadoop-aws and AWS SDK jars; ``PINTEREST_SPARK_JARS`` where None.
    :param environment: where the AWS settings are read from (``AWS_ENDPOINT_URL_S3`` or ``AWS_ENDPOINT_URL``,
        ``AWS_REGION`` or ``AWS_DEFAULT_REGION``); the keys are found there by hadoop-aws itself.
    """
    folder = jars or environment.get(JARS_VARIABLE)
    if not folder:
        raise ValueError(f"Where are Spark's jars? Set {JARS_VARIABLE} to the folder that set-up filled.")
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    chosen = size_of(size or environment.get(SIZE_VARIABLE) or "laptop")
    builder = SparkSession.builder.master(f"local[{chosen.cores}]").appName(app_name)
    for name, value in {**settings_of(chosen, folder), **s3a_settings(environment)}.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    return session


def size_of(name: str) -> Size:
    if name not in SIZES:
        raise ValueError(f"{SIZE_VARIABLE} is {name!r}; expected one of {', '.join(SIZES)}.")
    return SIZES[name]


def settings_of(size: Size, jars: str) -> dict[str, str]:
    return {
        "spark.driver.extraClassPath": f"{jars}/*",
        "spark.driver.extraJavaOptions": size.java_options,
        "spark.driver.memory": size.memory,
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": str(size.shuffle_partitions),
        "spark.sql.adaptive.enabled": "true",
        "spark.databricks.delta.snapshotPartitions": str(size.snapshot_partitions),
        # A run generates 390 classes and the default keeps 100: a warm driver compiled all of them again, 10 s of CPU
        "spark.sql.codegen.cache.maxEntries": "4000",
        # Else each function of a column asks the JVM five times more, to note its line of Python for an error's text:
        # 3 of 36 s of CPU of a cold run, 1 of 16 of a warm one
        "spark.python.sql.dataFrameDebugging.enabled": "false",
        "spark.executorEnv.PYTHONPATH": str(Path(__file__).with_name("worker_path")),  # its sitecustomize says why
        **size.settings,
    }


def s3a_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what hadoop-aws needs beyond the keys, which it reads from the environment by itself."""
    settings = {}
    if region := environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION"):
        settings["spark.hadoop.fs.s3a.endpoint.region"] = region
    if endpoint := environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL"):
        settings |= {
            "spark.hadoop.fs.s3a.endpoint": endpoint,
            "spark.hadoop.fs.s3a.path.style.access": "true",
            "spark.hadoop.fs.s3a.connection.ssl.enabled": str(urlsplit(endpoint).scheme == "https").lower(),
        }
    return settings
