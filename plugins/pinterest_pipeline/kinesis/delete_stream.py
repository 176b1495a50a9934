"""Delete a Kinesis stream once all its records are read."""

from collections.abc import Sequence
from typing import Any, override

from airflow.sdk import Context

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.kinesis.model import StreamDescription, UnreadShard
from pinterest_pipeline.kinesis.operators import KinesisReadStreamOperator
from pinterest_pipeline.kinesis.plan import Await, Change, still_busy


class KinesisDeleteStreamOperator(KinesisReadStreamOperator):
    """Delete a stream, once all its records are read; with ``force`` at once. One that is not there counts as deleted.

    Without ``sql`` nothing counts as read, so that only a stream without records is deleted. Stop the producers first:
    a record that comes between the check and the deletion is lost. Registered consumers (enhanced fan-out) count as
    readers that still want the stream. Returns ``{"stream", "deleted", "actions"}``; ``deleted`` is
    false where there was no stream, and the action says in how many shards ``force`` gave up unread records.

    :param force: Delete the stream with what is unread in it. (templated)
    """

    template_fields: Sequence[str] = ("force", *KinesisReadStreamOperator.template_fields)

    def __init__(self, *, force: bool | str = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.force = force

    @override
    def next_step(self, stream: StreamDescription | None) -> Change | Await | None:
        if stream is None:
            return None
        if busy := still_busy(stream):
            return busy
        forced = str(self.force).strip().lower() == "true"
        unread = self.unread()
        if not forced:
            require_drained(stream, unread)
        arguments = {"StreamName": stream.name, "EnforceConsumerDeletion": forced}
        given_up = f", giving up unread records in {len(unread)} shards" if unread else ""
        return Change("delete_stream", arguments, f"delete{given_up}", "every record in it is gone")

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
