"""Send rows to a Kinesis stream."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any, override

from airflow.sdk import Context

from pinterest_pipeline.common.concurrency import MAX_IN_FLIGHT, require_between
from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.common.records import DeadLetter, Record
from pinterest_pipeline.kinesis.batches import Bounds
from pinterest_pipeline.kinesis.model import (
    DEFAULT_MAX_RECORD_BYTES,
    FailedRecord,
    PutResult,
    StreamDescription,
    StreamRecord,
    short_name,
)
from pinterest_pipeline.kinesis.operators import KinesisStreamOperator
from pinterest_pipeline.kinesis.plan import Await, Change, missing_stream, still_busy
from pinterest_pipeline.lake.dead_letters import DeadLetterBox
from pinterest_pipeline.source.records import Rows, Source, require_one, require_query

if TYPE_CHECKING:
    from pinterest_pipeline.lake.hook import LakeHook


class KinesisPutRecordsOperator(KinesisStreamOperator):
    """Send every row of a query, an iterable or JSON lines to a stream, keyed, and account for each.

    The data of a record is the row as a JSON object; its partition key is the key column's text, or, where that is
    NULL, a hash of the data: such a row goes out too, for the readers' quarantine. The rows are read once, in their
    order, and never held all at once. A record that cannot be delivered (larger than the stream takes, 1 to 10 MiB, or
    refused in all attempts while others are taken) is kept whole in the lake,
    ``<dead_letter_prefix>/<stream>/dt=<day>/``, one JSON line each; the others are delivered. Waits,
    deferred if so set, for a stream that is being created.

    Not atomic and without order, and a retry of the task sends all rows again: readers take the latest of a key.

    Returns ``{"stream", "rows", "acknowledged", "dead_letters", "dead_letter_uri" (prefix of the objects, or None),
    "requests", "retried" (records sent again), "bytes", "started_at" (ISO 8601, UTC), "seconds", "shards":
    [{"shard_id", "first_sequence_number", "last_sequence_number"}]}``; ``rows`` = ``acknowledged`` + ``dead_letters``.

    :param sql: Query, or ``.sql`` file, of ``source_conn_id``; ``parameters`` are bound by the database driver.
        (templated) Or ``rows``, or ``json_lines``, as in ``KafkaRestProduceOperator``: give one of the three.
    :param key_column: Column of the rows whose text is the partition key.
    :param concurrency: 1 to 16 requests at a time.
    :raises PermanentError: empty query, missing or unsupported column, no such object, missing stream, refused
        credentials; or every record became a dead letter.
    :raises TransientError: Kinesis did not answer, or a shard was throttled, in all attempts.
    """

    template_fields: Sequence[str] = (
        "sql",
        "parameters",
        "rows",
        "json_lines",
        "dead_letter_bucket",
        "dead_letter_prefix",
        *KinesisStreamOperator.template_fields,
    )
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers = {"sql": "sql", "parameters": "json"}  # noqa: RUF012 - declared so by the base class

    def __init__(
        self,
        *,
        key_column: str,
        dead_letter_bucket: str,
        sql: str | None = None,
        rows: Rows | None = None,
        json_lines: str | None = None,
        parameters: Mapping[str, Any] | Sequence[Any] | None = None,
        source_conn_id: str = "pinterest_source",
        dead_letter_prefix: str = "dead-letters",
        concurrency: int = 4,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        require_between("concurrency", concurrency, MAX_IN_FLIGHT)
        require_one(sql, rows, json_lines)
        self.sql = sql
        self.rows = rows
        self.json_lines = json_lines
        self.parameters = parameters
        self.key_column = key_column
        self.source_conn_id = source_conn_id
        self.dead_letter_bucket = dead_letter_bucket
        self.dead_letter_prefix = dead_letter_prefix
        self.concurrency = concurrency

    @override
    def execute(self, context: Context) -> dict[str, Any]:
        require_query(self.sql, f"stream {self.stream_name}")  # before a stream is waited for
        return super().execute(context)

    @override
    def on_kill(self) -> None:
        """Send nothing further; what is acknowledged stays, and the task's next try sends all again."""
        self.hook.stop()

    @override
    def next_step(self, stream: StreamDescription | None) -> Change | Await | None:
        if stream is None:
            raise missing_stream(self.stream_name)
        return None if stream.status == "UPDATING" else still_busy(stream)  # which takes records all the while

    @override
    def finish(self, context: Context, stream: StreamDescription | None, actions: list[str]) -> dict[str, Any]:
        started_at = datetime.now(UTC)
        box = self._dead_letter_box(context, started_at)
        source = Source(
            target=f"stream {self.stream_name}",
            key_column=self.key_column,
            sql=self.sql,
            parameters=self.parameters,
            conn_id=self.source_conn_id,
            rows=self.rows,
            json_lines=self.json_lines,
            lake_of=self._lake,
        )
        with source.open() as records:
            result = self.hook.put_records(
                self.stream_name,
                stream_records(records, box),
                max_in_flight=self.concurrency,
                bounds=Bounds(record_bytes=stream.max_record_bytes if stream else DEFAULT_MAX_RECORD_BYTES),
                on_failed=lambda failed: box.add(dead_letter(failed)),
            )
        box.flush()
        if result.records:
            box.supersede_earlier()
        return self._account(result, box, started_at)

    def _account(self, result: PutResult, box: DeadLetterBox, started_at: datetime) -> dict[str, Any]:
        if box.count and not result.records:
            raise PermanentError(
                f"stream {self.stream_name}: none of {box.count} records was acknowledged, the first because: "
                f"{box.first_reason}: fix that and clear the task; they are kept at {box.uri}*"
            )
        if box.count:
            self.log.warning("Stream %s: %d dead letters at %s*", self.stream_name, box.count, box.uri)
        return {
            "stream": self.stream_name,
            "rows": result.records + box.count,
            "acknowledged": result.records,
            "dead_letters": box.count,
            "dead_letter_uri": box.uri,
            "requests": result.requests,
            "retried": result.retried,
            "bytes": result.sent_bytes,
            "started_at": started_at.isoformat(timespec="seconds"),
            "seconds": round(result.milliseconds / 1000, 3),
            "shards": [shard._asdict() for shard in result.shards],
        }

    def _dead_letter_box(self, context: Context, started_at: datetime) -> DeadLetterBox:
        return DeadLetterBox.of_task(
            self._lake(self.dead_letter_bucket),
            context,
            prefix=self.dead_letter_prefix,
            topic=short_name(self.stream_name),
            started_at=started_at,
        )

    def _lake(self, bucket: str) -> "LakeHook":
        from pinterest_pipeline.lake.hook import LakeHook  # noqa: PLC0415 - boto3 slows DAG parsing

        return LakeHook(
            bucket, self.aws_conn_id, region_name=self.region_name, verify=self.verify, config=self.botocore_config
        )


def stream_records(records: Iterable[Record | DeadLetter], box: DeadLetterBox) -> Iterator[StreamRecord]:
    """Yield the records of a stream, and put the dead letters among the others into the box."""
    for record in records:
        if isinstance(record, DeadLetter):
            box.add(record)
        else:
            yield stream_record(record)


def stream_record(record: Record) -> StreamRecord:
    """Return a row's record with its key as text; without one it gets a key of its own, always the same."""
    key = json.loads(record.key)
    return StreamRecord(sha256(record.value).hexdigest() if key is None else str(key), record.value)


def dead_letter(failed: FailedRecord) -> DeadLetter:
    reason = f"{failed.error_code}: {failed.reason}" if failed.error_code else failed.reason
    return DeadLetter(failed.record.partition_key, failed.record.data.decode(), reason)
