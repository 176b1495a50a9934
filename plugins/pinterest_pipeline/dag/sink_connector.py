"""The Python tasks of DAG ``pinterest_sink_connector``."""

from airflow.sdk import Param, task

from pinterest_pipeline.dag.alerts import ReportedError

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
    """Fail, so that the run does; what failed before has raised the alarm."""
    raise ReportedError(
        f"Connector {connector_name} does not deliver, posts wait in Kafka: read the log of the failed task before."
    )
