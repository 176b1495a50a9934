"""Delete a Kinesis stream once all its records are read."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, override

from airflow.sdk import Context

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.kinesis.model import StreamDescription, UnreadShard
from pinterest_pipeline.kinesis.operators import KinesisStreamOperator
from pinterest_pipeline.kinesis.plan import Await, Change, still_busy
from pinterest_pipeline.kinesis.readiness import read_up_to


class KinesisDeleteStreamOperator(KinesisStreamOperator):
    """Delete a stream, once all its records are read; with ``force`` at once. One that is not there counts as deleted.

    Read is what ``sql`` says readers have read, see :func:`pinterest_pipeline.kinesis.readiness.read_up_to`; without
    ``sql`` nothing counts as read, so that only a stream without records is deleted. Stop the producers first: a record
    that comes between the check and the deletion is lost. Registered consumers (enhanced fan-out) count as readers that
    still want the stream. Returns ``{"stream", "deleted", "actions"}``; ``deleted`` is
    false where there was no stream, and the action says in how many shards ``force`` gave up unread records.

    :param sql: Query, or ``.sql`` file, run by ``warehouse_conn_id`` with ``parameters``. (templated)
    :param force: Delete the stream with what is unread in it. (templated)
    """

    template_fields: Sequence[str] = ("sql", "parameters", "force", *KinesisStreamOperator.template_fields)
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers = {"sql": "sql", "parameters": "json"}  # noqa: RUF012 - declared so by the base class

    def __init__(
        self,
        *,
        sql: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        warehouse_conn_id: str = "pinterest_warehouse",
        force: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sql = sql
        self.parameters = parameters
        self.warehouse_conn_id = warehouse_conn_id
        self.force = force

    @override
    def next_step(self, stream: StreamDescription | None) -> Change | Await | None:
        if stream is None:
            return None
        if busy := still_busy(stream):
            return busy
        forced = str(self.force).strip().lower() == "true"
        unread = self._unread()
        if not forced:
            require_drained(stream, unread)
        arguments = {"StreamName": stream.name, "EnforceConsumerDeletion": forced}
        given_up = f", giving up unread records in {len(unread)} shards" if unread else ""
        return Change("delete_stream", arguments, f"delete{given_up}")

    def _unread(self) -> tuple[UnreadShard, ...]:
        from pinterest_pipeline.warehouse.hook import PipelinePostgresHook  # noqa: PLC0415 - psycopg2 slows DAG parsing

        positions: Mapping[str, str] = {}
        arrived_after: datetime | None = None
        if self.sql is not None:
            positions, arrived_after = read_up_to(
                PipelinePostgresHook(self.warehouse_conn_id), self.sql, self.parameters
            )
        return self.hook.unread(self.stream_name, positions, arrived_after=arrived_after)

    @override
    def finish(self, context: Context, stream: StreamDescription | None, actions: list[str]) -> dict[str, Any]:
        return {"stream": self.stream_name, "deleted": bool(actions), "actions": actions}


def require_drained(stream: StreamDescription, unread: Sequence[UnreadShard]) -> None:
    """Raise where records are unread, or consumers are registered."""
    if unread:
        oldest = min(unread, key=lambda shard: shard.arrived_at)
        raise PermanentError(
            f"Stream {stream.name} has unread records in {len(unread)} shards, the oldest of "
            f"{oldest.arrived_at.isoformat(timespec='seconds')} in {oldest.shard_id} ({oldest.sequence_number}): let "
            "the readers finish (DAG pinterest_stream_supervisor), or delete it with force and lose them."
        )
    if stream.consumer_count:
        raise PermanentError(
            f"Stream {stream.name} has {stream.consumer_count} registered consumers: deregister them, or delete it "
            "with force."
        )
