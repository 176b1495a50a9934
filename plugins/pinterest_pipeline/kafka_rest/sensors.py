"""Wait until topics exist."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, override

from pinterest_pipeline.common.poll import PollResult
from pinterest_pipeline.common.polling_sensor import PollingSensor
from pinterest_pipeline.kafka_rest.endpoint import check_topics
from pinterest_pipeline.kafka_rest.triggers import KafkaRestTopicTrigger

if TYPE_CHECKING:
    from pinterest_pipeline.kafka_rest.hook import KafkaRestHook


class KafkaRestTopicSensor(PollingSensor):
    """Succeed when a Kafka REST proxy knows all of some topics; returns ``{"topics": [name, …]}``.

    Fails at once when the connection lacks a field or its key is refused. One request per poll.

    :param topics: Names, or one name. (templated)
    """

    template_fields: Sequence[str] = ("topics",)
    ui_color = "#e8d5f5"

    def __init__(
        self,
        *,
        topics: Sequence[str] | str,
        kafka_rest_conn_id: str = "pinterest_kafka_rest",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.topics = topics
        self.kafka_rest_conn_id = kafka_rest_conn_id

    @property
    def topic_names(self) -> list[str]:
        return [self.topics] if isinstance(self.topics, str) else list(self.topics)

    @cached_property
    def _hook(self) -> "KafkaRestHook":
        from pinterest_pipeline.kafka_rest.hook import KafkaRestHook  # noqa: PLC0415 - requests slows DAG parsing

        return KafkaRestHook(self.kafka_rest_conn_id)

    @override
    def check(self) -> PollResult:
        return check_topics(self.topic_names, self._hook.topics())

    @override
    def trigger(self, *, deadline: float, poll_seconds: float) -> KafkaRestTopicTrigger:
        return KafkaRestTopicTrigger(
            topics=self.topic_names,
            kafka_rest_conn_id=self.kafka_rest_conn_id,
            deadline=deadline,
            poll_seconds=poll_seconds,
        )
