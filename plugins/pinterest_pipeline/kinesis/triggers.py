"""Wait, without a worker, for a stream."""

from functools import cached_property
from typing import TYPE_CHECKING, Any, override

from asgiref.sync import sync_to_async

from pinterest_pipeline.common.poll import PollResult
from pinterest_pipeline.common.polling_trigger import PollingTrigger
from pinterest_pipeline.kinesis.readiness import check_stream

if TYPE_CHECKING:
    from pinterest_pipeline.kinesis.hook import KinesisStreamHook


class KinesisStreamTrigger(PollingTrigger):
    """Ready when the stream is ``until`` (``ACTIVE`` or ``DELETED``) and, if asked, its readers keep up.

    The service is asked in a thread, by the same code as on a worker: two requests a poll, and one to CloudWatch and
    about two a shard for the iterator age.

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
        self.warehouse_conn_id = warehouse_conn_id
        self.check_arguments: dict[str, Any] = {
            "until": until,
            "max_age_seconds": max_age_seconds,
            "sql": sql,
            "parameters": parameters,
        }
        self.connection: dict[str, Any] = {
            "aws_conn_id": aws_conn_id,
            "region_name": region_name,
            "verify": verify,
            "botocore_config": botocore_config,
        }

    @override
    def arguments(self) -> dict[str, Any]:
        own = {"stream_name": self.stream_name, "warehouse_conn_id": self.warehouse_conn_id}
        return {**own, **self.check_arguments, **self.connection}

    @cached_property
    def _hook(self) -> "KinesisStreamHook":
        from pinterest_pipeline.kinesis.hook import KinesisStreamHook  # noqa: PLC0415 - boto3 slows DAG parsing

        return KinesisStreamHook(**hook_arguments(self.connection))

    @override
    async def check(self) -> PollResult:
        return await sync_to_async(self._check, thread_sensitive=False)()

    def _check(self) -> PollResult:
        from pinterest_pipeline.warehouse.hook import PipelinePostgresHook  # noqa: PLC0415 - psycopg2 slows DAG parsing

        database = PipelinePostgresHook(self.warehouse_conn_id) if self.warehouse_conn_id else None
        return check_stream(self._hook, self.stream_name, database=database, **self.check_arguments)


def hook_arguments(connection: dict[str, Any]) -> dict[str, Any]:
    """Return the hook's arguments: what operators call ``botocore_config`` is its ``config``."""
    return {"config" if name == "botocore_config" else name: value for name, value in connection.items()}
