"""Send rows to a Kafka topic through a Kafka REST proxy."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, override

from pinterest_pipeline.common.records import DeadLetter, Record
from pinterest_pipeline.kafka_rest.send import KafkaRestSendOperator
from pinterest_pipeline.kafka_rest.summary import SendSummary
from pinterest_pipeline.lake.dead_letters import DeadLetterBox
from pinterest_pipeline.source.records import Rows, Source, require_one

if TYPE_CHECKING:
    from airflow.sdk import Context


class KafkaRestProduceOperator(KafkaRestSendOperator[DeadLetterBox]):
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
    :param max_batch_records: 1 to 10,000 records a request.
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
        *KafkaRestSendOperator.template_fields, "sql", "parameters", "rows", "json_lines",
    )  # fmt: skip
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers = {"sql": "sql", "parameters": "json"}  # noqa: RUF012 - declared so by the base class
    box_type = DeadLetterBox

    def __init__(
        self,
        *,
        sql: str | None = None,
        rows: Rows | None = None,
        json_lines: str | None = None,
        parameters: Mapping[str, Any] | Sequence[Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        require_one(sql, rows, json_lines)
        self.sql = sql
        self.rows = rows
        self.json_lines = json_lines
        self.parameters = parameters

    @override
    def execute(self, context: "Context") -> SendSummary:
        return self.send(context)[0]

    @override
    def open_records(self, box: DeadLetterBox) -> AbstractContextManager[Iterator[Record | DeadLetter]]:
        return Source(
            target=f"topic {self.topic}",
            key_column=self.key_column,
            sql=self.sql,
            parameters=self.parameters,
            conn_id=self.source_conn_id,
            rows=self.rows,
            json_lines=self.json_lines,
            lake_of=self._lake,
        ).open()
