"""Wait until an MSK Connect connector does its work."""

import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, override

from airflow.sdk import BaseSensorOperator

from pinterest_pipeline.common.compat import AirflowSensorTimeout, conf
from pinterest_pipeline.common.errors import PermanentError, TransientError
from pinterest_pipeline.common.links import MskConnectLink
from pinterest_pipeline.msk_connect.health import Health, health
from pinterest_pipeline.msk_connect.triggers import MskConnectHealthTrigger

if TYPE_CHECKING:
    from pinterest_pipeline.msk_connect.hook import MskConnectHook


class MskConnectHealthSensor(BaseSensorOperator):
    """Succeed when a connector is RUNNING, its tasks run, none has failed, and its consumer group keeps up.

    Says in the log, at each poll, which of the three does not hold and why. Waits while CloudWatch has no values yet
    (the first come a minute or two after the connector started). Fails at once when there is no such connector or the
    service has given it up; a failed task is waited for, because a restart mends it (``MskConnectRestartOperator``).
    A poll costs three to five requests.

    :param connector_name: Name of the connector; its consumer group is ``connect-<name>``. (templated)
    :param topics: Topics whose lag must be known and small; without it, whichever lag CloudWatch knows. (templated)
    :param max_lag: Records by which a topic may be behind.
    :param min_running_tasks: Tasks that must run.
    :param cluster_name: Name of the MSK cluster, a dimension of the lag metrics; looked up when not given, which takes
        CloudWatch up to 15 minutes for a new consumer group. (templated)
    """

    template_fields: Sequence[str] = ("connector_name", "topics", "cluster_name", "aws_conn_id", "region_name")
    operator_extra_links = (MskConnectLink(),)
    ui_color = "#f4e3c1"

    def __init__(
        self,
        *,
        connector_name: str,
        topics: Sequence[str] | None = None,
        max_lag: int = 100_000,
        min_running_tasks: int = 1,
        cluster_name: str | None = None,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if max_lag < 0 or min_running_tasks < 0:
            raise ValueError(f"max_lag ({max_lag}) and min_running_tasks ({min_running_tasks}) may not be negative.")
        self.connector_name = connector_name
        self.topics = topics
        self.max_lag = max_lag
        self.min_running_tasks = min_running_tasks
        self.cluster_name = cluster_name
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config
        self.deferrable = deferrable

    @cached_property
    def hook(self) -> "MskConnectHook":
        from pinterest_pipeline.msk_connect.hook import MskConnectHook  # noqa: PLC0415 - boto3 slows DAG parsing

        return MskConnectHook(
            aws_conn_id=self.aws_conn_id, region_name=self.region_name, verify=self.verify, config=self.botocore_config
        )

    @override
    def poke(self, context: Any) -> bool:
        topics = list(self.topics or ())
        try:
            snapshot = self.hook.snapshot(self.connector_name, topics, self.cluster_name or None)
        except TransientError as error:
            self.log.warning("Connector %s: %s", self.connector_name, error)
            return False
        if snapshot is None:
            raise missing(self.connector_name)
        found = health(snapshot, topics=topics, max_lag=self.max_lag, min_running_tasks=self.min_running_tasks)
        if found.health is Health.FAILED:
            raise failed(self.connector_name, str(found))
        self.log.info("Connector %s is %s: %s", self.connector_name, found.health, found)
        return found.health is Health.HEALTHY

    @override
    def execute(self, context: Any) -> None:
        if not self.deferrable:
            super().execute(context)
        elif not self.poke(context):
            self.defer(
                trigger=MskConnectHealthTrigger(
                    connector_name=self.connector_name,
                    topics=list(self.topics or ()),
                    max_lag=self.max_lag,
                    min_running_tasks=self.min_running_tasks,
                    cluster_name=self.cluster_name or None,
                    deadline=time.time() + self.timeout,
                    poll_seconds=self.poke_interval,
                    aws_conn_id=self.aws_conn_id,
                    region_name=self.region_name,
                    verify=self.verify,
                    botocore_config=self.botocore_config,
                ),
                method_name="execute_complete",
            )

    def execute_complete(self, _context: Any, event: Mapping[str, str]) -> None:
        """End as the trigger's event says."""
        match event["status"]:
            case Health.HEALTHY:
                self.log.info("Connector %s is healthy: %s", self.connector_name, event["message"])
            case "missing":
                raise missing(self.connector_name)
            case "timed_out":
                raise AirflowSensorTimeout(
                    f"Connector {self.connector_name} did not become healthy within {self.timeout:.0f} s: "
                    f"{event['message']}. See its worker log and the DAG pinterest_sink_connector."
                )
            case _:
                raise failed(self.connector_name, event["message"])


def missing(name: str) -> PermanentError:
    return PermanentError(f"Connector {name} does not exist in MSK Connect: run the DAG pinterest_sink_connector.")


def failed(name: str, reason: str) -> PermanentError:
    return PermanentError(
        f"Connector {name} is not healthy and will not become so by waiting: {reason}. "
        "Correct the cause and run the DAG pinterest_sink_connector."
    )
