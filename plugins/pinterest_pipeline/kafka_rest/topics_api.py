"""Topics through Confluent's REST API v3 (``/v3/clusters/{id}/topics``), which the other proxies do not have."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.kafka_rest.topics import RETENTION, FoundTopic, Topic

Document = Mapping[str, Any]
Call = Callable[..., Document]  # (method, path, what, topic=None, body=None) -> the answer's document
WITHOUT_V3 = (
    "topics are created and checked through the proxy's v3 API: let the proxy have it (Confluent's has; "
    "api.v3.enable=true) and API Gateway pass /v3/{proxy+}; or set check_topics to false in Variable "
    "pinterest_pipeline and create the topics by hand (docs/connections/kafka_rest.md)"
)


class TopicsApi:
    """The topics of the one cluster that a proxy serves.

    :param call: Sends one request and returns the JSON that came back.
    """

    def __init__(self, call: Call) -> None:
        self._call = call
        self._path = self._find_cluster()

    def find(self, names: Iterable[str]) -> dict[str, FoundTopic]:
        """Return those of the topics that exist; one request, and one more for each."""
        listed = {entry["topic_name"]: entry for entry in self._list(self._path, "the list of topics")}
        return {name: self._found(listed[name]) for name in names if name in listed}

    def create(self, topic: Topic) -> None:
        """Create a topic, with its retention; one request."""
        body = {
            "topic_name": topic.name,
            "partitions_count": topic.partitions,
            "replication_factor": topic.replication_factor,
            "configs": [{"name": RETENTION, "value": str(topic.retention_ms)}],
        }
        self._call("POST", self._path, f"creating topic {topic.name}", topic=topic.name, body=body)

    def _find_cluster(self) -> str:
        try:
            clusters = self._list("/v3/clusters", "the cluster")
        except PermanentError as error:
            raise PermanentError(f"{error}. Of that path: {WITHOUT_V3}.") from error
        if not clusters:
            raise PermanentError("GET /v3/clusters: the proxy serves no cluster: does it reach Kafka?")
        return f"/v3/clusters/{quote(clusters[0]['cluster_id'], safe='')}/topics"

    def _found(self, entry: Document) -> FoundTopic:
        name = entry["topic_name"]
        path = f"{self._path}/{quote(name, safe='')}/configs/{RETENTION}"
        setting = self._call("GET", path, f"the retention of topic {name}", topic=name)
        try:
            return FoundTopic(name, entry["partitions_count"], entry["replication_factor"], int(setting["value"]))
        except (KeyError, TypeError, ValueError) as error:
            raise PermanentError(
                f"Topic {name}: the proxy does not tell its {error}: Confluent's REST proxy 7.0 or newer does"
            ) from error

    def _list(self, path: str, what: str) -> list[Document]:
        answer = self._call("GET", path, what)
        entries = answer.get("data") if isinstance(answer, Mapping) else None
        if not isinstance(entries, list):
            raise PermanentError(f"GET {path} ({what}): the answer has no `data`, so it is no v3 API's")
        return entries
