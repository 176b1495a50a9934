"""What every notebook does at its edges: read its widgets, write its result."""

import json
from typing import Any

from pyspark.sql import SparkSession

MAX_TEXT_BYTES = 64 * 1024 * 1024  # far above the acknowledged offsets of any run
UTC = ("UTC", "Etc/UTC", "GMT", "Z", "+00:00")


def arguments(dbutils: Any, *required: str, optional: tuple[str, ...] = ()) -> dict[str, str]:
    """Declare the text widgets of a notebook and return their values, stripped.

    :raises ValueError: naming *all* the required widgets that have no value.
    """
    for name in (*required, *optional):
        dbutils.widgets.text(name, "")
    values = {name: dbutils.widgets.get(name).strip() for name in (*required, *optional)}
    if missing := [name for name in required if not values[name]]:
        raise ValueError(
            f"Missing notebook parameters: {', '.join(missing)}. Give them as parameters of the job, or of the task."
        )
    return values


def leave_unless_wanted(dbutils: Any, stage: str) -> None:
    """End a notebook whose stage is none of those that the run takes; without widget ``stages`` it takes all."""
    dbutils.widgets.text("stages", "")
    wanted = dbutils.widgets.get("stages")
    if wanted and stage not in wanted.split(","):
        dbutils.notebook.exit(to_json({"stage": stage, "left_out": True}))


def read_text(dbutils: Any, uri: str) -> str:
    """Return what an object of the lake holds, empty text without an address."""
    return str(dbutils.fs.head(uri, MAX_TEXT_BYTES)) if uri else ""


def check_session(spark: SparkSession) -> None:
    """Refuse a session whose time zone would move posts into other years."""
    zone = spark.conf.get("spark.sql.session.timeZone")
    if zone not in UTC:
        raise ValueError(f"spark.sql.session.timeZone is {zone!r}; set it to UTC in the cluster's spark_conf.")


def to_json(result: dict[str, Any]) -> str:
    return json.dumps(result, ensure_ascii=False, separators=(",", ":"))
