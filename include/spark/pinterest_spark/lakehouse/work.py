"""What a stage took: seconds, and Spark jobs, whose number does not depend on the machine."""

import time
from typing import Any

from py4j.protocol import Py4JError
from pyspark.sql import SparkSession


class Work:
    """Measures from where it is made on."""

    def __init__(self, spark: SparkSession) -> None:
        self._spark = spark
        self._started = time.monotonic()
        self._jobs_before = jobs_of(spark)

    def result(self) -> dict[str, Any]:
        """Return ``{"seconds", "work": {"spark_jobs"}}``; the jobs are those of all that ran on the cluster since.

        They are None where the cluster does not tell.
        """
        now = jobs_of(self._spark)
        jobs = None if now is None or self._jobs_before is None else now - self._jobs_before
        return {"seconds": round(time.monotonic() - self._started, 3), "work": {"spark_jobs": jobs}}


def jobs_of(spark: SparkSession) -> int | None:
    """Return how many Spark jobs the driver has begun; no public interface knows the jobs of streaming queries, too."""
    try:
        return int(spark._jsc.sc().dagScheduler().numTotalJobs())
    except (AttributeError, Py4JError):  # Spark Connect; a cluster that lets Python near its JVM no more
        return None
