"""Wait, without a worker, until records are in the lake."""

from functools import cached_property
from typing import TYPE_CHECKING, Any, override

from asgiref.sync import sync_to_async

from pinterest_pipeline.common.poll import PollResult
from pinterest_pipeline.common.polling_trigger import PollingTrigger
from pinterest_pipeline.lake.landing import check_landed, target_from_json

if TYPE_CHECKING:
    from pinterest_pipeline.lake.hook import LakeHook


class KafkaOffsetsLandedTrigger(PollingTrigger):
    """Ready when the newest object of each topic-partition is at or past the awaited offset.

    S3 is asked in a thread: a few short requests per poll, by the same code as in the sensor.

    :param targets: As :func:`pinterest_pipeline.lake.landing.target_to_json` writes them.
    """

    def __init__(
        self,
        *,
        bucket: str,
        topics_dir: str,
        targets: list[dict[str, Any]],
        aws_conn_id: str | None,
        deadline: float,
        poll_seconds: float,
    ) -> None:
        super().__init__(deadline=deadline, poll_seconds=poll_seconds)
        self.bucket = bucket
        self.topics_dir = topics_dir
        self.targets = targets
        self.aws_conn_id = aws_conn_id

    @override
    def arguments(self) -> dict[str, Any]:
        return {
            "bucket": self.bucket,
            "topics_dir": self.topics_dir,
            "targets": self.targets,
            "aws_conn_id": self.aws_conn_id,
        }

    @cached_property
    def _hook(self) -> "LakeHook":
        from pinterest_pipeline.lake.hook import LakeHook  # noqa: PLC0415 - boto3 slows DAG parsing

        return LakeHook(self.bucket, self.aws_conn_id)

    @override
    async def check(self) -> PollResult:
        return await sync_to_async(self._check, thread_sensitive=False)()

    def _check(self) -> PollResult:
        targets = [target_from_json(target) for target in self.targets]
        return check_landed(targets, self._hook.landed_offsets(self.topics_dir, targets))
