"""Wait, without a worker, for a stream."""

from functools import cached_property
from typing import TYPE_CHECKING, Any, override

from pinterest_pipeline.common.polling import PollingTrigger, PollResult
from pinterest_pipeline.kinesis.plan import require_stream_name
from pinterest_pipeline.kinesis.readiness import check_stream

if TYPE_CHECKING:
    from pinterest_pipeline.kinesis.hook import KinesisStreamHook


class KinesisStreamTrigger(PollingTrigger):
    """Ready when the stream is ``until`` (``ACTIVE`` or ``DELETED``) and, if asked, its readers keep up.

    Two requests a poll, and one to CloudWatch and about two a shard for the iterator age.

    :param max_age_seconds: Greatest iterator age; None = whatever it is.
    :param warehouse_conn_id: With ``sql`` and ``parameters`` as ``KinesisStreamSensor`` takes them.
    """

    def __init__(
        self,
        *,
        stream_name: str,
        until: str,
        deadline: float,
        poll_seconds: float,
        max_age_seconds: float | None = None,
        warehouse_conn_id: str | None = None,
        sql: str | None = None,
        parameters: dict[str, Any] | None = None,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(deadline=deadline, poll_seconds=poll_seconds)
        self.stream_name = stream_name
        self.until = until
        self.max_age_seconds = max_age_seconds
        self.warehouse_conn_id = warehouse_conn_id
        self.sql = sql
        self.parameters = parameters
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config

    @cached_property
    def hook(self) -> "KinesisStreamHook":
        from pinterest_pipeline.kinesis.hook import KinesisStreamHook  # noqa: PLC0415 - boto3 slows DAG parsing

        return KinesisStreamHook(
            aws_conn_id=self.aws_conn_id, region_name=self.region_name, verify=self.verify, config=self.botocore_config
        )

    @override
    def check(self) -> PollResult:
        from pinterest_pipeline.warehouse.hook import PipelinePostgresHook  # noqa: PLC0415 - psycopg2 slows DAG parsing

        return check_stream(
            self.hook,
            require_stream_name(self.stream_name),
            until=self.until,
            max_age_seconds=self.max_age_seconds,
            database=PipelinePostgresHook(self.warehouse_conn_id) if self.warehouse_conn_id else None,
            sql=self.sql,
            parameters=self.parameters,
        )
