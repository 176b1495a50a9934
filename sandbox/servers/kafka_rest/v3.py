"""The part of Confluent's REST API v3 that is about topics: list, describe and create them, and read their settings.

Nothing is altered or deleted.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import ConfigEntry, ConfigResource, TopicMetadata
from confluent_kafka.cimpl import NewTopic
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.servers.kafka_rest import v3_documents as documents
from sandbox.servers.kafka_rest.broker import METADATA_SECONDS, Broker
from sandbox.servers.kafka_rest.wire import BROKER_NOT_AVAILABLE, ApiError, loads_exactly, refuse_unknown_fields

UNKNOWN_TOPIC = 40403
BAD_REQUEST = 40002
CREATE_FIELDS = frozenset({"topic_name", "partitions_count", "replication_factor", "configs", "validate_only"})
BY_THE_CLUSTER = -1  # Kafka's word for the cluster's own default
REFUSED = frozenset(
    {
        KafkaError.INVALID_CONFIG,
        KafkaError.INVALID_PARTITIONS,
        KafkaError.INVALID_REPLICATION_FACTOR,
        KafkaError.TOPIC_ALREADY_EXISTS,
        KafkaError.TOPIC_EXCEPTION,
    }
)


async def list_clusters(request: Request) -> Response:
    cluster_id = (await broker(request).metadata()).cluster_id
    return listed(request, "KafkaClusterList", [documents.cluster(str(request.base_url), cluster_id)])


async def describe_cluster(request: Request) -> Response:
    return answer(documents.cluster(str(request.base_url), await cluster_of(request)))


async def list_topics(request: Request) -> Response:
    cluster_id = await cluster_of(request)
    topics, base = (await broker(request).metadata()).topics, str(request.base_url)
    return listed(
        request, "KafkaTopicList", [documents.topic(base, cluster_id, topics[name]) for name in sorted(topics)]
    )


async def describe_topic(request: Request) -> Response:
    cluster_id = await cluster_of(request)
    return answer(documents.topic(str(request.base_url), cluster_id, await topic_of(request)))


async def list_partitions(request: Request) -> Response:
    cluster_id = await cluster_of(request)
    found = await topic_of(request)
    partitions = [
        documents.partition(str(request.base_url), cluster_id, found.topic, each)
        for _, each in sorted(found.partitions.items())
    ]
    return listed(request, "KafkaPartitionList", partitions)


async def list_configs(request: Request) -> Response:
    cluster_id = await cluster_of(request)
    name = (await topic_of(request)).topic
    entries = await configs_of(request, name)
    base = str(request.base_url)
    configs = [documents.config(base, cluster_id, name, entry) for entry in entries.values()]
    return listed(request, "KafkaTopicConfigList", configs)


async def describe_config(request: Request) -> Response:
    cluster_id = await cluster_of(request)
    name = (await topic_of(request)).topic
    entries = await configs_of(request, name)
    if (setting := request.path_params["name"]) not in entries:
        raise ApiError(404, f"Config {setting} cannot be found for TOPIC {name} in cluster {cluster_id}.")
    return answer(documents.config(str(request.base_url), cluster_id, name, entries[setting]))


async def create_topic(request: Request) -> Response:
    cluster_id = await cluster_of(request)
    wanted = loads_exactly(await request.body())
    if not isinstance(wanted, dict):
        raise ApiError(400, "The request must be a JSON object.")
    try:
        refuse_unknown_fields(wanted, CREATE_FIELDS)
    except ApiError as error:
        raise ApiError(400, error.message) from error
    if not wanted.get("topic_name"):
        raise ApiError(400, "Null or empty topic_name.")
    new = NewTopic(
        wanted["topic_name"],
        num_partitions=wanted.get("partitions_count", BY_THE_CLUSTER),
        replication_factor=wanted.get("replication_factor", BY_THE_CLUSTER),
        config={entry["name"]: entry["value"] for entry in wanted.get("configs", [])},
    )
    await create(broker(request), new, validate_only=bool(wanted.get("validate_only")))
    found = (await broker(request).metadata()).topics.get(new.topic)
    return answer(documents.topic(str(request.base_url), cluster_id, found or promised(new)), 201)


async def create(kafka: Broker, new: NewTopic, *, validate_only: bool) -> None:
    done = kafka.admin.create_topics([new], request_timeout=METADATA_SECONDS, validate_only=validate_only)[new.topic]
    try:
        await asyncio.wrap_future(done)
    except KafkaException as error:
        cause = error.args[0]
        if cause.code() in REFUSED:
            raise ApiError(BAD_REQUEST, cause.str()) from error
        raise ApiError(BROKER_NOT_AVAILABLE, f"No Kafka broker is available: {cause.str()}") from error


def promised(new: NewTopic) -> TopicMetadata:
    """Return a topic that Kafka has accepted and that the broker's metadata does not show yet."""
    found = TopicMetadata()
    found.topic, found.partitions = new.topic, {}
    return found


async def cluster_of(request: Request) -> str:
    """Return the cluster's id, which the path must name."""
    cluster_id: str = (await broker(request).metadata()).cluster_id
    if (wanted := request.path_params["cluster"]) != cluster_id:
        raise ApiError(404, f"Cluster {wanted} cannot be found.")
    return cluster_id


async def topic_of(request: Request) -> TopicMetadata:
    topics = (await broker(request).metadata()).topics
    if (name := request.path_params["topic"]) not in topics:
        raise ApiError(UNKNOWN_TOPIC, "This server does not host this topic-partition.")
    return topics[name]


async def configs_of(request: Request, name: str) -> Mapping[str, ConfigEntry]:
    resource = ConfigResource(ConfigResource.Type.TOPIC, name)
    described = broker(request).admin.describe_configs([resource], request_timeout=METADATA_SECONDS)[resource]
    try:
        entries: Mapping[str, ConfigEntry] = await asyncio.wrap_future(described)
    except KafkaException as error:
        raise ApiError(BROKER_NOT_AVAILABLE, f"No Kafka broker is available: {error.args[0].str()}") from error
    return entries


def listed(request: Request, kind: str, entries: Iterable[Mapping[str, Any]]) -> Response:
    return answer({"kind": kind, "metadata": {"self": str(request.url), "next": None}, "data": list(entries)})


def answer(content: Mapping[str, Any], status: int = 200) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json")


def broker(request: Request) -> Broker:
    found: Broker = request.app.state.broker
    return found


TOPICS = "/v3/clusters/{cluster}/topics"
routes = [
    Route("/v3/clusters", list_clusters),
    Route("/v3/clusters/{cluster}", describe_cluster),
    Route(TOPICS, list_topics),
    Route(TOPICS, create_topic, methods=["POST"]),
    Route(f"{TOPICS}/{{topic}}", describe_topic),
    Route(f"{TOPICS}/{{topic}}/partitions", list_partitions),
    Route(f"{TOPICS}/{{topic}}/configs", list_configs),
    Route(f"{TOPICS}/{{topic}}/configs/{{name}}", describe_config),
]
