"""The Python task of DAG ``pinterest_stream_comparison``, and the notebook task that it reads."""

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from airflow.sdk import Param, task

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.dag.lakehouse import LIBRARIES
from pinterest_pipeline.dag.settings import setting

PARAMS = {
    "since": Param(
        None, type=["null", "string"], description="UTC; compares rows whose record arrived then or later. None = all."
    )
}
TASK_KEY = "compare_stream_with_silver"
TASKS = [
    {
        "task_key": TASK_KEY,
        "new_cluster": setting("databricks.cluster"),
        "libraries": LIBRARIES,
        "notebook_task": {
            "notebook_path": f"{setting('databricks.notebook_root')}/{TASK_KEY}",
            "base_parameters": {
                "lake_uri": setting("lake_uri"),
                "secret_scope": setting("databricks.warehouse_url_scope"),
                "secret_key": setting("databricks.warehouse_url_key"),
                "since": "{{ params.since or '' }}",
            },
        },
        "timeout_seconds": 3600,
    }
]
log = logging.getLogger(__name__)


def disagreements(compared: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each table whose rows differ."""
    for table, found in compared["tables"].items():
        if found["differences"]:
            columns = ", ".join(f"{column} ({count})" for column, count in sorted(found["differences"].items()))
            posts = ", ".join(map(str, found["examples"]))
            yield (
                f"{found['compared'] - found['equal']} of {found['compared']} rows of stream.{table} differ from "
                f"silver in {columns}; for example posts {posts}."
            )


@task(multiple_outputs=True)
def agree(compared: Any) -> dict[str, int]:
    """Return the number of equal rows by table, or fail and name what differs."""
    for table, found in compared["tables"].items():
        if found["only_in_stream"]:
            log.warning("stream.%s has %d posts that silver does not have", table, found["only_in_stream"])
    if problems := list(disagreements(compared)):
        raise PermanentError(" ".join([*problems, "Compare these posts in both; param since leaves older rows out."]))
    return {table: found["equal"] for table, found in compared["tables"].items()}
