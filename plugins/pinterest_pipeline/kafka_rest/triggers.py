"""Wait, without a worker, until a Kafka REST proxy knows some topics."""

from functools import cached_property
from typing import TYPE_CHECKING, override

from pinterest_pipeline.common.polling import PollingTrigger, PollResult
from pinterest_pipeline.kafka_rest.endpoint import check_topics

if TYPE_CHECKING:
    from pinterest_pipeline.kafka_rest.hook import KafkaRestHook


class KafkaRestTopicTrigger(PollingTrigger):
    """Ready when all topics exist; one request a poll."""

    def __init__(
        self,
        *,
        topics: list[str],
        kafka_rest_conn_id: str,
        connect_timeout_seconds: float,
        read_timeout_seconds: float,
        deadline: float,
        poll_seconds: float,
    ) -> None:
        super().__init__(deadline=deadline, poll_seconds=poll_seconds)
        self.topics = topics
        self.kafka_rest_conn_id = kafka_rest_conn_id
        self.connect_timeout_seconds = connect_timeout_seconds
        self.read_timeout_seconds = read_timeout_seconds

    @cached_property
    def hook(self) -> "KafkaRestHook":
        from pinterest_pipeline.kafka_rest.hook import KafkaRestHook  # noqa: PLC0415 - requests slows DAG parsing

        return KafkaRestHook(
            self.kafka_rest_conn_id,
            connect_timeout_seconds=self.connect_timeout_seconds,
            read_timeout_seconds=self.read_timeout_seconds,
            max_attempts=1,  # the next poll is the next attempt
        )

    @override
    def check(self) -> PollResult:
        return check_topics(self.topics, self.hook.topics())
