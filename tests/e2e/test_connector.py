"""A user changes the connector by hand and leaves out a topic: its DAG repairs it, the posts wait in Kafka."""

import time
from typing import Any

import pytest

from sandbox.demo.demo import BATCH_DAG, CONNECTOR_DAG, failures
from tests.e2e.conftest import eventually
from tests.e2e.test_recovery import SMALL_WINDOW

FORGOTTEN = "pinterest.user"


@pytest.fixture
def connect(pipeline: Any) -> Any:
    return pipeline.aws("kafkaconnect")


def test_a_wrongly_configured_connector_is_put_right_and_no_post_is_lost(pipeline: Any, connect: Any) -> None:
    before = pipeline.outcomes() or (pipeline.run_batch() and pipeline.outcomes())
    right = described(connect)["connectorConfiguration"]
    topics = [topic for topic in right["topics"].split(",") if topic != FORGOTTEN]
    assert len(topics) == 2

    pause(pipeline, True)  # it would come by within 10 minutes and put it right before anybody has seen it wrong
    try:
        change(connect, {**right, "topics": ",".join(topics)})
        run_id = pipeline.start_batch(**SMALL_WINDOW)
        pipeline.wait_for_task(run_id, "posts_landed", "deferred")
        time.sleep(10)  # twice the sensor's interval and thrice the connector's
        assert pipeline.task(run_id, "posts_landed")["state"] == "deferred"
    finally:
        pause(pipeline, False)
    put_right = run_connector_dag(pipeline)

    assert put_right["actions"] == ["update its configuration: topics"]
    assert described(connect)["connectorConfiguration"] == right
    assert pipeline.finish(run_id) == "success", failures(pipeline.api, BATCH_DAG, run_id)
    for table, (acknowledged, lost) in pipeline.run_rows(run_id, "acknowledged_rows, lost_rows").items():
        bronze, silver, duplicates, quarantined = pipeline.outcomes()[table]
        assert bronze == before[table][0] + acknowledged == silver + duplicates + quarantined
        assert (acknowledged > 0, lost) == (True, 0)


def described(connect: Any) -> dict[str, Any]:
    (found,) = connect.list_connectors()["connectors"]
    return dict(connect.describe_connector(connectorArn=found["connectorArn"]))


def change(connect: Any, configuration: dict[str, str]) -> None:
    """Update the connector as a person at the console would, and wait until it runs with it."""
    seen = described(connect)
    connect.update_connector(
        connectorArn=seen["connectorArn"],
        currentVersion=seen["currentVersion"],
        connectorConfiguration=configuration,
    )
    eventually(lambda: described(connect)["connectorState"] == "RUNNING", "the connector runs again", seconds=120)
    assert described(connect)["connectorConfiguration"] == configuration


def pause(pipeline: Any, is_paused: bool) -> None:
    """Pause the connector's DAG once it is between two runs, or let it go on."""
    path = f"dags/{CONNECTOR_DAG}"
    pipeline.api.call("PATCH", path, params={"update_mask": "is_paused"}, json={"is_paused": is_paused})
    if is_paused:
        eventually(lambda: ended(pipeline), f"{CONNECTOR_DAG} is between two runs")


def ended(pipeline: Any) -> bool:
    return all(run["state"] in {"success", "failed"} for run in pipeline.api.runs(CONNECTOR_DAG))


def run_connector_dag(pipeline: Any) -> dict[str, Any]:
    """Run the DAG by hand and return what its first task did."""
    run_id = pipeline.api.trigger(CONNECTOR_DAG)
    assert pipeline.finish(run_id, CONNECTOR_DAG) == "success", failures(pipeline.api, CONNECTOR_DAG, run_id)
    summary: dict[str, Any] = pipeline.api.xcom(CONNECTOR_DAG, run_id, "ensure_connector")
    return summary
