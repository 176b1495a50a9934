"""Send the rows of a query to a Kinesis stream."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, override

from airflow.sdk import Context

from pinterest_pipeline.common.concurrency import MAX_IN_FLIGHT, require_between
from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.common.records import DeadLetter, Record, UnsupportedColumnError, row_encoder
from pinterest_pipeline.kinesis.model import FailedRecord, PutResult, StreamDescription, StreamRecord
from pinterest_pipeline.kinesis.operators import KinesisStreamOperator
from pinterest_pipeline.kinesis.plan import Await, Change, missing_stream, still_busy
from pinterest_pipeline.lake.dead_letters import DeadLetterBox
from pinterest_pipeline.warehouse.queries import open_query


class KinesisPutRecordsOperator(KinesisStreamOperator):
    """Send every row of a query to a stream, keyed, and account for each.

    The data of a record is the row as a JSON object; its partition key is the key column's text, or, where that is
    NULL, a hash of the data: such a row goes out too, for the readers' quarantine. The rows are read once, in the
    query's order, and never held all at once. A record that cannot be delivered (more than 1 MiB, or refused in all
    attempts while others are taken) is kept whole in the lake, ``<dead_letter_prefix>/<stream>/dt=<day>/``, one JSON
    line each; the others are delivered. Waits, deferred if so set, for a stream that is being created.

    Not atomic and without order, and a retry of the task sends all rows again: readers take the latest of a key.

    Returns ``{"stream", "rows", "acknowledged", "dead_letters", "dead_letter_uri" (prefix of the objects, or None),
    "requests", "retried" (records sent again), "bytes", "started_at" (ISO 8601, UTC), "seconds", "shards":
    [{"shard_id", "first_sequence_number", "last_sequence_number"}]}``; ``rows`` = ``acknowledged`` + ``dead_letters``.

    :param sql: Query, or ``.sql`` file; ``parameters`` are bound by the database driver. (templated)
    :param key_column: Column of the result whose text is the partition key.
    :param concurrency: 1 to 16 requests at a time.
    :raises PermanentError: empty query, missing or unsupported column, missing stream, refused credentials; or every
        record became a dead letter.
    :raises TransientError: Kinesis did not answer, or a shard was throttled, in all attempts.
    """

    template_fields: Sequence[str] = (
        "sql",
        "parameters",
        "dead_letter_bucket",
        "dead_letter_prefix",
        *KinesisStreamOperator.template_fields,
    )
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers = {"sql": "sql", "parameters": "json"}  # noqa: RUF012 - declared so by the base class

    def __init__(
        self,
        *,
        sql: str,
        key_column: str,
        dead_letter_bucket: str,
        parameters: Mapping[str, Any] | Sequence[Any] | None = None,
        source_conn_id: str = "pinterest_source",
        dead_letter_prefix: str = "dead-letters",
        concurrency: int = 4,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        require_between("concurrency", concurrency, MAX_IN_FLIGHT)
        self.sql = sql
        self.parameters = parameters
        self.key_column = key_column
        self.source_conn_id = source_conn_id
        self.dead_letter_bucket = dead_letter_bucket
        self.dead_letter_prefix = dead_letter_prefix
        self.concurrency = concurrency

    @override
    def execute(self, context: Context) -> dict[str, Any]:
        if not self.sql.strip():
            raise PermanentError(
                f"task {self.task_id}: the query for stream {self.stream_name} is empty: give it as `sql`"
            )
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
        from pinterest_pipeline.warehouse.hook import PipelinePostgresHook  # noqa: PLC0415 - psycopg2 slows DAG parsing

        started_at = datetime.now(UTC)
        box = self._dead_letter_box(context, started_at)
        with open_query(PipelinePostgresHook(self.source_conn_id), self.sql, self.parameters) as (columns, rows):
            result = self.hook.put_records(
                self.stream_name,
                self._records(columns, rows, box),
                max_in_flight=self.concurrency,
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

    def _records(
        self, columns: Sequence[str], rows: Iterator[Sequence[Any]], box: DeadLetterBox
    ) -> Iterator[StreamRecord]:
        try:
            for encoded in map(row_encoder(columns, self.key_column), rows):
                if isinstance(encoded, DeadLetter):
                    box.add(encoded)
                else:
                    yield stream_record(encoded)
        except (ValueError, UnsupportedColumnError) as error:
            raise PermanentError(f"the query for stream {self.stream_name}: {error}") from error

    def _dead_letter_box(self, context: Context, started_at: datetime) -> DeadLetterBox:
        from pinterest_pipeline.lake.hook import LakeHook  # noqa: PLC0415 - boto3 slows DAG parsing

        lake = LakeHook(self.dead_letter_bucket, self.aws_conn_id)
        return DeadLetterBox.of_task(
            lake, context, prefix=self.dead_letter_prefix, topic=self.stream_name, started_at=started_at
        )


def stream_record(record: Record) -> StreamRecord:
    """Return a row's record with its key as text; without one it gets a key of its own, always the same."""
    key = json.loads(record.key)
    return StreamRecord(sha256(record.value).hexdigest() if key is None else str(key), record.value)


def dead_letter(failed: FailedRecord) -> DeadLetter:
    reason = f"{failed.error_code}: {failed.reason}" if failed.error_code else failed.reason
    return DeadLetter(failed.record.partition_key, failed.record.data.decode(), reason)
