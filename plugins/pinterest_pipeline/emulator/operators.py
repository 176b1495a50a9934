"""Emulate users: put posts of the source into the Kinesis streams at a chosen rate, and into Kafka on request."""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, override

from airflow.sdk import BaseOperator

from pinterest_pipeline.common.errors import PermanentError, TransientError
from pinterest_pipeline.common.records import Record, row_encoder
from pinterest_pipeline.common.tables import KEYS, TABLES, topic_name
from pinterest_pipeline.emulator.checkpoint import Checkpoint, rest_of
from pinterest_pipeline.emulator.plan import Emission, Kind, Plan
from pinterest_pipeline.emulator.run import Emulation, EmulationResult, Rows, added
from pinterest_pipeline.kinesis.model import StreamRecord
from pinterest_pipeline.source.unreadable import keep_unreadable_values

if TYPE_CHECKING:
    from airflow.sdk import Context

PROGRESS_SECONDS = 10.0
type Send = Callable[[str, Sequence[Emission]], None]


class EmulatePostsOperator(BaseOperator):
    """Put posts into the streams ``<stream_prefix>-pin|geo|user``, keyed by post id, as a plan says.

    Every few seconds, and when it ends early, the task writes a checkpoint into the lake,
    ``emulation/<dag>.<run>.<task>.json``; its next try continues there. A record that was on its way when a try died is
    sent again: readers keep one row a key. A task that is cleared after a success sends everything again.

    Returns ``{"mode", "seed", "start", "next_position", "exhausted", "posts", "rows", "duplicates", "malformed"
    (records by defect), "late", "reordered", "missing_rows", "put" (acknowledged records by table), "bytes", "seconds",
    "most_behind_seconds", "kafka_rows"}``, over all tries; ``next_position`` is the ``start`` of a run that continues.
    A try that was killed outright counts up to its last checkpoint.

    :param plan: The arguments of :class:`pinterest_pipeline.emulator.plan.Plan`. (templated)
    :param sql_folder: Holds ``emulation/ids.sql`` and one query a table.
    :param stream_prefix: ``streaming-pinterest`` for ``streaming-pinterest-pin``. (templated)
    :param bucket: Of the lake, for the checkpoint. (templated)
    :param topic_prefix: With it each row, and nothing else, is also sent to ``<topic_prefix>.<table>`` through Kafka
        REST. Empty or ``False`` = not. (templated)
    :raises PermanentError: a plan out of range, an empty source, a missing stream or topic, a refused record.
    :raises TransientError: a service did not answer in all attempts, or the task was stopped.
    """

    template_fields: Sequence[str] = ("plan", "stream_prefix", "bucket", "topic_prefix")
    template_fields_renderers = {"plan": "json"}  # noqa: RUF012 - declared so by the base class
    ui_color = "#d5f0e8"

    def __init__(
        self,
        *,
        plan: Mapping[str, Any],
        sql_folder: str,
        stream_prefix: str,
        bucket: str,
        topic_prefix: str | bool = "",
        source_conn_id: str = "pinterest_source",
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
        kafka_rest_conn_id: str = "pinterest_kafka_rest",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.plan = plan
        self.sql_folder = sql_folder
        self.stream_prefix = stream_prefix
        self.bucket = bucket
        self.topic_prefix = topic_prefix
        self.source_conn_id = source_conn_id
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config
        self.kafka_rest_conn_id = kafka_rest_conn_id
        self._stop = threading.Event()
        self._kafka_rows = 0

    @override
    def execute(self, context: "Context") -> EmulationResult:
        from pinterest_pipeline.lake.hook import LakeHook  # noqa: PLC0415 - boto3 slows DAG parsing
        from pinterest_pipeline.warehouse.hook import PipelinePostgresHook  # noqa: PLC0415 - psycopg2 slows DAG parsing

        try:
            plan = Plan(**self.plan)
        except (TypeError, ValueError) as error:
            raise PermanentError(f"{error} Correct the params of this run.") from error
        checkpoint = Checkpoint(LakeHook(self.bucket, **self._aws), context["ti"], plan)
        earlier = checkpoint.read() if context["ti"].try_number > 1 else None
        if earlier is not None:
            rest = rest_of(plan, earlier)
            if rest is None:
                return self._finish(checkpoint, earlier)
            self.log.info("Earlier tries sent %d posts; continuing at position %d", earlier["posts"], rest.start)
            plan = rest
        connection: Any = PipelinePostgresHook(self.source_conn_id).get_conn()
        with closing(connection) as source:
            source.autocommit = True
            keep_unreadable_values(source)
            ids = self._ids(source)
            emulation = Emulation(
                plan, ids, lambda some: self._rows(source, some), self._sender(), wait=self._stop.wait
            )

            def save() -> None:
                checkpoint.write({**self._result(emulation, earlier), "next_position": emulation.resume_position})

            emulation.on_progress = self._progress(save)
            try:
                emulation.run()
            finally:
                save()
        if emulation.was_stopped:
            raise TransientError(f"Stopped at position {emulation.next_position}: the next try continues there.")
        return self._finish(checkpoint, self._result(emulation, earlier))

    @override
    def on_kill(self) -> None:
        """End after the records that are being sent."""
        self._stop.set()

    def _progress(self, save: Callable[[], None]) -> Callable[[Emulation], None]:
        """Return the function that logs the state and writes the checkpoint every few seconds."""
        next_time = time.monotonic() + PROGRESS_SECONDS

        def show(now: Emulation) -> None:
            nonlocal next_time
            if time.monotonic() < next_time:
                return
            next_time = time.monotonic() + PROGRESS_SECONDS
            self.log.info(
                "Position %d of %d: %d records put, %.1f posts/s requested, %.1f s behind at most",
                now.next_position,
                now.end,
                now.put.total(),
                now.plan.rate,
                now.most_behind_seconds,
            )
            save()

        return show

    def _finish(self, checkpoint: Checkpoint, result: EmulationResult) -> EmulationResult:
        checkpoint.clear()
        self.log.info(
            "Sent %d posts, %d records in %.1f s; %s",
            result["posts"],
            sum(result["put"].values()),
            result["seconds"],
            "every post has been sent" if result["exhausted"] else f"continue with start {result['next_position']}",
        )
        return result

    def _result(self, emulation: Emulation, earlier: EmulationResult | None) -> EmulationResult:
        summary = emulation.summary()
        kafka_rows = self._kafka_rows + (earlier["kafka_rows"] if earlier else 0)
        return EmulationResult(**(added(earlier, summary) if earlier else summary), kafka_rows=kafka_rows)

    @property
    def _aws(self) -> dict[str, Any]:
        return {
            "aws_conn_id": self.aws_conn_id,
            "region_name": self.region_name,
            "verify": self.verify,
            "config": self.botocore_config,
        }

    def _ids(self, source: Any) -> list[int]:
        with source.cursor() as cursor:
            cursor.execute(self._sql("ids"))
            ids = [row[0] for row in cursor.fetchall()]
        if not ids:
            raise PermanentError(f"The source of connection {self.source_conn_id} holds no posts: load some.")
        return ids

    def _rows(self, source: Any, ids: Sequence[int]) -> Rows:
        rows: dict[str, dict[int, bytes]] = {}
        with source.cursor() as cursor:
            for table in TABLES:
                cursor.execute(self._sql(table), {"ids": list(ids)})
                encode = row_encoder([column[0] for column in cursor.description], KEYS[table])
                encoded = {row[0]: encode(row) for row in cursor.fetchall()}
                rows[table] = {post: record.value for post, record in encoded.items() if isinstance(record, Record)}
        return rows

    def _sql(self, name: str) -> str:
        return (Path(self.sql_folder) / "emulation" / f"{name}.sql").read_text()

    def _sender(self) -> Send:
        from pinterest_pipeline.kafka_rest.hook import KafkaRestHook  # noqa: PLC0415 - requests slows DAG parsing
        from pinterest_pipeline.kinesis.hook import KinesisStreamHook  # noqa: PLC0415 - boto3 slows DAG parsing

        kinesis = KinesisStreamHook(**self._aws)
        kafka = KafkaRestHook(self.kafka_rest_conn_id) if self.topic_prefix else None

        def send(table: str, emissions: Sequence[Emission]) -> None:
            stream = f"{self.stream_prefix}-{table}"
            records = [StreamRecord(e.key, e.data) for e in emissions]
            put = kinesis.put_records(stream, records, max_in_flight=1, log_level=logging.DEBUG)
            if put.failed:
                said = f"stream {stream} did not take {put.failed_count} records: {put.failed[0].reason}"
                raise (TransientError if put.failed[0].error_code else PermanentError)(said)
            rows = [Record(e.key.encode(), e.data) for e in emissions if e.kind == Kind.ROW]
            if kafka is not None and rows:
                topic = topic_name(str(self.topic_prefix), table)
                if refused := kafka.produce(topic, rows).dead_letters:
                    raise PermanentError(f"topic {topic} did not take {len(refused)} rows: {refused[0].reason}")
                self._kafka_rows += len(rows)

        return send
