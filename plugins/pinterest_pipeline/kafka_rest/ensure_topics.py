"""Keep the Kafka topics as they are declared."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, override

from airflow.sdk import BaseOperator, Context

from pinterest_pipeline.common.compat import AirflowSkipException
from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.kafka_rest.topics import Topic, differences, read_topics_file
from pinterest_pipeline.kafka_rest.topics_api import TopicsApi

if TYPE_CHECKING:
    from pinterest_pipeline.kafka_rest.hook import KafkaRestHook


class KafkaRestEnsureTopicsOperator(BaseOperator):
    """Create the declared topics that are not there, and fail where one that is there differs from its declaration.

    Nothing that exists is changed: a lower retention deletes records, and more partitions move keys. Every difference
    is named at once, with what can be done. Safe to repeat. Two requests, and one or two for each topic, by the proxy's
    v3 API. Returns ``{"topics": [name, …], "created": [name, …]}``.

    :param topics_file: JSON file of topics; ``${name}`` placeholders anywhere in its texts. (templated)
    :param topics_values: A value for each placeholder; a name that is missing or not used is an error. (templated)
    :param check: False skips this task, where the proxy has no v3 API. (templated)
    """

    template_fields: Sequence[str] = ("topics_file", "topics_values", "check", "kafka_rest_conn_id")
    ui_color = "#e8d5f5"

    def __init__(
        self,
        *,
        topics_file: str | Path,
        topics_values: Mapping[str, Any],
        check: bool | str = True,
        kafka_rest_conn_id: str = "pinterest_kafka_rest",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.topics_file = str(topics_file)
        self.topics_values = topics_values
        self.check = check
        self.kafka_rest_conn_id = kafka_rest_conn_id

    @cached_property
    def hook(self) -> "KafkaRestHook":
        from pinterest_pipeline.kafka_rest.hook import KafkaRestHook  # noqa: PLC0415 - requests slows DAG parsing

        return KafkaRestHook(self.kafka_rest_conn_id)

    @override
    def execute(self, context: Context) -> dict[str, Any]:
        declared = read_topics_file(Path(self.topics_file), self.topics_values)
        if self.check is False:
            raise AirflowSkipException("Topics are not checked: check_topics of the Variable is false.")
        api = TopicsApi(self.hook.call_v3)
        found = api.find(topic.name for topic in declared)
        missing = [topic for topic in declared if topic.name not in found]
        for topic in missing:
            self._create(api, topic)
        said = [
            sentence for topic in declared if topic.name in found for sentence in differences(topic, found[topic.name])
        ]
        if said:
            raise PermanentError(f"Kafka differs from {Path(self.topics_file).name}: {'; '.join(said)}.")
        self.log.info("%s topics are as declared, %s of them created now", len(declared), len(missing))
        return {"topics": [topic.name for topic in declared], "created": [topic.name for topic in missing]}

    def _create(self, api: TopicsApi, topic: Topic) -> None:
        try:
            api.create(topic)
        except PermanentError:
            if topic.name not in api.find([topic.name]):  # else someone created it meanwhile; the next run compares it
                raise
        self.log.info("Created topic %s with %s partitions", topic.name, topic.partitions)
