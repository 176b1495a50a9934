"""Wait until what was sent to Kafka is in the lake."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, override

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.common.polling import PollingSensor
from pinterest_pipeline.lake.landing import Target, target_to_json, targets_of
from pinterest_pipeline.lake.triggers import KafkaOffsetsLandedTrigger


class KafkaOffsetsLandedSensor(PollingSensor):
    """Succeed when each offset that Kafka acknowledged is in an object of the lake.

    Only objects count that were written since the sending began, and in them only records of its time: a topic that was
    created again has other records at the same offsets. Offsets that the task did not send (``gaps`` of its result) are
    not waited for. Nothing sent is ready at once. Says in the log, and when it times out, which partitions lack which
    offsets. Returns ``{"topics": {topic: {partition: last offset found in the lake}}}``.

    A poll costs one LIST per topic (and 1,000 objects), the whole wait one GET for each object written since the
    sending began. Fails at once when the bucket is missing or closed to us, an object is not the sink's or cannot be
    read (it is named), or offsets have gone back since an object of the lake was written.

    :param bucket: Bucket of the lake. (templated)
    :param produced: Results of ``KafkaRestProduceOperator``, or one of them. (templated)
    :param topics_dir: The connector's ``topics.dir``; it names the topic's generation. (templated)
    """

    template_fields: Sequence[str] = ("bucket", "produced", "topics_dir", "aws_conn_id", "region_name")
    template_fields_renderers = {"produced": "json"}  # noqa: RUF012 - declared so by the base class
    ui_color = "#cfe8d5"

    def __init__(
        self,
        *,
        bucket: str,
        produced: Iterable[Mapping[str, Any]] | Mapping[str, Any],
        topics_dir: str = "topics",
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.bucket = bucket
        self.produced = produced
        self.topics_dir = topics_dir
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config

    @property
    def targets(self) -> list[Target]:
        produced = [self.produced] if isinstance(self.produced, Mapping) else self.produced
        try:
            return targets_of(produced)
        except (KeyError, TypeError, ValueError) as error:
            raise PermanentError(
                f"task {self.task_id}: `produced` must be results of KafkaRestProduceOperator ({error!r})"
            ) from error

    @override
    def trigger(self, *, deadline: float, poll_seconds: float) -> KafkaOffsetsLandedTrigger:
        return KafkaOffsetsLandedTrigger(
            bucket=self.bucket,
            topics_dir=self.topics_dir,
            targets=[target_to_json(target) for target in self.targets],
            aws_conn_id=self.aws_conn_id,
            region_name=self.region_name,
            verify=self.verify,
            botocore_config=self.botocore_config,
            deadline=deadline,
            poll_seconds=poll_seconds,
        )
