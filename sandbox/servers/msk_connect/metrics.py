"""Publish to CloudWatch what the services publish: tasks per connector, lag per consumer group and topic."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from confluent_kafka import KafkaException

from sandbox.servers.msk_connect import CLUSTER_NAME, translation
from sandbox.servers.msk_connect.lag import LagReader, TopicLag
from sandbox.servers.msk_connect.store import Resource, Store
from sandbox.servers.msk_connect.worker import ConfigurationRefusedError, Worker, WorkerBusyError

log = logging.getLogger(__name__)

INTERVAL_SECONDS = 5  # the services' own is 60
# Not while a connector comes up: the minimum over a minute would call it unhealthy for that long after.
MEASURED_STATES = frozenset({"RUNNING", "FAILED", "PAUSED"})

Datum = dict[str, Any]


class Publisher:
    def __init__(self, store: Store, worker: Worker, kafka_client: Mapping[str, str]) -> None:
        self._store = store
        self._worker = worker
        self._lag = LagReader(kafka_client)
        self._cloudwatch = boto3.client("cloudwatch")

    async def run(self) -> None:
        """Publish for ever; what cannot be measured or sent now is left out, as in the cloud."""
        while True:
            for connector in self._store.all("connector"):
                if connector["connectorState"] in MEASURED_STATES:
                    await self._publish(connector)
            await asyncio.sleep(INTERVAL_SECONDS)

    async def _publish(self, connector: Resource) -> None:
        name = connector["connectorName"]
        try:
            status = await self._worker.status(name)
            lags = await asyncio.to_thread(self._lag.read, f"connect-{name}", topics(connector))
        except (WorkerBusyError, ConfigurationRefusedError, KafkaException) as error:
            log.warning("No metrics of connector %s: %s", name, error)
            return
        if connector["connectorState"] not in MEASURED_STATES:
            return  # it changed while we measured
        data = {"AWS/KafkaConnect": task_data(name, status), "AWS/Kafka": lag_data(f"connect-{name}", lags)}
        for namespace, metric_data in data.items():
            try:
                await asyncio.to_thread(self._put, namespace, metric_data)
            except (BotoCoreError, ClientError) as error:
                log.warning("CloudWatch did not take the metrics of connector %s: %s", name, error)

    def _put(self, namespace: str, data: list[Datum]) -> None:
        if data:
            self._cloudwatch.put_metric_data(Namespace=namespace, MetricData=data)


def topics(connector: Resource) -> list[str]:
    named = connector["connectorConfiguration"].get("topics", "")
    return [topic.strip() for topic in named.split(",") if topic.strip()]


def task_data(name: str, status: Mapping[str, Any] | None) -> list[Datum]:
    dimensions = [{"Name": "ConnectorName", "Value": name}]
    return [
        {"MetricName": metric, "Dimensions": dimensions, "Value": count, "Unit": "Count"}
        for metric, count in translation.task_counts(status).items()
    ]


def lag_data(group: str, lags: Mapping[str, TopicLag]) -> list[Datum]:
    return [
        {
            "MetricName": metric,
            "Dimensions": [
                {"Name": "Cluster Name", "Value": CLUSTER_NAME},
                {"Name": "Consumer Group", "Value": group},
                {"Name": "Topic", "Value": topic},
            ],
            "Value": value,
            "Unit": unit,
        }
        for topic, lag in lags.items()
        for metric, value, unit in (
            ("SumOffsetLag", lag.sum_offset_lag, "Count"),
            ("MaxOffsetLag", lag.max_offset_lag, "Count"),
            ("EstimatedMaxTimeLag", lag.estimated_max_time_lag_seconds, "Seconds"),
        )
    ]
