"""Wait for MSK Connect without holding a worker.

Deadlines are absolute (epoch seconds), so that a restart of the triggerer does not grant the wait a second life. The
first poll comes after a second: a trigger that fires at once can overtake the scheduler's record of the deferral.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from pinterest_pipeline.common.errors import TransientError
from pinterest_pipeline.msk_connect.health import Health, health

FIRST_POLL_SECONDS = 1


class MskConnectStateTrigger(BaseTrigger):
    """Wait for a waiter of ``waiters/kafkaconnect.json``; fires ``{"status": reached | failed | timed_out}``."""

    def __init__(
        self,
        *,
        waiter_name: str,
        connector_arn: str,
        deadline: float,
        poll_seconds: int,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.arguments: dict[str, Any] = {
            "waiter_name": waiter_name,
            "connector_arn": connector_arn,
            "deadline": deadline,
            "poll_seconds": poll_seconds,
        }
        self.connection: dict[str, Any] = {
            "aws_conn_id": aws_conn_id,
            "region_name": region_name,
            "verify": verify,
            "botocore_config": botocore_config,
        }

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{__name__}.{type(self).__qualname__}", {**self.arguments, **self.connection}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        from pinterest_pipeline.msk_connect.hook import MskConnectHook  # noqa: PLC0415 - boto3 slows DAG parsing

        await asyncio.sleep(FIRST_POLL_SECONDS)
        waited = await MskConnectHook(**hook_arguments(self.connection)).async_wait(
            self.arguments["waiter_name"],
            self.arguments["connector_arn"],
            deadline=self.arguments["deadline"],
            poll_seconds=self.arguments["poll_seconds"],
        )
        yield TriggerEvent({"status": waited.value})


class MskConnectHealthTrigger(BaseTrigger):
    """Poll a connector's health until it is healthy, failed, missing, or the deadline is past.

    Fires ``{"status": healthy | failed | missing | timed_out, "message": why}``. A throttled or unanswered poll is
    logged and repeated.
    """

    def __init__(
        self,
        *,
        connector_name: str,
        topics: list[str],
        max_lag: int,
        min_running_tasks: int,
        cluster_name: str | None,
        deadline: float,
        poll_seconds: float,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.connector_name = connector_name
        self.topics = topics
        self.cluster_name = cluster_name
        self.limits: dict[str, Any] = {"max_lag": max_lag, "min_running_tasks": min_running_tasks}
        self.deadline = deadline
        self.poll_seconds = poll_seconds
        self.connection: dict[str, Any] = {
            "aws_conn_id": aws_conn_id,
            "region_name": region_name,
            "verify": verify,
            "botocore_config": botocore_config,
        }

    def serialize(self) -> tuple[str, dict[str, Any]]:
        own = {
            "connector_name": self.connector_name,
            "topics": self.topics,
            "cluster_name": self.cluster_name,
            "deadline": self.deadline,
            "poll_seconds": self.poll_seconds,
        }
        return f"{__name__}.{type(self).__qualname__}", {**own, **self.limits, **self.connection}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        from pinterest_pipeline.msk_connect.hook import MskConnectHook  # noqa: PLC0415 - boto3 slows DAG parsing

        hook = MskConnectHook(**hook_arguments(self.connection))
        message = "no poll was answered"
        await asyncio.sleep(FIRST_POLL_SECONDS)
        async with hook.async_snapshots(self.connector_name, self.topics, self.cluster_name) as take:
            while True:
                try:
                    snapshot = await take()
                except TransientError as error:
                    message = str(error)
                else:
                    if snapshot is None:
                        yield TriggerEvent({"status": "missing", "message": self.connector_name})
                        return
                    found = health(snapshot, topics=self.topics, **self.limits)
                    message = str(found)
                    if found.health is not Health.NOT_YET:
                        yield TriggerEvent({"status": found.health.value, "message": message})
                        return
                self.log.info("Connector %s: %s", self.connector_name, message)
                if time.time() + self.poll_seconds > self.deadline:
                    yield TriggerEvent({"status": "timed_out", "message": message})
                    return
                await asyncio.sleep(self.poll_seconds)


def hook_arguments(connection: dict[str, Any]) -> dict[str, Any]:
    """Return the hook's arguments: what operators call ``botocore_config`` is its ``config``."""
    return {"config" if name == "botocore_config" else name: value for name, value in connection.items()}
