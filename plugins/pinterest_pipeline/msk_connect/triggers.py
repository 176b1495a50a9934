"""Wait for MSK Connect without holding a worker."""

from functools import cached_property
from typing import TYPE_CHECKING, Any, override

from pinterest_pipeline.common.polling import PollingTrigger, PollResult
from pinterest_pipeline.msk_connect.health import check_health
from pinterest_pipeline.msk_connect.plan import check_operation, check_state

if TYPE_CHECKING:
    from pinterest_pipeline.msk_connect.hook import MskConnectHook


class MskConnectTrigger(PollingTrigger):
    """What the triggers of this module share: the connection."""

    def __init__(
        self,
        *,
        deadline: float,
        poll_seconds: float,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(deadline=deadline, poll_seconds=poll_seconds)
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config

    @cached_property
    def hook(self) -> "MskConnectHook":
        from pinterest_pipeline.msk_connect.hook import MskConnectHook  # noqa: PLC0415 - boto3 slows DAG parsing

        return MskConnectHook(
            aws_conn_id=self.aws_conn_id, region_name=self.region_name, verify=self.verify, config=self.botocore_config
        )


class MskConnectStateTrigger(MskConnectTrigger):
    """Ready when the connector's state lasts, or when it is deleted (``until``); one request a poll."""

    def __init__(self, *, connector_arn: str, until: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.connector_arn = connector_arn
        self.until = until

    @override
    def check(self) -> PollResult:
        return check_state(self.connector_arn, self.hook.describe(self.connector_arn), self.until)


class MskConnectOperationTrigger(MskConnectTrigger):
    """Ready when an operation (an update, a restart, a pause) is over; one request a poll."""

    def __init__(self, *, connector_name: str, operation_arn: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.connector_name = connector_name
        self.operation_arn = operation_arn

    @override
    def check(self) -> PollResult:
        return check_operation(self.connector_name, self.hook.operation(self.operation_arn))


class MskConnectHealthTrigger(MskConnectTrigger):
    """Ready when the connector is healthy, as ``MskConnectHealthSensor`` says; three to five requests a poll."""

    def __init__(
        self,
        *,
        connector_name: str,
        topics: list[str],
        max_lag: int,
        min_running_tasks: int | None,
        cluster_name: str | None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.connector_name = connector_name
        self.topics = topics
        self.max_lag = max_lag
        self.min_running_tasks = min_running_tasks
        self.cluster_name = cluster_name

    @override
    def check(self) -> PollResult:
        return check_health(
            self.connector_name,
            self.hook.snapshot(self.connector_name, self.topics, self.cluster_name),
            max_lag=self.max_lag,
            min_running_tasks=self.min_running_tasks,
        )
