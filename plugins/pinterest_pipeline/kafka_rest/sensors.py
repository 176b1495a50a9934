"""Wait until topics exist."""

from collections.abc import Sequence
from typing import Any, override

from pinterest_pipeline.common.polling import PollingSensor
from pinterest_pipeline.kafka_rest.retries import CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS
from pinterest_pipeline.kafka_rest.triggers import KafkaRestTopicTrigger


class KafkaRestTopicSensor(PollingSensor):
    """Succeed when a Kafka REST proxy knows all of some topics; returns ``{"topics": [name, …]}``.

    Fails at once when the connection lacks a field or its key is refused. One request per poll.

    An answer that does not come counts as "not yet": ``poke_interval`` and ``timeout`` are its waits and attempts.

    :param topics: Names, or one name. (templated)
    :param connect_timeout_seconds: Of one check, for the TCP and TLS handshake.
    :param read_timeout_seconds: Of one check, for the answer.
    """

    template_fields: Sequence[str] = ("topics",)
    ui_color = "#e8d5f5"

    def __init__(
        self,
        *,
        topics: Sequence[str] | str,
        kafka_rest_conn_id: str = "pinterest_kafka_rest",
        connect_timeout_seconds: float = CONNECT_TIMEOUT_SECONDS,
        read_timeout_seconds: float = READ_TIMEOUT_SECONDS,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.topics = topics
        self.kafka_rest_conn_id = kafka_rest_conn_id
        self.connect_timeout_seconds = connect_timeout_seconds
        self.read_timeout_seconds = read_timeout_seconds

    @property
    def topic_names(self) -> list[str]:
        return [self.topics] if isinstance(self.topics, str) else list(self.topics)

    @override
    def trigger(self, *, deadline: float, poll_seconds: float) -> KafkaRestTopicTrigger:
        return KafkaRestTopicTrigger(
            topics=self.topic_names,
            kafka_rest_conn_id=self.kafka_rest_conn_id,
            connect_timeout_seconds=self.connect_timeout_seconds,
            read_timeout_seconds=self.read_timeout_seconds,
            deadline=deadline,
            poll_seconds=poll_seconds,
        )
