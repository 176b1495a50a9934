"""Send rows to a Kafka topic through a Kafka REST proxy."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
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
from pinterest_pipeline.source.records import Rows, Source, require_one

if TYPE_CHECKING:
    from airflow.sdk import Context

    from pinterest_pipeline.kafka_rest.hook import KafkaRestHook
    from pinterest_pipeline.kafka_rest.outcomes import BatchOutcomes
    from pinterest_pipeline.lake.hook import LakeHook

MAX_BATCH_RECORDS = 500  # moves 20 to 30 thousand rows/s through a proxy; more gains nothing
MAX_BATCH_BYTES = 10_000_000  # Amazon API Gateway: payload size, not adjustable


class KafkaRestProduceOperator(BaseOperator):
    """Send every row of a query, an iterable or JSON lines to a topic, keyed, and account for each.

    The rows are read once, in their order, and never held all at once: up to ``concurrency + 1`` batches are in
    memory. A record that cannot be delivered is kept whole in the lake, ``<dead_letter_prefix>/<topic>/dt=<day>/``,
    one JSON line each (``topic, key, value, reason, error_code, run``); the others are delivered.

    Not atomic. Every few seconds, and when it fails, the task stores in the lake which rows are acknowledged. Its next
    try sends the others, those that have changed, and some twice whose answer got lost: consumers take the latest
    record of a key. A task that is cleared after a success sends all rows. The dead letters of the last try replace
    those of earlier ones, which are moved to ``<dead_letter_prefix>-superseded/``. A row whose key column is NULL is
    sent without a key. Rows of one key in different requests may change places where ``concurrency`` is more than 1.

    Returns ``{"topic", "rows", "acknowledged", "earlier_rows" (of those, by earlier tries), "dead_letters",
    "dead_letter_uri" (prefix of the objects, or None), "batches", "bytes" (of request bodies), "retries", "dialect"
    (None without rows), "started_at" (of the first try; ISO 8601, UTC), "seconds", "partitions": [{"partition",
    "first_offset", "last_offset"}]}``; ``rows`` = ``acknowledged`` + ``dead_letters``.

    :param sql: Query, or ``.sql`` file, with its own ORDER BY; ``parameters`` are bound by the database driver. Or
        ``rows``, or ``json_lines``: give one of the three.
    :param source_conn_id: Connection of the query: PostgreSQL, or any database that Airflow has a SQL hook for.
    :param rows: Mappings of columns to values, or a function that returns them and is called on the worker. A row
        without the key column is a dead letter. (templated: give what may contain ``{{`` by a function)
    :param json_lines: ``s3://bucket/key``, or ``s3://bucket/folder/`` for all objects in it, in the order of their
        names; gzip where a name ends in ``.gz``. Each line is a record, sent as it stands; one that is no JSON object,
        or has no key column, is a dead letter. (templated)
    :param key_column: Column of the rows whose text is the record's key.
    :param max_batch_records: 1 to 500 records a request.
    :param max_batch_bytes: 1 to 10,000,000 bytes a request; a record beyond it is a dead letter.
    :param progress_prefix: Where in ``dead_letter_bucket`` the progress is stored; "" = nowhere, so that each try sends
        all rows.
    :param concurrency: 1 to 16 requests at a time.
    :param max_attempts: In a row without any record of a request getting an outcome, the first included. With the
        default waits they last 2 to 5 minutes, so longer than a broker's restart or a proxy's deployment.
    :param first_wait_seconds: Before the second attempt; doubled each time, with jitter, up to ``max_wait_seconds``.
    :param connect_timeout_seconds: For the TCP and TLS handshake.
    :param read_timeout_seconds: For an answer; below the 29 s after which API Gateway itself gives up.
    :param aws_conn_id: With ``region_name``, ``verify`` and ``botocore_config`` for S3: dead letters, progress,
        ``json_lines``.
    :raises PermanentError: empty query, missing or unsupported column, no such object, unknown topic, missing
        connection fields, refused credentials; or every record became a dead letter.
    :raises TransientError: the proxy or Kafka did not answer in all attempts of a request.
    """

    template_fields: Sequence[str] = (
        "sql", "parameters", "rows", "json_lines", "topic", "dead_letter_bucket", "dead_letter_prefix", "aws_conn_id",
        "region_name",
    )  # fmt: skip
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers = {"sql": "sql", "parameters": "json"}  # noqa: RUF012 - declared so by the base class
    ui_color = "#e8d5f5"

    def __init__(
        self,
        *,
        topic: str,
        key_column: str,
        dead_letter_bucket: str,
        sql: str | None = None,
        rows: Rows | None = None,
        json_lines: str | None = None,
        parameters: Mapping[str, Any] | Sequence[Any] | None = None,
        source_conn_id: str = "pinterest_source",
        kafka_rest_conn_id: str = "pinterest_kafka_rest",
        dead_letter_prefix: str = "dead-letters",
        progress_prefix: str = "progress",
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
        max_batch_records: int = MAX_BATCH_RECORDS,
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
        require_one(sql, rows, json_lines)
        self.sql = sql
        self.rows = rows
        self.json_lines = json_lines
        self.parameters = parameters
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

    @override
    def execute(self, context: "Context") -> SendSummary:
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
        box = DeadLetterBox.of_task(
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
            with self._source.open() as records:
                self._send(hook, progress.unacknowledged(records), counts, progress)
        except BaseException:
            progress.save()
            raise
        return counts.finish()

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

    @property
    def _source(self) -> Source:
        return Source(
            target=f"topic {self.topic}",
            key_column=self.key_column,
            sql=self.sql,
            parameters=self.parameters,
            conn_id=self.source_conn_id,
            rows=self.rows,
            json_lines=self.json_lines,
            lake_of=self._lake,
        )

    def _lake(self, bucket: str) -> "LakeHook":
        from pinterest_pipeline.lake.hook import LakeHook  # noqa: PLC0415 - boto3 slows DAG parsing

        return LakeHook(
            bucket, self.aws_conn_id, region_name=self.region_name, verify=self.verify, config=self.botocore_config
        )
