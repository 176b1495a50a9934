"""The documents of Confluent's REST API v3, with the members that its API reference has."""

from typing import Any

from confluent_kafka.admin import ConfigEntry, ConfigSource, PartitionMetadata, TopicMetadata

SOURCES = {
    ConfigSource.DYNAMIC_TOPIC_CONFIG: "DYNAMIC_TOPIC_CONFIG",
    ConfigSource.DYNAMIC_BROKER_CONFIG: "DYNAMIC_BROKER_CONFIG",
    ConfigSource.DYNAMIC_DEFAULT_BROKER_CONFIG: "DYNAMIC_DEFAULT_BROKER_CONFIG",
    ConfigSource.STATIC_BROKER_CONFIG: "STATIC_BROKER_CONFIG",
    ConfigSource.DEFAULT_CONFIG: "DEFAULT_CONFIG",
}


def cluster(base_url: str, cluster_id: str) -> dict[str, Any]:
    url = url_of(base_url, cluster_id)
    related = ("acls", "brokers", "broker-configs", "consumer-groups", "topics")
    return {
        "kind": "KafkaCluster",
        "metadata": {"self": url, "resource_name": f"crn:///kafka={cluster_id}"},
        "cluster_id": cluster_id,
        "controller": {"related": f"{url}/brokers/1"},
        **{name.replace("-", "_"): {"related": f"{url}/{name}"} for name in related},
        "partition_reassignments": {"related": f"{url}/topics/-/partitions/-/reassignment"},
    }


def topic(base_url: str, cluster_id: str, found: TopicMetadata) -> dict[str, Any]:
    url = url_of(base_url, cluster_id, found.topic)
    return {
        "kind": "KafkaTopic",
        "metadata": metadata(url, cluster_id, found.topic),
        "cluster_id": cluster_id,
        "topic_name": found.topic,
        "is_internal": found.topic.startswith("__"),
        "replication_factor": max((len(each.replicas) for each in found.partitions.values()), default=0),
        "partitions_count": len(found.partitions),
        "partitions": {"related": f"{url}/partitions"},
        "configs": {"related": f"{url}/configs"},
        "partition_reassignments": {"related": f"{url}/partitions/-/reassignment"},
        "authorized_operations": [],
    }


def partition(base_url: str, cluster_id: str, name: str, found: PartitionMetadata) -> dict[str, Any]:
    url = f"{url_of(base_url, cluster_id, name)}/partitions/{found.id}"
    return {
        "kind": "KafkaPartition",
        "metadata": metadata(url, cluster_id, name, f"/partition={found.id}"),
        "cluster_id": cluster_id,
        "topic_name": name,
        "partition_id": found.id,
        "leader": {"related": f"{url}/replicas/{found.leader}"},
        "replicas": {"related": f"{url}/replicas"},
        "reassignment": {"related": f"{url}/reassignment"},
    }


def config(base_url: str, cluster_id: str, name: str, entry: ConfigEntry) -> dict[str, Any]:
    url = f"{url_of(base_url, cluster_id, name)}/configs/{entry.name}"
    return {
        "kind": "KafkaTopicConfig",
        "metadata": metadata(url, cluster_id, name, f"/config={entry.name}"),
        "cluster_id": cluster_id,
        "topic_name": name,
        "name": entry.name,
        "value": entry.value,
        "is_default": entry.is_default,
        "is_read_only": entry.is_read_only,
        "is_sensitive": entry.is_sensitive,
        "source": source_of(entry),
        "synonyms": [
            {"name": each.name, "value": each.value, "source": source_of(each)} for each in entry.synonyms.values()
        ],
    }


def source_of(entry: ConfigEntry) -> str:
    return SOURCES.get(ConfigSource(entry.source), "UNKNOWN")


def metadata(url: str, cluster_id: str, name: str, more: str = "") -> dict[str, str]:
    return {"self": url, "resource_name": f"crn:///kafka={cluster_id}/topic={name}{more}"}


def url_of(base_url: str, cluster_id: str, name: str | None = None) -> str:
    url = f"{base_url.rstrip('/')}/v3/clusters/{cluster_id}"
    return url if name is None else f"{url}/topics/{name}"
