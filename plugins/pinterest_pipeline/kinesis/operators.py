"""Bring Kinesis streams to what is declared, give them more or fewer shards, and delete them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, override

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.kinesis.model import Mode, StreamDescription, UnreadShard
from pinterest_pipeline.kinesis.operators_base import KinesisStreamOperator
from pinterest_pipeline.kinesis.plan import (
    Await,
    Change,
    StreamSpec,
    is_shard_count,
    missing_stream,
    next_step,
    scaling,
    still_busy,
)
from pinterest_pipeline.kinesis.readiness import read_up_to


class KinesisEnsureStreamOperator(KinesisStreamOperator):
    """Create the stream, or change it where it is not as declared; do nothing where it is.

    In this order: mode, shard count, retention, encryption, tags, each waited for before the next. Tags that are not
    declared are left alone. Returns ``{"stream", "arn", "status", "mode", "open_shards", "retention_hours",
    "encryption", "actions"}``; ``actions`` says what was changed, ``[]`` = nothing.

    Retention, when made shorter, drops what is older at once.

    :param mode: ``PROVISIONED`` or ``ON_DEMAND``. Kinesis changes it at most twice in 24 hours.
    :param shard_count: 1 to 10,000; None for ON_DEMAND.
    :param converge_shard_count: Whether a stream with another number of shards is scaled (default), or the number
        counts only when the stream is created.
    :param retention_hours: 24 to 8,760.
    :param key_id: KMS key that encrypts; ``alias/aws/kinesis`` is AWS' own; None = not encrypted.
    :param tags: Tags that must be there.
    """

    def __init__(
        self,
        *,
        mode: str = Mode.PROVISIONED.value,
        shard_count: int | None = 1,
        converge_shard_count: bool = True,
        retention_hours: int = 24,
        key_id: str | None = None,
        tags: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.mode = mode
        self.shard_count = shard_count
        self.converge_shard_count = converge_shard_count
        self.retention_hours = retention_hours
        self.key_id = key_id
        self.tags = dict(tags or {})
        if problems := self._spec().problems():
            raise ValueError(f"{self.task_id}: {'; '.join(problems)}.")

    def _spec(self) -> StreamSpec:
        return StreamSpec(self.stream_name, self.mode, self.shard_count, self.retention_hours, self.key_id, self.tags)

    @override
    def next_step(self, stream: StreamDescription | None) -> Change | Await | None:
        return next_step(stream, self._spec(), converge_shard_count=self.converge_shard_count)

    @override
    def finish(self, context: Any, stream: StreamDescription | None, actions: list[str]) -> dict[str, Any]:
        if stream is None:
            raise RuntimeError("ensured a stream that is not there")
        if self.shard_count not in {None, stream.open_shard_count}:
            self.log.info("It has %s shards, declared are %s", stream.open_shard_count, self.shard_count)
        return {
            "stream": stream.name,
            "arn": stream.arn,
            "status": stream.status,
            "mode": stream.mode,
            "open_shards": stream.open_shard_count,
            "retention_hours": stream.retention_hours,
            "encryption": stream.key_id if stream.encryption != "NONE" else "NONE",
            "actions": actions,
        }


class KinesisScaleStreamOperator(KinesisStreamOperator):
    """Give a provisioned stream a number of open shards, in as many calls as Kinesis needs for that.

    UpdateShardCount at most doubles a stream's shards or halves them, at most 10 times in any 24 hours: 1 to 5 shards
    is 1 -> 2 -> 4 -> 5. What a day's calls do not reach is refused before the first. Readers follow the closed shards
    to their children; records stay where they are until their retention is over. Returns ``{"stream", "open_shards",
    "actions"}``.

    :param target_shard_count: 1 to 10,000. (templated)
    """

    template_fields: Sequence[str] = ("target_shard_count", *KinesisStreamOperator.template_fields)

    def __init__(self, *, target_shard_count: int | str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.target_shard_count = target_shard_count

    @property
    def _target(self) -> int:
        text = str(self.target_shard_count)
        target = int(text) if text.isdecimal() else self.target_shard_count
        if isinstance(target, int) and is_shard_count(target):
            return target
        raise PermanentError(
            f"Stream {self.stream_name}: target_shard_count is {self.target_shard_count!r}, expected 1 to 10,000."
        )

    @override
    def next_step(self, stream: StreamDescription | None) -> Change | Await | None:
        target = self._target
        if stream is None:
            raise missing_stream(self.stream_name)
        if busy := still_busy(stream):
            return busy
        if stream.mode == Mode.PROVISIONED and stream.open_shard_count == target:
            return None
        return scaling(stream, target)

    @override
    def finish(self, context: Any, stream: StreamDescription | None, actions: list[str]) -> dict[str, Any]:
        return {"stream": self.stream_name, "open_shards": stream and stream.open_shard_count, "actions": actions}


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
            require_unwanted(stream, unread)
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
    def finish(self, context: Any, stream: StreamDescription | None, actions: list[str]) -> dict[str, Any]:
        return {"stream": self.stream_name, "deleted": bool(actions), "actions": actions}


def require_unwanted(stream: StreamDescription, unread: Sequence[UnreadShard]) -> None:
    """Raise where somebody still wants the stream."""
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
