"""Wait until topics exist."""

from collections.abc import Sequence
from typing import Any, override

from pinterest_pipeline.common.polling import PollingSensor
from pinterest_pipeline.kafka_rest.triggers import KafkaRestTopicTrigger


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

    @override
    def trigger(self, *, deadline: float, poll_seconds: float) -> KafkaRestTopicTrigger:
        return KafkaRestTopicTrigger(
            topics=self.topic_names,
            kafka_rest_conn_id=self.kafka_rest_conn_id,
            deadline=deadline,
            poll_seconds=poll_seconds,
        )
