"""The Python tasks of DAG ``pinterest_sink_connector``."""

from airflow.sdk import Param, task

from pinterest_pipeline.common.errors import PermanentError

PARAMS = {
    "pause": Param(
        None,
        type=["null", "boolean"],
        description="true: pause the connector, posts wait in Kafka. false: resume it. null: as it is.",
    ),
    "recreate": Param(
        False,
        type="boolean",
        description="Delete and create the connector again, where it is FAILED or differs in what cannot be updated.",
    ),
}


@task(trigger_rule="one_failed", retries=0)
def alert(connector_name: str) -> None:
    """Fail; the callback of the default arguments raises the alarm."""
    raise PermanentError(
        f"Connector {connector_name} does not deliver, posts wait in Kafka: read the log of the failed task before."
    )
