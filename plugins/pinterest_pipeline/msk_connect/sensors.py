"""Wait until an MSK Connect connector does its work."""

from collections.abc import Sequence
from typing import Any, override

from pinterest_pipeline.common.links import MskConnectLink
from pinterest_pipeline.common.polling import PollingSensor
from pinterest_pipeline.msk_connect.triggers import MskConnectHealthTrigger


class MskConnectHealthSensor(PollingSensor):
    """Succeed when a connector is RUNNING on a worker, all its tasks run, and its consumer group keeps up.

    Says in the log, at each poll, which of these does not hold and why. Waits while CloudWatch has no values yet
    (the first come a minute or two after the connector started; those of lag once its group has committed an offset).
    Fails at once when there is no such connector or the service has given it up; a failed task is waited for, because
    a restart fixes it (``MskConnectRestartOperator``).
    A poll costs three to five requests. Returns ``{"connector", "state", "health"}``.

    :param connector_name: Name of the connector; its consumer group is ``connect-<name>``. (templated)
    :param topics: Topics whose lag must be known and small; without it, those of its configuration. (templated)
    :param max_lag: Records by which a topic may be behind.
    :param min_running_tasks: Tasks that must run; without it, as many as its ``tasks.max``.
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
        min_running_tasks: int | None = None,
        cluster_name: str | None = None,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if max_lag < 0 or (min_running_tasks or 0) < 0:
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

    @override
    def trigger(self, *, deadline: float, poll_seconds: float) -> MskConnectHealthTrigger:
        return MskConnectHealthTrigger(
            connector_name=self.connector_name,
            topics=list(self.topics or ()),
            max_lag=self.max_lag,
            min_running_tasks=self.min_running_tasks,
            cluster_name=self.cluster_name or None,
            deadline=deadline,
            poll_seconds=poll_seconds,
            aws_conn_id=self.aws_conn_id,
            region_name=self.region_name,
            verify=self.verify,
            botocore_config=self.botocore_config,
        )
