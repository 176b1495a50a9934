"""Wait, without a worker, until records are in the lake."""

from functools import cached_property
from typing import TYPE_CHECKING, Any, override

from pinterest_pipeline.common.polling import PollingTrigger, PollResult
from pinterest_pipeline.lake.landing import Landing, check_landed, target_from_json

if TYPE_CHECKING:
    from pinterest_pipeline.lake.hook import LakeHook


class KafkaOffsetsLandedTrigger(PollingTrigger):
    """Ready when every awaited offset is in the lake; a few requests a poll, and each new object is read once.

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
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(deadline=deadline, poll_seconds=poll_seconds)
        self.bucket = bucket
        self.topics_dir = topics_dir
        self.targets = targets
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config

    @cached_property
    def hook(self) -> "LakeHook":
        from pinterest_pipeline.lake.hook import LakeHook  # noqa: PLC0415 - boto3 slows DAG parsing

        return LakeHook(
            self.bucket,
            self.aws_conn_id,
            region_name=self.region_name,
            verify=self.verify,
            config=self.botocore_config,
        )

    @cached_property
    def landings(self) -> list[Landing]:
        return [Landing(target_from_json(target)) for target in self.targets]

    @override
    def check(self) -> PollResult:
        for landing in self.landings:
            self.hook.update_landing(self.topics_dir, landing)
        return check_landed(self.landings)
