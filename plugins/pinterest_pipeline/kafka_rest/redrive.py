"""Send dead letters again through a Kafka REST proxy."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, override

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.common.records import DeadLetter, Record, UnsupportedColumnError
from pinterest_pipeline.kafka_rest.send import KafkaRestSendOperator
from pinterest_pipeline.kafka_rest.summary import SendSummary
from pinterest_pipeline.lake.redrive import RedriveBox, Redriven
from pinterest_pipeline.source.redrive import RowsByKey, current_records, key_of, read_rows_by_key

if TYPE_CHECKING:
    from airflow.sdk import Context


class RedriveSummary(SendSummary):
    """The result of a task that sends dead letters again."""

    redriven: list[Redriven]


class KafkaRestRedriveOperator(KafkaRestSendOperator[RedriveBox]):
    """Send the dead letters of some objects again, and resolve each once: it is delivered, or a new dead letter.

    Where ``sql`` has a row of a dead letter's key, that row is sent as it is now: the stored value may be older than
    what was sent since. Where it has none, the stored value is sent.

    When all is sent, the objects are moved to ``<dead_letter_prefix>-redriven/<task>/…``, and what was refused again is
    a dead letter of this task, with the reason of this time. Until then nothing is moved: a task that fails, or is
    killed, goes on in its next try where it was. A task that is cleared after a success sends the same again.

    Returns what :class:`~pinterest_pipeline.kafka_rest.operators.KafkaRestProduceOperator` returns, and ``redriven``:
    ``[{"name" (of an object), "dead_letter_uri" (of the result of the task whose dead letters they are), "redriven",
    "refused"}]``.

    The other parameters are those of ``KafkaRestProduceOperator``.

    :param objects: Keys in ``dead_letter_bucket`` of objects below ``<dead_letter_prefix>/<topic>/``; none sends
        nothing. (templated)
    :param sql: Query, or ``.sql`` file, of the rows with the keys ``%(ids)s``, an array of whole numbers; other keys
        are not looked for. None sends the stored values. (templated)
    :raises PermanentError: as ``KafkaRestProduceOperator``; or every record was refused again.
    :raises TransientError: the proxy or Kafka did not answer in all attempts of a request.
    """

    template_fields: Sequence[str] = (*KafkaRestSendOperator.template_fields, "objects", "sql")
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers = {"sql": "sql", "objects": "json"}  # noqa: RUF012 - declared so by the base class
    box_type = RedriveBox

    def __init__(self, *, objects: Sequence[str], sql: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.objects = objects
        self.sql = sql

    @override
    def execute(self, context: "Context") -> RedriveSummary:
        summary, box = self.send(context)
        return RedriveSummary(**summary, redriven=box.outcome())

    @override
    @contextmanager
    def open_records(self, box: RedriveBox) -> Iterator[Iterator[Record | DeadLetter]]:
        yield self._records(box)

    def _records(self, box: RedriveBox) -> Iterator[Record | DeadLetter]:
        for stored, found in current_records(box.read(self.objects), self._rows, self.key_column):
            box.sending(stored, key_of(found))
            yield found

    def _rows(self, keys: Sequence[int]) -> RowsByKey:
        from pinterest_pipeline.source.database import database_of  # noqa: PLC0415 - psycopg2 slows DAG parsing

        if self.sql is None:
            return {}
        try:
            return read_rows_by_key(database_of(self.source_conn_id), self.sql, keys, self.key_column)
        except (ValueError, UnsupportedColumnError) as error:
            raise PermanentError(f"the query for topic {self.topic}: {error}") from error
