"""A topic is created again: the next batch sends nothing and says why; by the runbook all posts of both arrive."""

from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from sandbox.demo.demo import BATCH_DAG, failures
from tests.e2e.conftest import eventually
from tests.e2e.test_connector import pause, run_connector_dag

TOPIC = "pinterest.user"
VARIABLE = "pinterest_pipeline"
DECLARED = {"retention.ms": "604800000"}  # by include/kafka/topics.json
COUNTS = "source_rows, acknowledged_rows, landed_rows, silver_rows + duplicate_rows + quarantined_rows, lost_rows"


def create_again(kafka: AdminClient) -> None:
    kafka.delete_topics([TOPIC])[TOPIC].result(30)

    def created() -> bool:
        try:
            kafka.create_topics([NewTopic(TOPIC, num_partitions=3, config=DECLARED)])[TOPIC].result(30)
        except KafkaException:  # the broker still deletes the old one
            return False
        return True

    eventually(created, f"topic {TOPIC} can be created again", seconds=60)


def delete_connector(pipeline: Any, kafka: AdminClient) -> None:
    """Delete it with its position, as the runbook says."""
    connect = pipeline.aws("kafkaconnect")
    for found in connect.list_connectors()["connectors"]:
        connect.delete_connector(connectorArn=found["connectorArn"])
    eventually(lambda: not connect.list_connectors()["connectors"], "the connector is gone", seconds=120)
    groups = [group.group_id for group in kafka.list_consumer_groups().result(30).valid]
    for deleted in kafka.delete_consumer_groups([name for name in groups if name.startswith("connect-")]).values():
        deleted.result(30)


def test_a_topic_that_was_created_again_stops_the_batch_until_it_has_a_new_generation(pipeline: Any) -> None:
    before = pipeline.outcomes() or (pipeline.run_batch() and pipeline.outcomes())
    kafka = AdminClient(pipeline.settings.kafka_client)
    pause(pipeline, True)
    create_again(kafka)

    run_id = pipeline.start_batch()

    assert pipeline.finish(run_id) == "failed"
    assert pipeline.failed_tasks(run_id) == {"ingest.offsets_grow"}
    said = failures(pipeline.api, BATCH_DAG, run_id)
    assert "Nothing was sent. topic pinterest.user, partition" in said
    assert "Set a new `generation`" in said

    delete_connector(pipeline, kafka)
    variable = pipeline.api.variable(VARIABLE)
    generation = str(int(variable.get("generation") or 1) + 1)  # a sandbox may see this test again
    pipeline.api.set_variable(VARIABLE, {**variable, "generation": generation})
    pause(pipeline, False)
    run_connector_dag(pipeline)
    pipeline.clear(run_id, "ingest.offsets_grow")

    assert pipeline.finish(run_id) == "success", failures(pipeline.api, BATCH_DAG, run_id)
    assert pipeline.answers() == pipeline.golden()
    assert pipeline.objects(f"topics-{generation}/{TOPIC}/")
    for table, (source, *reached, lost) in pipeline.run_rows(run_id, COUNTS).items():
        assert {source, *reached} == {source}
        bronze, *processed = pipeline.outcomes()[table]
        assert before[table][0] + source == bronze == sum(processed)
        assert lost == 0
