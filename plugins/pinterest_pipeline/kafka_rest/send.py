"""What the operators that send records to a topic share: batches in flight, progress, dead letters, counts."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, override

from airflow.sdk import BaseOperator

from pinterest_pipeline.common.concurrency import MAX_IN_FLIGHT, map_in_flight, require_between
from pinterest_pipeline.common.records import DeadLetter, Record
from pinterest_pipeline.kafka_rest.batches import in_batches
from pinterest_pipeline.kafka_rest.retries import (
    CONNECT_TIMEOUT_SECONDS,
    FIRST_WAIT_SECONDS,
    MAX_ATTEMPTS,
    MAX_WAIT_SECONDS,
    READ_TIMEOUT_SECONDS,
)
from pinterest_pipeline.kafka_rest.summary import SendCounts, SendSummary
from pinterest_pipeline.lake.dead_letters import DeadLetterBox
from pinterest_pipeline.lake.send_progress import SendProgress

if TYPE_CHECKING:
    from airflow.sdk import Context

    from pinterest_pipeline.kafka_rest.hook import KafkaRestHook
    from pinterest_pipeline.kafka_rest.outcomes import BatchOutcomes
    from pinterest_pipeline.lake.hook import LakeHook

BATCH_RECORDS = 2000  # a gateway costs 3 ms a request: a quarter more rows/s than with 500; with 5,000 no more
MAX_BATCH_RECORDS = 10_000  # after a request without an answer so many are sent again
MAX_BATCH_BYTES = 10_000_000  # Amazon API Gateway: payload size, not adjustable


class KafkaRestSendOperator[Box: DeadLetterBox](BaseOperator):
    """Send records to a topic, keyed, and account for each; a subclass says which: ``box_type`` and ``open_records``.

    The parameters are those of :class:`~pinterest_pipeline.kafka_rest.operators.KafkaRestProduceOperator`.
    """

    template_fields: Sequence[str] = (
        "topic", "dead_letter_bucket", "dead_letter_prefix", "aws_conn_id", "region_name",
    )  # fmt: skip
    ui_color = "#e8d5f5"
    box_type: type[Box]

    def __init__(
        self,
        *,
        topic: str,
        key_column: str,
        dead_letter_bucket: str,
        source_conn_id: str = "pinterest_source",
        kafka_rest_conn_id: str = "pinterest_kafka_rest",
        dead_letter_prefix: str = "dead-letters",
        progress_prefix: str = "progress",
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
        max_batch_records: int = BATCH_RECORDS,
        max_batch_bytes: int = 4 * 1024 * 1024,
        concurrency: int = 4,
        max_attempts: int = MAX_ATTEMPTS,
        first_wait_seconds: float = FIRST_WAIT_SECONDS,
        max_wait_seconds: float = MAX_WAIT_SECONDS,
        connect_timeout_seconds: float = CONNECT_TIMEOUT_SECONDS,
        read_timeout_seconds: float = READ_TIMEOUT_SECONDS,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        require_between("max_batch_records", max_batch_records, MAX_BATCH_RECORDS)
        require_between("max_batch_bytes", max_batch_bytes, MAX_BATCH_BYTES)
        require_between("concurrency", concurrency, MAX_IN_FLIGHT)
        self.topic = topic
        self.key_column = key_column
        self.source_conn_id = source_conn_id
        self.kafka_rest_conn_id = kafka_rest_conn_id
        self.dead_letter_bucket = dead_letter_bucket
        self.dead_letter_prefix = dead_letter_prefix
        self.progress_prefix = progress_prefix
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config
        self.max_batch_records = max_batch_records
        self.max_batch_bytes = max_batch_bytes
        self.concurrency = concurrency
        self.max_attempts = max_attempts
        self.first_wait_seconds = first_wait_seconds
        self.max_wait_seconds = max_wait_seconds
        self.connect_timeout_seconds = connect_timeout_seconds
        self.read_timeout_seconds = read_timeout_seconds
        self._hook: KafkaRestHook | None = None

    def send(self, context: "Context") -> tuple[SendSummary, Box]:
        """Send what :meth:`open_records` opens; return the counts, and the box with the dead letters."""
        from pinterest_pipeline.kafka_rest.hook import KafkaRestHook  # noqa: PLC0415 - requests slows DAG parsing

        self._hook = hook = KafkaRestHook(
            self.kafka_rest_conn_id,
            connect_timeout_seconds=self.connect_timeout_seconds,
            read_timeout_seconds=self.read_timeout_seconds,
            max_attempts=self.max_attempts,
            first_wait_seconds=self.first_wait_seconds,
            max_wait_seconds=self.max_wait_seconds,
        )
        self.log.info("Sending to topic %s at %s", self.topic, hook.endpoint.base_url)
        started_at = datetime.now(UTC)
        lake = self._lake(self.dead_letter_bucket)
        box = self.box_type.of_task(
            lake, context, prefix=self.dead_letter_prefix, topic=self.topic, started_at=started_at
        )
        progress = SendProgress.of_task(
            lake if self.progress_prefix else None,
            context["ti"],
            prefix=self.progress_prefix,
            target=f"{hook.endpoint.base_url}/topics/{self.topic}",
            started_at=started_at,
        )
        counts = SendCounts(self.topic, box, progress)
        try:
            with self.open_records(box) as records:
                self._send(hook, progress.unacknowledged(records), counts, progress)
        except BaseException:
            progress.save()
            raise
        return counts.finish(), box

    def open_records(self, box: Box) -> AbstractContextManager[Iterator[Record | DeadLetter]]:
        """Open what is to be sent, in an order that each try repeats."""
        raise NotImplementedError

    def _send(
        self,
        hook: "KafkaRestHook",
        records: Iterator[Record | DeadLetter],
        counts: SendCounts,
        progress: SendProgress,
    ) -> None:
        batches = in_batches(records, max_records=self.max_batch_records, max_bytes=self.max_batch_bytes)

        def on_end(batch: Sequence[Record], outcomes: "BatchOutcomes") -> None:
            progress.add(batch, outcomes.acknowledged_in_order(), outcomes.partitions)

        produce = partial(hook.produce, self.topic, on_end=on_end)
        results = map_in_flight(produce, counts.batches_of(batches), limit=self.concurrency, stop=hook.stop)
        with closing(results):
            for result in results:
                counts.add(result)

    @override
    def on_kill(self) -> None:
        """Send nothing further; what is acknowledged stays so."""
        if self._hook is not None:
            self._hook.stop()

    def _lake(self, bucket: str) -> "LakeHook":
        from pinterest_pipeline.lake.hook import LakeHook  # noqa: PLC0415 - boto3 slows DAG parsing

        return LakeHook(
            bucket, self.aws_conn_id, region_name=self.region_name, verify=self.verify, config=self.botocore_config
        )
