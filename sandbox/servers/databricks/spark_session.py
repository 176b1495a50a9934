"""The driver's SparkSession: made at first use by the project's own builder, one child session per notebook."""

import logging
import os
import shlex
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)


def submit_arguments(folder: Path, spark_conf: Mapping[str, str]) -> str:
    """Return PYSPARK_SUBMIT_ARGS of a driver: loopback only, files below its folder, then the cluster's own conf."""
    conf = {
        "spark.master": "local[*]",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.local.dir": str(folder / "tmp"),
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        **spark_conf,
    }
    return " ".join(f"--conf {shlex.quote(f'{name}={value}')}" for name, value in conf.items()) + " pyspark-shell"


class SparkSessions:
    """Hands out sessions; the first call pays for the JVM (6-16 s cold)."""

    def __init__(self, app_name: str) -> None:
        self.app_name = app_name
        self._lock = threading.Lock()
        self._base: Any = None

    @property
    def is_started(self) -> bool:
        return self._base is not None

    @property
    def jvm_has_ended(self) -> bool:
        """Whether the process of the JVM that this driver started is gone: no session of it works any more."""
        process = getattr(self._base.sparkContext._gateway, "proc", None) if self._base is not None else None
        return process is not None and process.poll() is not None

    def base(self) -> Any:
        with self._lock:
            if self._base is None:
                self._base = build(self.app_name)
        return self._base

    def for_notebook(self, run_id: int, description: str) -> Any:
        """Return a session of the calling thread's own: temporary views and settings do not leak to other notebooks."""
        session = self.base().newSession()
        # PySpark has no public way to make a session its thread's active one, which Delta's and others' code looks for.
        jvm = session.sparkContext._jvm
        jvm.org.apache.spark.sql.classic.SparkSession.setActiveSession(session._jsparkSession)
        session.sparkContext.setJobGroup(group_of(run_id), description, interruptOnCancel=True)
        return session

    def cancel(self, run_id: int, session: Any) -> None:
        """Stop what a notebook has running in Spark: its streaming queries and its jobs."""
        for query in session.streams.active:
            query.stop()
        session.sparkContext.cancelJobGroup(group_of(run_id))


def group_of(run_id: int) -> str:
    return f"databricks-task-run-{run_id}"


def build(app_name: str) -> Any:
    """Build the session as the project does; a workspace without ``pinterest_spark`` gets a plain one."""
    try:
        from pinterest_spark.session import build_session  # noqa: PLC0415 - only on the driver, and only when needed
    except ModuleNotFoundError as error:
        if error.name not in ("pinterest_spark", "pinterest_spark.session"):
            raise
        log.info("pinterest_spark.session is not in the workspace: building a plain session")
        return build_plain(app_name)
    return build_session(app_name=app_name)


def build_plain(app_name: str) -> Any:
    from pyspark.sql import SparkSession  # noqa: PLC0415 - costs half a second; notebooks without Spark do not pay it

    builder = SparkSession.builder.appName(app_name)
    if jars := os.environ.get("PINTEREST_SPARK_JARS"):
        builder = builder.config("spark.driver.extraClassPath", f"{jars}/*")
    return builder.getOrCreate()
