"""Wait until a stream can be used, and its readers keep up."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, override

from pinterest_pipeline.common.links import KinesisStreamLink
from pinterest_pipeline.common.polling import PollingSensor
from pinterest_pipeline.kinesis.plan import Await
from pinterest_pipeline.kinesis.triggers import KinesisStreamTrigger


class KinesisStreamSensor(PollingSensor):
    """Succeed when a stream is ACTIVE and, with ``max_iterator_age``, its readers are at most so far behind.

    The iterator age is CloudWatch's (``GetRecords.IteratorAgeMilliseconds``, the greatest of the newest minute, over
    all readers of the stream). Where CloudWatch has none of the last five minutes (no reader, or no CloudWatch) it is
    the age of the oldest record after the place up to which ``sql`` says readers have read; without ``sql`` it is not
    known, and the sensor says so and waits. Fails at once where the stream does not exist or is being deleted. A poll
    costs two requests, and one to CloudWatch and about two a shard for the iterator age.

    Returns ``{"stream", "status", "open_shards"}``, and with ``max_iterator_age`` also ``"iterator_age_ms"`` and
    ``"source"`` (``cloudwatch`` or ``shards``).

    :param stream_name: Name of the stream, or its ARN, as one of another account needs. (templated)
    :param sql: Query, or ``.sql`` file, that tells how far readers are; see
        :func:`pinterest_pipeline.kinesis.readiness.read_up_to`. Run by ``warehouse_conn_id`` at each poll. (templated)
    """

    template_fields: Sequence[str] = ("stream_name", "sql", "parameters", "aws_conn_id", "region_name")
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers = {"sql": "sql", "parameters": "json"}  # noqa: RUF012 - declared so by the base class
    operator_extra_links = (KinesisStreamLink(),)
    ui_color = "#d5e8f5"

    def __init__(
        self,
        *,
        stream_name: str,
        max_iterator_age: timedelta | None = None,
        sql: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        warehouse_conn_id: str = "pinterest_warehouse",
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if max_iterator_age is not None and max_iterator_age < timedelta(0):
            raise ValueError(f"max_iterator_age is {max_iterator_age}, expected 0 or more.")
        if sql is not None and max_iterator_age is None:
            raise ValueError("sql is given without max_iterator_age: give the age that it is to be held against.")
        self.stream_name = stream_name
        self.max_iterator_age = max_iterator_age
        self.sql = sql
        self.parameters = parameters
        self.warehouse_conn_id = warehouse_conn_id
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config

    @override
    def trigger(self, *, deadline: float, poll_seconds: float) -> KinesisStreamTrigger:
        age = self.max_iterator_age
        return KinesisStreamTrigger(
            stream_name=self.stream_name,
            until=Await.ACTIVE.value,
            deadline=deadline,
            poll_seconds=poll_seconds,
            max_age_seconds=None if age is None else age.total_seconds(),
            warehouse_conn_id=None if self.sql is None else self.warehouse_conn_id,
            sql=self.sql,
            parameters=None if self.parameters is None else dict(self.parameters),
            aws_conn_id=self.aws_conn_id,
            region_name=self.region_name,
            verify=self.verify,
            botocore_config=self.botocore_config,
        )
