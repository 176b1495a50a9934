"""Bring Kinesis streams to what is declared, and give them more or fewer shards."""

import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, override

from airflow.sdk import BaseOperator, Context

from pinterest_pipeline.common.compat import conf
from pinterest_pipeline.common.errors import PermanentError, TransientError
from pinterest_pipeline.common.links import KinesisStreamLink
from pinterest_pipeline.common.polling import PollEvent, require_no_failure, wait_or_defer
from pinterest_pipeline.kinesis.backlog import ReadUpTo, utc_now
from pinterest_pipeline.kinesis.model import Mode, StreamDescription, UnreadShard, age_milliseconds
from pinterest_pipeline.kinesis.plan import (
    Await,
    Change,
    Guard,
    StreamSpec,
    is_shard_count,
    missing_stream,
    next_step,
    require_stream_name,
    scaling,
    still_busy,
)
from pinterest_pipeline.kinesis.readiness import read_up_to
from pinterest_pipeline.kinesis.triggers import KinesisStreamTrigger

if TYPE_CHECKING:
    from pinterest_pipeline.kinesis.hook import KinesisStreamHook

SHORT_WAIT_SECONDS = 1  # many a change is made by then, and a deferral costs about three
VISIBLE_WITHIN_SECONDS = 60  # until then a change that does not show yet may still come
KEEPS_UP = timedelta(hours=1)  # readers that are further behind may need every hour of a longer retention


class KinesisStreamOperator(BaseOperator):
    """Base of the operators of streams; one step at a time until nothing is left to do.

    So a task that was killed between two steps goes on where it was, and one that runs again does nothing. Waits for
    the service between two changes, on the worker or deferred.

    :param stream_name: Name of the stream, or its ARN, as one of another account needs. (templated)
    :param timeout: For all changes together; a change of the shard count takes the service minutes.
    :param poll_seconds: Seconds between two polls while waiting.
    """

    template_fields: Sequence[str] = ("stream_name", "aws_conn_id", "region_name")
    operator_extra_links = (KinesisStreamLink(),)
    ui_color = "#d5e8f5"

    def __init__(
        self,
        *,
        stream_name: str,
        timeout: timedelta = timedelta(minutes=30),
        poll_seconds: float = 5,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if poll_seconds <= 0:
            raise ValueError(f"poll_seconds is {poll_seconds}, expected more than 0.")
        self.stream_name = stream_name
        self.timeout = timeout
        self.poll_seconds = poll_seconds
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config
        self.deferrable = deferrable

    @cached_property
    def hook(self) -> "KinesisStreamHook":
        from pinterest_pipeline.kinesis.hook import KinesisStreamHook  # noqa: PLC0415 - boto3 slows DAG parsing

        return KinesisStreamHook(
            aws_conn_id=self.aws_conn_id, region_name=self.region_name, verify=self.verify, config=self.botocore_config
        )

    @abstractmethod
    def next_step(self, stream: StreamDescription | None) -> Change | Await | None:
        """Choose the next step; None when nothing is left to do."""

    @abstractmethod
    def finish(self, context: Context, stream: StreamDescription | None, actions: list[str]) -> dict[str, Any]:
        """Do what is to be done once nothing is left to change; return the task's XCom."""

    @override
    def execute(self, context: Context) -> dict[str, Any]:
        require_stream_name(self.stream_name)
        return self._converge(context, time.time() + self.timeout.total_seconds(), [], 0.0)

    def resume(
        self, context: Context, event: PollEvent, deadline: float, actions: list[str], changed_at: float
    ) -> dict[str, Any]:
        """Go on after a deferral."""
        require_no_failure(event)
        self._require_time_left(deadline)
        return self._converge(context, deadline, actions, changed_at)

    def _converge(self, context: Context, deadline: float, actions: list[str], changed_at: float) -> dict[str, Any]:
        is_first_check = True
        while True:
            stream = self.hook.find(self.stream_name)
            step = self.next_step(stream)
            if step is None:
                done = "; ".join(actions) or "nothing, it is as it is to be"
                self.log.info("Stream %s; done: %s", self.stream_name, done)
                return self.finish(context, stream, actions)
            if isinstance(step, Change) and step.says in actions:
                if time.time() > changed_at + VISIBLE_WITHIN_SECONDS:
                    raise PermanentError(
                        f"Stream {self.stream_name}: Kinesis undid or ignored this: {step.says}. Does something else "
                        "manage this stream? Stop one of the two."
                    )
                step = Await.ACTIVE
            if isinstance(step, Await):
                if is_first_check:
                    time.sleep(min(SHORT_WAIT_SECONDS, self.poll_seconds))
                else:
                    self._wait(step, deadline, actions, changed_at)
                is_first_check = False
                continue
            self.log.info("Stream %s: %s. Costs: %s", self.stream_name, step.says, step.costs or "nothing")
            self.hook.change(step.operation, self.stream_name, **step.arguments)
            actions.append(step.says)
            changed_at, is_first_check = time.time(), True

    def _wait(self, until: Await, deadline: float, actions: list[str], changed_at: float) -> None:
        self._require_time_left(deadline)
        trigger = KinesisStreamTrigger(
            stream_name=self.stream_name,
            until=until.value,
            deadline=deadline,
            poll_seconds=self.poll_seconds,
            aws_conn_id=self.aws_conn_id,
            region_name=self.region_name,
            verify=self.verify,
            botocore_config=self.botocore_config,
        )
        wait_or_defer(self, trigger, deadline=deadline, actions=actions, changed_at=changed_at)

    def _require_time_left(self, deadline: float) -> None:
        if time.time() >= deadline:
            raise TransientError(
                f"Stream {self.stream_name}: Kinesis did not finish within {self.timeout}; another try goes on waiting."
            )


class KinesisReadStreamOperator(KinesisStreamOperator):
    """Base of the operators that must know what of a stream is unread before they change it.

    :param sql: Query, or ``.sql`` file, for what readers have read, see
        :func:`pinterest_pipeline.kinesis.readiness.read_up_to`; run by ``warehouse_conn_id`` with ``parameters``.
        Without it nothing counts as read. (templated)
    """

    template_fields: Sequence[str] = ("sql", "parameters", *KinesisStreamOperator.template_fields)
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers = {"sql": "sql", "parameters": "json"}  # noqa: RUF012 - declared so by the base class

    def __init__(
        self,
        *,
        sql: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        warehouse_conn_id: str = "pinterest_warehouse",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sql = sql
        self.parameters = parameters
        self.warehouse_conn_id = warehouse_conn_id

    def unread(self) -> tuple[UnreadShard, ...]:
        """Return the oldest unread record of each shard that has one."""
        from pinterest_pipeline.warehouse.hook import PipelinePostgresHook  # noqa: PLC0415 - psycopg2 slows DAG parsing

        read = ReadUpTo({}, None)
        if self.sql is not None:
            read = read_up_to(PipelinePostgresHook(self.warehouse_conn_id), self.sql, self.parameters)
        return self.hook.unread(self.stream_name, read.positions, arrived_after=read.last_arrival)


class KinesisEnsureStreamOperator(KinesisReadStreamOperator):
    """Create the stream, or change it where it is not as declared; do nothing where it is.

    In this order: mode, shard count, retention, encryption, tags, each waited for before the next. Tags that are not
    declared are left alone. What takes something away from those who use the stream (:class:`Guard`: shorter retention,
    fewer shards, another mode, another key or none) is left as it is unless ``accept`` names it; a warning says what
    it would cost. Retention alone is made shorter also where readers keep up: no unread record is older than an
    hour, and no consumer is registered.

    Returns ``{"stream", "arn", "status", "mode", "open_shards", "retention_hours", "encryption", "actions", "left"}``;
    ``actions`` says what was changed, ``left`` what was not and why, ``[]`` = nothing.

    :param accept: Values of :class:`~pinterest_pipeline.kinesis.plan.Guard`: changes that are made whatever they cost.
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
        accept: Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.accept = accept
        self.left: list[str] = []
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
        self.left = []
        return next_step(
            stream,
            self._spec(),
            converge_shard_count=self.converge_shard_count,
            is_allowed=lambda change: stream is None or self._is_allowed(stream, change),
        )

    def _is_allowed(self, stream: StreamDescription, change: Change) -> bool:
        """Tell whether a change may be made; note it in ``left`` where not."""
        if change.guard is None or change.guard in self.accept:
            return True
        why = ""
        if change.guard is Guard.RETENTION and not (why := who_is_behind(stream, self.unread(), utc_now())):
            return True
        self.left.append(
            f"{change.says} is not made: {change.costs}{why and f'; {why}'}. To make it all the same, accept "
            f'"{change.guard}" of this stream (param `accept` of DAG pinterest_kinesis_streams)'
        )
        return False

    @override
    def finish(self, context: Context, stream: StreamDescription | None, actions: list[str]) -> dict[str, Any]:
        if stream is None:
            raise RuntimeError("ensured a stream that is not there")
        if self.shard_count not in {None, stream.open_shard_count}:
            self.log.info("It has %s shards, declared are %s", stream.open_shard_count, self.shard_count)
        for left in self.left:
            self.log.warning("Stream %s: %s", stream.name, left)
        return {
            "stream": stream.name,
            "arn": stream.arn,
            "status": stream.status,
            "mode": stream.mode,
            "open_shards": stream.open_shard_count,
            "retention_hours": stream.retention_hours,
            "encryption": stream.key_id if stream.encryption != "NONE" else "NONE",
            "actions": actions,
            "left": self.left,
        }


def who_is_behind(stream: StreamDescription, unread: Sequence[UnreadShard], now: datetime) -> str:
    """Say which reader may need the longer retention; empty text where all keep up."""
    if stream.consumer_count:
        return f"{stream.consumer_count} registered consumers read it, nothing says how far"
    if timedelta(milliseconds=age_milliseconds(tuple(unread), now)) <= KEEPS_UP:
        return ""
    oldest = min(unread, key=lambda shard: shard.arrived_at)
    return (
        f"{len(unread)} shards have unread records, the oldest of {oldest.arrived_at.isoformat(timespec='seconds')} in "
        f"{oldest.shard_id}"
    )


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
    def finish(self, context: Context, stream: StreamDescription | None, actions: list[str]) -> dict[str, Any]:
        return {"stream": self.stream_name, "open_shards": stream and stream.open_shard_count, "actions": actions}
